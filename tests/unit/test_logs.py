import io
import json
import logging
import time

import pytest

from models import logs

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiMSJ9.c2lnbmF0dXJl"


@pytest.fixture
def written():
    """What a logger of the tests writes, in the format that is asked for."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()

    def write(log_format, *arguments, **options):
        logs.set_up(log_format, stream=stream)
        logging.getLogger("shopbell.test").info(*arguments, **options)
        return stream.getvalue()

    yield write
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def test_an_event_is_one_line(written):
    line = written("text", "%s came in", "Maya", extra={"status": 200})
    assert line.endswith("Z INFO shopbell.test: Maya came in status=200\n")
    assert line[:2] == "20"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\x85b", "a\u202eb", "a\ud800b", "a\x00b", "\x7f"],
)
def test_no_name_breaks_out_of_its_line(written, log_format, name):
    text = written(log_format, "%s came in", name, extra={"agent": name})
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert text.encode()


def test_a_traceback_stays_in_its_line(written):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        text = written("text", "It failed.", exc_info=True)
    assert text.count("\n") == 1
    assert r"ValueError: two\nlines" in text


def test_json_is_one_object_a_line(written):
    line = json.loads(written("json", "%s\n", "Maya", extra={"status": 200}))
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "shopbell.test",
        "message": "Maya\n",
        "status": 200,
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_tokens_and_passwords_in_addresses_do_not_get_out(written, log_format):
    said = f"GET /ws?token={TOKEN} mongodb://shopbell:pass-word@127.0.0.1/"
    text = written(log_format, said, extra={"cookie": f"shopbell_session={TOKEN}"})
    assert "pass-word" not in text
    assert not any(part in text for part in TOKEN.split(".") if part)
    assert text.count("[secret]") == 3


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("piece", ["x", "🛎", "\x00", '"'])
def test_a_line_has_8_kib_at_most_whatever_is_in_it(written, log_format, piece):
    """O6. Fails when characters are counted, or each value by itself."""
    extra = {"who": piece * 9_000, "agent": piece * 9_000}
    line = written(log_format, piece * 9_000, extra=extra)
    assert len(line.encode()) <= 8 * 1024 + 1
    if log_format == "json":
        assert json.loads(line).keys() >= {"time", "level", "logger", "message", *extra}


def test_what_clients_cause_at_will_is_told_now_and_then():
    """O6. Fails when each malformed request is a line."""
    now = [0.0]
    sparing = logs.Sparing(now=lambda: now[0])

    def record(name, text):
        return logging.LogRecord(name, logging.INFO, "", 0, text, ("198.51.100.7",), None)

    told = [record("tornado.general", "Malformed HTTP message from %s") for _ in range(100)]
    assert [sparing.filter(one) for one in told] == [True] + 99 * [False]
    assert sparing.filter(record("tornado.general", "Timeout reading body from %s"))
    assert all(sparing.filter(record("shopbell.http", "GET /")) for _ in range(3))
    now[0] += logs.SPARING_SECONDS
    again = record("tornado.general", "Malformed HTTP message from %s")
    assert sparing.filter(again)
    assert again.left_out == 99


@pytest.mark.parametrize("piece", ["eyJ", "x", "://", "\n", "eyJaaaa-"])
def test_a_long_line_is_cut_and_costs_little(written, piece):
    begun = time.thread_time()  # what others do on this machine does not count
    text = written("text", piece * 200_000)
    assert time.thread_time() - begun < 2
    assert len(text) <= 8 * 1024 + 1
