import shutil
from datetime import UTC, datetime, timedelta

import pytest

from models import checks
from models.settings import read_settings
from models.store import Greeting

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WELL = Greeting(wire_version=21, is_replica_set=True, clock=NOW)


def settings(tmp_path, **flags):
    return read_settings({"data-dir": str(tmp_path / "data"), **flags}, {})


def test_a_shop_on_loopback_with_fresh_secrets_is_well(tmp_path):
    well = settings(tmp_path)
    assert checks.faults_of_settings(well) == []
    well.with_secrets()
    assert checks.faults_of_settings(well) == []
    assert checks.faults_of_program() == []


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ({"address": "0.0.0.0"}, "without https"),
        ({"address": "::"}, "without https"),
        ({"address": "shop.example"}, "without https"),
        ({"public-url": "http://shop.example"}, "is without https"),
        ({"public-url": "https://shop.example"}, "trusted-proxies is empty"),
    ],
)
def test_a_shop_open_to_the_network_is_told(tmp_path, flags, word):
    (fault,) = checks.faults_of_settings(settings(tmp_path, **flags))
    assert word in fault


@pytest.mark.parametrize(
    "flags",
    [
        {"address": "localhost"},
        {"address": "127.0.0.2"},
        {"address": "::1"},
        {"public-url": "https://shop.example", "trusted-proxies": "127.0.0.1"},
    ],
)
def test_a_shop_behind_a_proxy_or_at_home_is_not(tmp_path, flags):
    assert checks.faults_of_settings(settings(tmp_path, **flags)) == []


@pytest.mark.parametrize("name", ["", "secret", "identity-secret"])
def test_files_that_others_may_read_are_told(tmp_path, name):
    made = settings(tmp_path).with_secrets()
    (made.data_dir / name).chmod(0o755)
    (fault,) = checks.faults_of_settings(made)
    assert str(made.data_dir / name) in fault
    assert "open to others" in fault


def test_a_kept_secret_that_is_too_short_is_told(tmp_path):
    asked = settings(tmp_path)
    asked.with_secrets()
    (asked.data_dir / "secret").write_text("short")
    (fault,) = checks.faults_of_settings(asked)
    assert "at least 32 characters" in fault


def test_checking_makes_nothing(tmp_path):
    checks.faults_of_settings(settings(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full_is_told(tmp_path, monkeypatch):
    asked = settings(tmp_path).with_secrets()
    usage = shutil._ntuple_diskusage(100 * 1024**3, 99 * 1024**3, 900 * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (fault,) = checks.faults_of_settings(asked)
    assert "900 MiB are left" in fault


def test_a_clock_that_was_never_set_is_told():
    assert checks.faults_of_clock(NOW) == []
    assert checks.faults_of_clock(datetime(1970, 1, 1, tzinfo=UTC)) != []


def test_a_database_that_is_well_has_no_faults():
    assert checks.faults_of_greeting(WELL, NOW, NOW, is_embedded=False) == []
    assert checks.faults_of_greeting(WELL, None, NOW, is_embedded=True) == []


@pytest.mark.parametrize(
    ("greeting", "newest", "word"),
    [
        (Greeting(13, True, NOW), None, "older than MongoDB 6"),
        (Greeting(21, False, NOW), None, "a replica set or Atlas is needed."),
        (Greeting(25, False, NOW), None, "lose acknowledged messages"),
        (Greeting(21, True, NOW - timedelta(minutes=2)), None, "differ by 120 seconds"),
        (Greeting(21, True, NOW), NOW + timedelta(hours=1), "behind what is stored"),
    ],
)
def test_a_database_that_is_not_says_why(greeting, newest, word):
    (fault,) = checks.faults_of_greeting(greeting, newest, NOW, is_embedded=False)
    assert word in fault
