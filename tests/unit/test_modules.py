import json
import shutil
import subprocess
from pathlib import Path

import pytest

from handlers.bundles import SCRIPTS, minified_script
from handlers.modules import NotJoinable, joined

PROGRAM = {
    "main.js": """
        import { Counter, LIMIT as most } from "./counter.js";
        import {
          log,
          say,
        } from "./deep/log.js";

        export { Counter };
        export const counted = new Counter().add(most);
        export async function later() {
          return `export  ${"import x"}  // ${1 / 2 / +"1"}
          import  nothing`;
        }
        say(`main ${counted}`, /[/"']+/.test('/"'));
        console.log(JSON.stringify([log, await_(counted), typeof this]));

        /** Hoisted, like every function of a module. */
        function await_(n) { return n++ + +n; }
    """,
    "counter.js": """
        import { say as tell } from "./deep/log.js";
        /** @typedef {import("./deep/log.js").Nothing} Nothing */

        export const LIMIT = 3;
        const hidden = "counter's own";
        export class Counter {
          #n = 0;
          add(n) { tell(hidden, typeof Counter); return (this.#n += n); }
        }
        tell("counter");
    """,
    "deep/log.js": """
        const hidden = "log's own";
        export const log = [hidden];
        export function say(...words) { log.push(words.join(" ")); }
        say("log");
    """,
}


def write(folder, program):
    for name, text in program.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in text.splitlines()))
    return folder / "main.js"


def run(script):
    """What a module logs and exports."""
    show = f"import * as all from {json.dumps(script.as_uri())};"
    show += "console.log(Object.keys(all), all.counted, await all.later());"
    ran = subprocess.run(
        ["node", "--input-type=module", "--eval", show], capture_output=True, check=True, text=True
    )
    return ran.stdout


def test_joined_modules_do_and_export_the_same(tmp_path):
    entry = write(tmp_path, PROGRAM)
    apart = run(entry)
    assert '"main 3 true"' in apart
    together = tmp_path / "joined.mjs"
    together.write_text(joined(entry))
    assert run(together) == apart
    together.write_text(minified_script(joined(entry)))
    assert run(together) == apart


@pytest.mark.parametrize(
    "statement",
    [
        'import "./counter.js";',
        'import Counter from "./counter.js";',
        'import * as counter from "./counter.js";',
        'import { Counter } from "./counter.js?v=1";',
        'import { readFile } from "node:fs";',
        "export default 1;",
        "export let changing = 1;",
        "export const { a } = {};",
        'export { Counter } from "./counter.js";',
        "export { Counter as Other };",
    ],
)
def test_a_form_that_joining_does_not_know_is_refused(tmp_path, statement):
    entry = write(tmp_path, {**PROGRAM, "main.js": statement})
    with pytest.raises(NotJoinable, match=r"main\.js has a form"):
        joined(entry)


def test_modules_that_import_each_other_are_refused(tmp_path):
    circle = {"counter.js": 'import { counted } from "./main.js";'}
    with pytest.raises(NotJoinable, match=r"main\.js imports itself, by way of counter\.js"):
        joined(write(tmp_path, {**PROGRAM, **circle}))


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.js")), ids=lambda path: path.name)
def test_every_module_keeps_to_the_forms_that_can_be_joined(path, tmp_path):
    small = minified_script(joined(path))
    assert "import" not in small.replace("important", "")
    together = tmp_path / "joined.mjs"
    together.write_text(small)
    # Whoever waits at the top level cannot do it in a function either.
    subprocess.run(["node", "--check", together], check=True, capture_output=True)


def test_the_modules_pass_their_own_tests_when_they_are_joined(tmp_path):
    tests = Path(__file__).parents[1] / "js"
    themes = ["clock", "emoji", "people", "sequence", "thread", "timeline", "wire"]
    for path in SCRIPTS.rglob("*.js"):
        place = tmp_path / "static" / "js" / path.relative_to(SCRIPTS)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(minified_script(joined(path)))
    shutil.copytree(tests, tmp_path / "tests" / "js")
    for cast in tests.parent.glob("*.json"):
        shutil.copy(cast, tmp_path / "tests")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    chosen = [tmp_path / "tests" / "js" / f"{theme}.test.js" for theme in themes]
    ran = subprocess.run(
        ["node", "--experimental-websocket", "--test", *chosen],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
