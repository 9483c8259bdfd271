import re

import pytest

from handlers.modules import SCRIPTS, modules_of

ENTRIES = ["chat.js", "inbox.js", "inbox-widget.js", "widget-frame.js"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_page_fetches_its_module_and_all_that_it_imports_once(entry):
    modules = modules_of(entry)
    assert modules[0] == entry
    assert len(set(modules)) == len(modules)
    for module in modules:
        path = SCRIPTS / module
        for imported in re.findall(r'from\s+"(\.[^"]+)"', path.read_text()):
            target = (path.parent / imported).resolve()
            assert target.relative_to(SCRIPTS).as_posix() in modules
