import re
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from models.options import SettingsError, default_of, name_of
from models.settings import Settings, read_settings, variable_of

README = Path(__file__).parents[2] / "README.md"
SECRET = "fU2mXo8bTq1VhZ4sLw7yKc9eRd3nGj6A"
OTHER_SECRET = "pB5tYv0aHk8WzQ2xNm4uEi7oCf1gSl9D"


def read(flags=None, **environment):
    return read_settings(flags or {}, environment)


# --- Where a value comes from -------------------------------------------------------------------


def test_nothing_asked_for_gives_the_defaults():
    assert read() == Settings()
    assert (Settings().address, Settings().port) == ("127.0.0.1", 8080)


def test_a_flag_wins_over_its_variable_and_the_variable_over_the_default():
    assert read({"port": "1"}, SHOPBELL_PORT="2").port == 1
    assert read(SHOPBELL_PORT="2").port == 2


def test_an_impossible_variable_does_not_matter_under_a_flag():
    assert read({"port": "1"}, SHOPBELL_PORT="none").port == 1


def test_the_common_name_of_the_database_s_address_serves_last():
    assert read(MONGODB_URI="mongodb://c").mongodb_uri == "mongodb://c"
    assert read(MONGODB_URI="mongodb://c", SHOPBELL_MONGODB_URI="mongodb://b").mongodb_uri == (
        "mongodb://b"
    )
    assert read({"mongodb-uri": "mongodb://a"}, SHOPBELL_MONGODB_URI="mongodb://b").mongodb_uri == (
        "mongodb://a"
    )
    assert read({"mongodb-uri": ""}, MONGODB_URI="mongodb://c").mongodb_uri is None


def test_a_bare_flag_turns_on_what_is_on_or_off():
    assert read({"demo": None}).demo is True
    assert read({"rate-limits": "off"}).rate_limits is False
    with pytest.raises(SettingsError, match=r"\A--port needs a value: --port=VALUE\.\Z"):
        read({"port": None})


@pytest.mark.parametrize(
    ("flags", "environment", "sentence"),
    [
        ({"prot": "1"}, {}, "'--prot' is no setting. Did you mean --port?"),
        ({"line\nbreak": "1"}, {}, r"'--line\nbreak' is no setting."),
        ({}, {"SHOPBELL_PRT": "1"}, "'SHOPBELL_PRT' is no setting. Did you mean SHOPBELL_PORT?"),
    ],
)
def test_an_unknown_setting_is_refused_in_one_line(flags, environment, sentence):
    with pytest.raises(SettingsError) as refused:
        read_settings(flags, environment)
    assert str(refused.value) == sentence


def test_what_kubernetes_says_of_a_service_named_shopbell_is_no_setting():
    settings = read(
        SHOPBELL_SERVICE_HOST="10.0.0.1",
        SHOPBELL_SERVICE_PORT_HTTP="8080",
        SHOPBELL_PORT="tcp://10.0.0.1:8080",
        SHOPBELL_PORT_8080_TCP_ADDR="10.0.0.1",
    )
    assert settings == Settings()


# --- What a value may be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("address", "999.1.1.1"),
        ("address", "one two"),
        ("address", ""),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "1_000"),
        ("port", "٣"),
        ("port", ""),
        ("public-url", "shop.example"),
        ("public-url", "https://shop.example/"),
        ("public-url", "https://shop.example/chat"),
        ("public-url", "https://user@shop.example"),
        ("public-url", "https://shop.example?"),
        ("public-url", "https://shop.example:99999"),
        ("public-url", "https://shop\t.example"),
        ("public-url", "ftp://shop.example"),
        ("public-url", "https://"),
        ("public-url", "null"),
        ("public-url", "*"),
        ("allowed-origins", "https://a.example,https://*.b.example"),
        ("mongodb-uri", "http://db.example"),
        ("database", "a.b"),
        ("database", "admin"),
        ("data-dir", ""),
        ("data-dir", __file__),
        ("data-dir", "a\0b"),
        ("trusted-proxies", "proxy.example"),
        ("trusted-proxies", "10.0.0.1/8"),
        ("rate-limits", "maybe"),
        ("log-format", "xml"),
        ("demo", ""),
    ],
)
def test_an_impossible_value_is_refused_in_one_line_that_names_it(name, text):
    with pytest.raises(SettingsError, match=rf"\A--{name} [^\n]+\.\Z"):
        read({name: text})


def test_an_origin_is_kept_as_browsers_write_it():
    settings = read(
        {"allowed-origins": "HTTPS://Shop.example:443, http://a.example:80,http://[::1]:8"}
    )
    assert settings.allowed_origins == (
        "https://shop.example",
        "http://a.example",
        "http://[::1]:8",
    )


@pytest.mark.parametrize("name", ["secret", "identity-secret"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "[]",
        "true",
        SECRET[:31],
        "x" * 40,
        "change-me" * 5,
        "Your_Secret_0123456789_0123456789",
        "Example-3f8a1c6e9b2d7054-3f8a1c6e",
        SECRET + "\n",
    ],
)
def test_a_short_or_well_known_secret_is_refused_without_telling_it(name, text):
    with pytest.raises(SettingsError, match=rf"\A--{name} [^\n]+\.\Z") as refused:
        read({name: text})
    assert not text or text not in str(refused.value)


def test_the_two_secrets_may_not_be_the_same():
    assert read({"secret": SECRET, "identity-secret": OTHER_SECRET}).secret == SECRET
    with pytest.raises(SettingsError, match="same"):
        read({"secret": SECRET, "identity-secret": SECRET})


def test_secrets_are_not_in_what_a_log_would_show():
    settings = read(
        {"secret": SECRET, "identity-secret": OTHER_SECRET, "mongodb-uri": "mongodb://u:word@h"}
    )
    assert not any(told in repr(settings) for told in (SECRET, OTHER_SECRET, "word"))


# --- What follows from them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "origin", "secure"),
    [
        ({}, "http://127.0.0.1:8080", False),
        ({"address": "::1", "port": "9"}, "http://[::1]:9", False),
        ({"address": "LocalHost", "port": "80"}, "http://localhost", False),
        ({"public-url": "https://shop.example"}, "https://shop.example", True),
    ],
)
def test_the_public_url_is_made_of_address_and_port_unless_it_is_given(flags, origin, secure):
    settings = read(flags)
    assert (settings.origin, settings.secure) == (origin, secure)


def test_a_free_port_is_in_the_public_url_once_it_is_known():
    assert read({"port": "0"}).listening_on(4711).public_url == "http://127.0.0.1:4711"
    settings = read({"port": "0", "public-url": "https://shop.example"}).listening_on(4711)
    assert (settings.port, settings.public_url) == (4711, "https://shop.example")


def test_pages_of_our_own_and_of_the_allowed_origins_may_connect():
    settings = read({"allowed-origins": "https://a.example,https://a.example,"})
    assert settings.origins == ("http://127.0.0.1:8080", "https://a.example")


def test_only_the_listed_proxies_are_believed():
    settings = read({"trusted-proxies": "10.0.0.0/8, 192.0.2.1,2001:db8::/32"})
    for address in ("10.1.2.3", "192.0.2.1", "2001:db8::1", "::ffff:10.1.2.3"):
        assert settings.trusts(address)
    for address in ("192.0.2.2", "127.0.0.1", "::1", "", "unix:"):
        assert not settings.trusts(address)


# --- Secrets that we keep -----------------------------------------------------------------------


def test_secrets_are_made_once_for_the_owner_s_eyes_only(tmp_path):
    directory = tmp_path / "new" / "data"
    settings = Settings(data_dir=directory).with_secrets()
    assert len(settings.secret) >= 32
    assert len(settings.identity_secret) >= 32
    assert settings.secret != settings.identity_secret
    assert Settings(data_dir=directory).with_secrets() == settings
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in directory.iterdir()) == ["identity-secret", "secret"]
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_given_secrets_need_no_directory(tmp_path):
    directory = tmp_path / "data"
    given = Settings(data_dir=directory, secret=SECRET, identity_secret=OTHER_SECRET)
    assert given.with_secrets() == given
    assert not directory.exists()


def test_first_starts_at_the_same_time_agree_on_the_secrets(tmp_path):
    for attempt in range(5):
        settings = Settings(data_dir=tmp_path / str(attempt))
        with ThreadPoolExecutor(8) as starts:
            made = set(starts.map(Settings.with_secrets, [settings] * 8))
        assert len(made) == 1


@pytest.mark.parametrize("text", ["", SECRET[:31], "x" * 40])
def test_a_kept_secret_is_checked_as_well(tmp_path, text):
    (tmp_path / "secret").write_text(text)
    with pytest.raises(SettingsError, match=r"secret .*Remove the file"):
        Settings(data_dir=tmp_path).with_secrets()


def test_a_kept_secret_may_not_be_the_other_one(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    with pytest.raises(SettingsError, match="same"):
        Settings(data_dir=tmp_path, identity_secret=SECRET).with_secrets()


def test_a_directory_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"\A[^\n]+ cannot be read or written: [^\n]+\.\Z"):
        Settings(data_dir=tmp_path / "file" / "data").with_secrets()


# --- The README ---------------------------------------------------------------------------------


def readme_rows():
    section = README.read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    return [
        tuple(re.sub(r"\A`(.*)`\Z", r"\1", cell.strip()) for cell in line.strip("|\n").split("|"))
        for line in section.splitlines()
        if re.match(r"\| `", line)
    ]


def test_the_readme_s_table_is_the_list_of_settings():
    assert readme_rows() == [
        (name_of(setting), default_of(setting), setting.metadata["help"])
        for setting in fields(Settings)
    ]


def test_names_in_the_environment_are_those_of_the_contract():
    by_name = {name_of(setting): variable_of(setting) for setting in fields(Settings)}
    assert by_name["data-dir"] == "SHOPBELL_DATA_DIR"
    assert len(by_name) == 14  # the contract has 13; retention-days came later
