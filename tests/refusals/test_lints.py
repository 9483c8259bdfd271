"""Rules about hostile input that a reader would otherwise have to remember. S24, S37, S46.

Where HTML is inserted and what is marked as safe stands in ``tests/test_architecture.py`` (S17).
"""

import ast
import re
from pathlib import Path

import packaging.version

from handlers.base import BaseHandler
from handlers.routes import API, HEALTH, PAGES

ROOT = Path(__file__).parents[2]
PROGRAM = [ROOT / "server.py", *ROOT.glob("handlers/*.py"), *ROOT.glob("models/*.py")]

# PROMISES section 1: below these are known faults that concern us.
FLOORS = {
    "tornado": "6.6.1",
    "pyjwt": "2.15.1",
    "jinja2": "3.1.6",
    "pymongo": "4.20",
    "argon2-cffi": "25.1",
    "motor": "3.7.1",
    "pillow": "13.0",
}


def requirements(name):
    """The packages that a file asks for, with all that stands behind their names."""
    lines = (ROOT / name).read_text().splitlines()
    asked = [line.split("#")[0].strip() for line in lines if not line.startswith(("-r ", "#"))]
    return dict(re.findall(r"(?m)^([\w.-]+)(.*)$", "\n".join(asked)))


def test_every_package_is_pinned_to_one_version():
    """S46. Fails when a line says less than ``==``."""
    for name in ("requirements.txt", "tests/requirements.txt"):
        for package, asked in requirements(name).items():
            assert re.fullmatch(r"==[\w.]+(; .*)?", asked), (name, package)


def test_no_package_is_below_its_floor():
    """S46. Fails when Tornado is 6.6.0 in requirements.txt."""
    pinned = requirements("requirements.txt")
    for package, floor in FLOORS.items():
        version = pinned[package].removeprefix("==").split(";")[0].strip()
        assert packaging.version.parse(version) >= packaging.version.parse(floor), package


def test_the_checks_audit_packages_and_read_the_program_for_known_mistakes():
    """S46. Fails when .ci/run no longer does."""
    run = (ROOT / ".ci/run").read_text()
    assert re.search(r'^check "pip-audit" audit_packages$', run, re.MULTILINE)
    assert re.search(r'^check "bandit" .* server\.py handlers models$', run, re.MULTILINE)


# Ways from a text to a program: of templates, of Python, of the shell, of objects.
MAKERS = {
    *("eval", "exec", "compile", "__import__", "from_string", "Template", "Environment.overlay"),
    *("system", "popen", "getoutput", "getstatusoutput", "execv", "execl", "spawnv"),
    *("pickle.loads", "pickle.load", "marshal.loads", "shelve.open", "yaml.load", "loads_pickle"),
}


def test_no_text_becomes_a_template_a_program_or_an_object():
    """S24, S45, C23: user text is never a template, and nothing is unpickled.

    Fails with ``Environment().from_string(text)`` anywhere in the program.
    """
    found = []
    for path in PROGRAM:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called != "re.compile" and {called, called.rpartition(".")[2]} & MAKERS:
                    found.append(f"{path.name}: {called}")
                found += [f"{path.name}: shell" for word in node.keywords if word.arg == "shell"]
    assert found == []


def test_every_door_counts_the_body_itself_or_belongs_to_the_listener_s_64_kib():
    """PROMISES section 8. Fails when a door is made of Tornado's handler alone."""
    doors = {door for _, door in [*API, *PAGES, *HEALTH]}
    uncounted = {door.__name__ for door in doors if not issubclass(door, BaseHandler)}
    assert uncounted <= {"Loader", "LookSheet", "LookLogo"}  # they take no body at all
    assert all(door.__dict__.get("post") is None for door in doors if door.__name__ in uncounted)
