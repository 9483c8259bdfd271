"""How pages are rendered: Jinja, escaping by itself, loud about what is missing."""

from pathlib import Path
from typing import Final

import jinja2

from handlers.bundles import bundle_address

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


def template_environment() -> jinja2.Environment:
    """Made once a server; templates are compiled at their first use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["bundle_address"] = bundle_address
    return environment
