from dataclasses import fields

import pytest

from models.commandline import (
    COMMANDS,
    AddSeller,
    Check,
    DisableSeller,
    Erase,
    Export,
    Help,
    Serve,
    Token,
    help_text,
    read_command_line,
)
from models.options import SettingsError, name_of
from models.settings import Settings


def read(*words, **environment):
    return read_command_line(words, environment)


def test_no_command_means_serve():
    assert read() == (Serve(), Settings())
    assert read("--demo") == (Serve(), Settings(demo=True))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("add-seller", "omar", "--name=Omar's"), AddSeller(id="omar", name="Omar's")),
        (
            ("add-seller", "--email=o@m.example", "omar", "--name=Omar"),
            AddSeller(id="omar", name="Omar", email="o@m.example"),
        ),
        (("disable-seller", "omar@shop.example"), DisableSeller(id="omar@shop.example")),
        (("disable-seller", "--", "--odd"), DisableSeller(id="--odd")),
        (("token", "b1", "--type=Buyer"), Token(id="b1", type="Buyer")),
        (
            ("token", "b1", "--type=Buyer", "--name=Maya", "--expires=9"),
            Token(id="b1", type="Buyer", name="Maya", expires=9),
        ),
        (("export", "b1", "--type=Buyer"), Export(id="b1", type="Buyer")),
        (("erase", "omar", "--type=Seller"), Erase(id="omar", type="Seller")),
        (("check",), Check()),
    ],
)
def test_a_command_is_read_with_what_it_takes(words, command):
    assert read(*words) == (command, Settings())


def test_settings_go_with_any_command_before_or_behind_it():
    settings = Settings(database="other", port=1)
    assert read("--database=other", "check", SHOPBELL_PORT="1") == (Check(), settings)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("serv",), "'serv' is no command. Did you mean serve?"),
        (("backup",), "FILE is missing: where to; one that is there is replaced."),
        (("check", "x"), "check takes no 'x': check."),
        (("add-seller", "--name=Omar"), "ID is missing: what the seller signs in with."),
        (
            ("add-seller", "o m", "--name=Omar"),
            "ID must be 1 to 64 characters out of A-Z a-z 0-9 _ . @ -.",
        ),
        (("add-seller", "omar"), "--name=NAME is missing: what buyers see."),
        (("add-seller", "omar", "--name= "), "--name must not be empty."),
        (("add-seller", "omar", "--name=O", "--email=x"), "--email must be an e-mail address."),
        (("token", "b1"), "--type=Buyer|Seller is missing: Buyer or Seller."),
        (("token", "b1", "--type=buyer"), "--type must be Buyer or Seller."),
        (
            ("token", "b1", "--type=Buyer", "--expires=31536001"),
            "--expires must be a whole number from 1 to 31536000.",
        ),
        (("--name=Omar",), "'--name' is no setting."),
        (("--id=x",), "'--id' is no setting."),
        (("disable-seller", "--id=x"), "'--id' is no setting."),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_sentence(words, sentence):
    with pytest.raises(SettingsError) as refused:
        read(*words)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("words", [("help",), ("--help",), ("-h",), ("token", "--help")])
def test_help_comes_even_when_a_setting_is_wrong(words):
    assert read(*words, SHOPBELL_PORT="x")[0] == Help()


def test_the_help_names_every_command_and_every_setting():
    text = help_text()
    for name in COMMANDS:
        assert f"\n  {name}" in text
    for setting in fields(Settings):
        assert f"--{name_of(setting)}, or SHOPBELL_{setting.name.upper()}" in text
