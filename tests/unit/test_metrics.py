import asyncio
import re
import time
import tomllib
from pathlib import Path

from models.errors import NotFound
from models.metrics import Metrics
from models.version import OLDEST, VERSION, too_old

PROJECT = Path(__file__).parents[2]


def value(metrics, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", metrics.text().decode(), re.MULTILINE)
    return found and float(found[1])


def test_what_happens_is_counted_by_outcome():
    metrics = Metrics()
    metrics.sent("acked", 0.003)
    metrics.sent("acked", 0.03)
    metrics.sent("refused", 0.001)
    assert value(metrics, 'shopbell_sends_total{outcome="acked"}') == 2
    assert value(metrics, 'shopbell_sends_total{outcome="refused"}') == 1
    assert value(metrics, 'shopbell_send_to_ack_seconds_bucket{le="0.005"}') == 1
    assert value(metrics, "shopbell_send_to_ack_seconds_count") == 2


def test_each_event_has_its_counter():
    metrics = Metrics()
    metrics.caught_up()
    metrics.reset()
    metrics.auth_failed("login")
    metrics.limited("logins:account")
    metrics.refused(NotFound("There is none."))
    metrics.asked_database("probe", 0.004)
    for name in (
        "catch_ups_total",
        "resets_total",
        'auth_failures_total{door="login"}',
        'limits_hit_total{rule="logins:account"}',
        'errors_total{code="not_found"}',
        'database_seconds_count{work="probe"}',
    ):
        assert value(metrics, f"shopbell_{name}") == 1


def test_a_client_s_own_close_codes_make_no_labels():
    metrics = Metrics()
    for code in (1013, 3000, 3001, 4000, None):
        metrics.closed(code)
    assert value(metrics, 'shopbell_sockets_closed_total{code="1013"}') == 1
    assert value(metrics, 'shopbell_sockets_closed_total{code="other"}') == 3
    assert value(metrics, 'shopbell_sockets_closed_total{code="1006"}') == 1


def test_values_are_read_when_somebody_looks():
    metrics = Metrics()
    sockets = [1, 2]
    metrics.read_from("sockets_open", lambda: len(sockets))
    assert value(metrics, "shopbell_sockets_open") == 2
    sockets.append(3)
    assert value(metrics, "shopbell_sockets_open") == 3


def test_the_process_and_the_build_are_described():
    metrics = Metrics()
    assert value(metrics, f'shopbell_build_info{{version="{VERSION}"}}') == 1
    assert value(metrics, "process_resident_memory_bytes") > 1e6
    assert value(metrics, "process_open_fds") > 2


async def test_a_blocked_loop_shows():
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch_lag())
    await asyncio.sleep(0.45)
    time.sleep(0.3)  # the fault that is to be seen
    async with asyncio.timeout(5):
        while not value(metrics, "shopbell_loop_lag_worst_seconds"):
            await asyncio.sleep(0.01)
    watching.cancel()
    assert value(metrics, "shopbell_loop_lag_worst_seconds") > 0.2
    assert value(metrics, "shopbell_tasks") >= 2


# --- The version --------------------------------------------------------------------------------


def test_the_version_is_the_project_s():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_what_is_pinned_is_not_refused():
    assert too_old() == []
    assert set(OLDEST) <= {
        line.partition("==")[0] for line in (PROJECT / "requirements.txt").read_text().split()
    }


def test_older_and_missing_libraries_are_named(monkeypatch):
    monkeypatch.setitem(OLDEST, "tornado", "6.10")
    monkeypatch.setitem(OLDEST, "no-such-library", "1")
    monkeypatch.setattr("models.version.OLDEST_PYTHON", (4, 0))
    tornado, missing, python = too_old()
    assert re.fullmatch(r"tornado 6\.\d+\.\d+; 6\.10 or newer is needed\.", tornado)
    assert missing == "no-such-library is missing; 1 or newer is needed."
    assert re.fullmatch(r"Python \S+; 4\.0 or newer is needed\.", python)
