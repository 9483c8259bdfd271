"""What README.md shows is run here as it stands, so that it cannot go stale."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.conversation import Participant
from models.tokens import Tokens
from tests.machine import needed

README = (Path(__file__).parents[2] / "README.md").read_text()
IDENTITY_SECRET = "an identity secret of the shop, 0123456789"

# What follows each example to print one identity, and the command that runs it.
RUN = {
    "python": ("print(identity('b1', 'Zoë “Z” O’Hara', SECRET))", [sys.executable]),
    "js": ("console.log(identity('b1', 'Zoë “Z” O’Hara', SECRET));", ["node"]),
    "php": ("echo identity('b1', 'Zoë “Z” O’Hara', SECRET);", ["php"]),
}
PACKAGES = {"python": "python3", "js": "nodejs", "php": "php-cli"}


def example(language: str) -> str:
    """The README's example of signing an identity."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if "identity(" in block)


@pytest.mark.parametrize("language", RUN)
def test_the_example_signs_an_identity_that_shopbell_takes(language: str, tmp_path: Path) -> None:
    call, command = RUN[language]
    needed(command[0], PACKAGES[language])
    call = call.replace("SECRET", f"'{IDENTITY_SECRET}'")
    opening = "<?php\n" if language == "php" else ""
    script = tmp_path / ("identity.mjs" if language == "js" else f"identity.{language}")
    script.write_text(f"{opening}{example(language)}\n{call}\n")
    printed = subprocess.run(
        [*command, str(script)], capture_output=True, text=True, timeout=30, check=True
    ).stdout.strip()

    vouched = Tokens("a secret of Shopbell's own, 0123456789", IDENTITY_SECRET).read_identity(
        printed
    )

    assert vouched.participant == Participant("Buyer", "b1")
    assert vouched.name == "Zoë “Z” O’Hara"


def test_the_two_commands_stand_on_the_first_screen_in_a_line_each() -> None:
    first_screen = README.splitlines()[:30]
    assert sum(line.endswith("python server.py --demo") for line in first_screen) == 1
    assert sum(line.endswith("-m pytest") for line in first_screen) == 1


def test_every_file_that_the_readme_names_is_there() -> None:
    root = Path(__file__).parents[2]
    named = re.findall(r"`((?:models|handlers|static|templates|tests)/[\w./-]+\.\w+)`", README)
    named += re.findall(r"\]\(([\w/.-]+)\)", README)
    assert named
    assert [name for name in named if not (root / name).exists()] == []
