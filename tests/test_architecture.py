"""The house rules that a reader would otherwise have to remember: who may know what."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODELS = sorted((ROOT / "models").glob("**/*.py"))
HANDLERS = sorted((ROOT / "handlers").glob("**/*.py"))
SERVER = ROOT / "server.py"
PROGRAM = [*MODELS, *HANDLERS, SERVER]
TESTS = sorted((ROOT / "tests").glob("**/*.py"))
TEMPLATES = sorted((ROOT / "templates").glob("**/*.html"))
STYLES = sorted((ROOT / "static" / "css").glob("**/*.css"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("**/*.js"))

TOP_LEVEL = {
    *("server.py", "handlers", "models", "templates", "static", "tests"),
    *("requirements.txt", "pyproject.toml", "README.md", "LICENSE"),
}

# A library that only one module knows can be replaced there.
ONLY_IN = {
    "argon2": "models/passwords.py",
    "bleach": "models/text.py",
    "coloraide": "models/accent.py",
    "jwt": "models/tokens.py",
    "motor": "models/store_connection.py",
    "PIL": "models/picture.py",
    "prometheus_client": "models/metrics.py",
}

# The database's documents and questions are known to the store alone.
STORE = {path.relative_to(ROOT).as_posix() for path in (ROOT / "models").glob("store*.py")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers_of(package: str, paths: list[Path]) -> set[str]:
    return {
        name_of(path)
        for path in paths
        if any(name.split(".")[0] == package for name in imports_of(path))
    }


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|(?<![:\w])//[^\n]*", "", text, flags=re.DOTALL)


def places(pattern: str, paths: list[Path]) -> list[str]:
    """``file: match`` for each place outside comments."""
    return [
        f"{name_of(path)}: {match[0]}"
        for path in paths
        for match in re.finditer(pattern, without_comments(path.read_text()))
    ]


# --- Python -------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["tornado", "jinja2", "handlers"])
def test_the_domain_knows_nothing_of_its_doors(package):
    assert importers_of(package, MODELS) == set()


def test_nobody_imports_the_server():
    assert importers_of("server", PROGRAM) == set()


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_a_library_is_known_to_one_module(package):
    assert importers_of(package, PROGRAM) == {ONLY_IN[package]}


@pytest.mark.parametrize("package", ["bson", "pymongo"])
def test_the_database_s_words_are_known_to_the_store_alone(package):
    assert importers_of(package, PROGRAM) <= STORE


@pytest.mark.parametrize("package", ["secantus", "secantusd", "secantusdb"])
def test_the_embedded_engine_is_never_imported(package):
    """It is under the GPL: a process of its own, or not at all."""
    assert importers_of(package, [*PROGRAM, *TESTS]) == set()


def test_imports_make_no_circle():
    known = {name_of(path).removesuffix(".py").replace("/", "."): path for path in PROGRAM}
    imported = {
        name: {other for other in imports_of(path) if other in known and other != name}
        for name, path in known.items()
    }
    while leaves := [name for name, others in imported.items() if not others]:
        for leaf in leaves:
            del imported[leaf]
        for others in imported.values():
            others.difference_update(leaves)
    assert not imported, "these import each other in a circle, or lean on it"


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "common", "helpers", "manager", "service", "data", "misc"}
    assert not [name_of(path) for path in [*PROGRAM, *SCRIPTS] if path.stem in drawers]


def arguments_of(path: Path) -> Iterator[tuple[str, str]]:
    """``function(argument)`` and its type, of all that is public."""
    for function in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        every = function.args
        if not function.name.startswith("_"):
            assert not every.kwarg, f"{function.name} takes names from outside"
            for argument in [*every.posonlyargs, *every.args, *every.kwonlyargs]:
                if argument.annotation:
                    yield f"{function.name}({argument.arg})", ast.unparse(argument.annotation)


def test_no_request_dictionary_can_reach_the_driver():
    """Whoever calls the store hands over single values, entities, or numbers by name: nothing that
    a client sent can be an operator like ``{"$ne": null}`` there."""
    numbers = r"(?!\[str, (int|range)\])"
    loose = re.compile(rf"\b(Any|object|Document|(Mutable)?Mapping|[dD]ict{numbers})\b")
    store = list(arguments_of(ROOT / "models/store.py"))
    assert store
    assert [argument for argument, type_ in store if loose.search(type_)] == []


# --- HTML ---------------------------------------------------------------------------------------


def test_only_the_finished_html_of_a_message_is_marked_as_safe():
    assert places(r"\w+\s*\|\s*safe\b", TEMPLATES) == ["templates/_message.html: message_html|safe"]
    assert places(r"autoescape|\{%-?\s*raw\b", TEMPLATES) == []
    assert places(r"\bMarkup\b|autoescape\s*=\s*False", PROGRAM) == []


def test_scripts_insert_html_at_one_place():
    ways = (
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTML\w*|parseHTML\w*|srcdoc|DOMParser"
        r"|createContextualFragment|document\.write\w*|eval|new Function)\b"
    )
    found = places(ways, SCRIPTS)
    assert len(found) == 1, found


def test_pages_need_no_inline_script_or_style():
    """The Content-Security-Policy would refuse them. A block of data is no script."""
    own = r"<script(?![^>]*\bsrc=)(?! type=\"application/json\")[^>]*>"
    assert places(own, TEMPLATES) == []
    assert places(r"<style\b|\sstyle=|\son[a-z]+=|javascript:", TEMPLATES) == []


# --- CSS and JavaScript -------------------------------------------------------------------------

DECLARATION = re.compile(r"([a-z-]+)\s*:\s*([^;{}]+)[;}]")
PHYSICAL_NAME = re.compile(
    r"(?:margin|padding|border|inset|scroll-margin|scroll-padding)-(?:top|right|bottom|left)\b.*"
    r"|border-(?:top|bottom)-(?:left|right)-radius"
    r"|top|right|bottom|left|(?:min-|max-)?(?:width|height)"
)


def test_styles_are_written_for_both_directions():
    found = []
    for path in STYLES:
        for name, value in DECLARATION.findall(without_comments(path.read_text())):
            by_value = name in {"text-align", "float", "clear"} and value in {"left", "right"}
            if by_value or PHYSICAL_NAME.fullmatch(name):
                found.append(f"{name_of(path)}: {name}: {value}")
    assert found == []


@pytest.mark.parametrize("path", [*TEMPLATES, *STYLES, *SCRIPTS], ids=name_of)
def test_files_of_the_pages_are_named_in_kebab_case(path):
    assert re.fullmatch(r"_?[a-z0-9]+(-[a-z0-9]+)*\.(html|css|js)", path.name)


def test_modules_are_imported_by_relative_path_without_a_query():
    """``a.js`` and ``a.js?v=1`` would be two modules with two states."""
    found = places(r"""\b(?:from|import)\s*\(?\s*["'][^"']+["']""", SCRIPTS)
    assert [
        place for place in found if not re.search(r"""["']\.\.?/[\w./-]+\.js["']$""", place)
    ] == []


def test_the_client_library_needs_nothing_but_itself():
    own = [path for path in SCRIPTS if "realtime" in name_of(path)]
    assert own
    allowed = re.compile(r"""["']\./(?:realtime/)?[\w-]+\.js["']$""")
    found = places(r"""\b(?:from|import)\s*\(?\s*["'][^"']+["']""", own)
    assert [place for place in found if not allowed.search(place)] == []


# --- The top level ------------------------------------------------------------------------------


def test_the_top_level_stays_a_list_that_can_be_remembered():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listing.returncode:
        pytest.skip("not a clone")
    names = {name.split("/")[0] for name in listing.stdout.split("\0") if name}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL
    assert {name for name in names if name.startswith(".")} <= {".ci", ".gitignore"}
