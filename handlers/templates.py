"""How pages are rendered: Jinja, escaping by itself, loud about what is missing."""

from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from jinja2.bccache import Bucket

from handlers.bundles import bundle_address
from handlers.languages import Language

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


class CompiledOnce(jinja2.BytecodeCache):
    """A template is compiled once for all languages: its code only asks for the words."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED: Final = CompiledOnce()


@cache
def templates_in(language: Language) -> jinja2.Environment:
    """The templates of one language; they are compiled at their first use.

    Macros know nothing of the page that imports them, so what all need is told here.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=_COMPILED,
    )
    environment.globals["bundle_address"] = bundle_address
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension's
        language.translations.gettext, language.translations.ngettext, newstyle=True
    )
    environment.globals |= {
        "language": language.code,
        "asked_language": language.asked,
        "direction": language.direction,
        "script_words": language.script_words,
        "link": language.link,
        "number": language.number,
    }
    return environment
