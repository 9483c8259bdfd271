import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from handlers.bundles import ENTRIES, PAGES, SHEETS, bundle, bundle_address, minified_style
from handlers.templates import TEMPLATES

NAMED = re.compile(r"""\b(?:script|styles)\("([^"]+)"\)""")


def test_every_page_asks_for_bundles_that_there_are():
    asked = {name for path in TEMPLATES.glob("*.html") for name in NAMED.findall(path.read_text())}
    assert asked == {*PAGES, *ENTRIES}, "and none is made that no page asks for"
    for name in asked:
        assert bundle(name).plain


def test_an_address_names_the_content():
    digest = bundle("chat.css").digest
    assert re.fullmatch("[0-9a-f]{16}", digest)
    assert bundle_address("chat.css") == f"/assets/{digest}/chat.css"
    assert bundle("chat.css") is bundle("chat.css"), "made once"
    assert len({bundle(name).digest for name in PAGES}) == len(PAGES)


@pytest.mark.parametrize(
    "name", ["none.js", "outbox.js", "../js/chat.js", "realtime/wire.js", "tokens.css"]
)
def test_what_is_no_bundle_has_no_address(name):
    with pytest.raises(KeyError):
        bundle_address(name)


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"demo.css"}))
def test_the_order_of_the_layers_stays_the_first_thing_that_is_said(name):
    assert bundle(name).plain.startswith(b"@layer reset,tokens,base,layout,components,utilities;")


def test_a_bundle_is_small_and_loses_nothing_when_it_is_packed():
    packed = bundle("inbox.css")
    written = sum(len((SHEETS / f"{sheet}.css").read_bytes()) for sheet in PAGES["inbox.css"])
    assert len(packed.zipped) < len(packed.plain) / 3 < written / 3
    assert gzip.decompress(packed.zipped) == packed.plain


@pytest.mark.parametrize("fault", ["ImportError", "OSError"])
def test_without_the_library_that_shortens_names_scripts_are_as_they_are_written(tmp_path, fault):
    (tmp_path / "minify.py").write_text(f"raise {fault}('cannot open shared object file')")
    asked = "from handlers.bundles import bundle; print(bundle('chat.js').plain.decode())"
    run = subprocess.run(
        [sys.executable, "-c", asked],
        env={"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert "export class Timeline" not in run.stdout
    assert "class Timeline" in run.stdout
    assert len(run.stdout) > len(bundle("chat.js").plain) * 1.5


def test_a_space_that_means_something_stays():
    style = "@layer a { .row[x='y'] :is(.b, .c) { color: red; } .d:hover :dir(rtl) { top: 0; } }"
    assert minified_style(style) == (
        "@layer a{.row[x='y'] *:is(.b,.c){color:red}.d:hover *:dir(rtl){top:0}}"
    )
