"""Which script modules a page needs, so that a browser fetches them at once and not one by one."""

import re
from functools import cache
from pathlib import Path
from typing import Final

SCRIPTS: Final = Path(__file__).parent.parent / "static" / "js"

_IMPORT = re.compile(r'^(?:import|export)\b[^;"]* from "(?P<path>\.[^"]+)"', re.MULTILINE)


@cache
def modules_of(entry: str) -> tuple[str, ...]:
    """The names under ``/static/js/`` of a module and of all that it imports, the entry first."""
    found: dict[Path, None] = {}
    waiting = [SCRIPTS / entry]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            imported = _IMPORT.finditer(path.read_text(encoding="utf-8"))
            waiting += [(path.parent / match["path"]).resolve() for match in imported]
    return tuple(path.relative_to(SCRIPTS).as_posix() for path in found)
