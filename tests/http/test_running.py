"""The real server.py, as a process of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "server.py"
PASSWORD = "correct horse battery"
SECONDS = 30  # for anything that a process has to do on a busy machine

pytestmark = pytest.mark.gen_test(timeout=2 * SECONDS)


def environment(**more):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))}
    return inherited | more


def run(*words, data_dir, stdin="", **more):
    """A command, and how it ended."""
    return subprocess.run(
        [sys.executable, SERVER, *words, f"--data-dir={data_dir}"],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=data_dir.parent,
        env=environment(**more),
        check=False,
    )


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_browser = urllib.request.build_opener(_StayHere)


def ask(url, form=None, **headers):
    """A request's status and headers, whatever the status is."""
    body = None if form is None else urllib.parse.urlencode(form).encode()
    try:
        with _browser.open(urllib.request.Request(url, body, headers), timeout=SECONDS) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


def status(url, **headers):
    return ask(url, **headers)[0]


def logged_in(url, seller_id, password):
    """The cookie of a seller; None if the server did not take the password."""
    answered, headers = ask(f"{url}/login", {"id": seller_id, "password": password})
    return headers["Set-Cookie"].partition(";")[0] if answered == 303 else None


class Running:
    """A server that is running; its standard error is read all the while, or it would block."""

    def __init__(self, *words, data_dir):
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, SERVER, *words, "--port=0", f"--data-dir={data_dir}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=data_dir.parent,
            env=environment(),
        )
        self.errors: list[str] = []
        self._reader = threading.Thread(target=self._read_errors)
        self._reader.start()
        self._limit = threading.Timer(SECONDS, self.process.kill)
        self._limit.start()
        self.ready = self.process.stdout.readline()
        self._limit.cancel()

    @property
    def url(self):
        return re.fullmatch(r"Shopbell is listening on (\S+)\n", self.ready)[1]

    def told(self, number):
        """Sends a signal, and returns the exit status, the rest of standard output, the seconds."""
        begun = time.monotonic()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, rest, time.monotonic() - begun

    def _read_errors(self):
        self.errors.extend(self.process.stderr or ())

    def end(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory):
    """A data directory with the seller Omar in it: the tests copy it, as making one takes long."""
    data_dir = tmp_path_factory.mktemp("shop") / "data"
    add = ("add-seller", "omar", "--name=Omar")
    done = run(*add, data_dir=data_dir, stdin=f"{PASSWORD}\n")
    assert (done.returncode, done.stderr) == (0, "")
    return data_dir


@pytest.fixture(scope="module")
def shop(provisioned, tmp_path_factory):
    """A server that is running all the while."""
    data_dir = shutil.copytree(provisioned, tmp_path_factory.mktemp("running") / "data")
    server = Running(data_dir=data_dir)
    yield server
    server.end()


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def start(data_dir):
    """Starts servers on a data directory of this test's own."""
    servers = []

    def starter(*words):
        servers.append(Running(*words, data_dir=data_dir))
        return servers[-1]

    yield starter
    for server in servers:
        server.end()


@pytest.fixture
def elsewhere(engine_uri, database_name):
    """Words for a server whose database need not be started first, which takes a second."""
    return f"--mongodb-uri={engine_uri}", f"--database={database_name}"


# --- What is asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--prot=8080",),
        ("--port=99999",),
        ("--port",),
        ("--demo=maybe",),
        ("--public-url=https://shop.example/chat",),
        ("--secret=short",),
        ("--address=999.1.1.1",),
        ("backup",),
        ("token", "b1", "--type=buyer"),
        ("add-seller", "o m", "--name=Omar"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2_and_nothing_is_started(give, data_dir, words):
    done = give(*words, data_dir=data_dir)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"server\.py: [^\n]+\n", done.stderr)
    assert not (data_dir / "engine").exists()


@pytest.mark.parametrize(
    "word", ["--address=203.0.113.7", "--mongodb-uri=mongodb://127.0.0.1:99999"]
)
def test_what_cannot_be_had_is_one_line_and_status_2(data_dir, word):
    done = run(word, "--port=0", data_dir=data_dir)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"server\.py: [^\n]+\n", done.stderr)
    assert not (data_dir / "engine").exists()


def test_the_environment_is_held_to_the_same_rules(data_dir):
    done = run(data_dir=data_dir, SHOPBELL_PROT="8080")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "server.py: 'SHOPBELL_PROT' is no setting. Did you mean SHOPBELL_PORT?\n"


def test_a_port_that_is_taken_is_one_line_and_nothing_is_started(data_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(f"--port={taken.getsockname()[1]}", data_dir=data_dir)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"server\.py: 127\.0\.0\.1, port \d+, [^\n]+\n", done.stderr)
    assert not data_dir.exists()


def test_a_reader_who_goes_away_gets_no_traceback(data_dir):
    """As of ``export … | head``."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, SERVER, "help", f"--data-dir={data_dir}"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        env=environment(),
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_is_printed_and_nothing_else_happens(data_dir):
    done = run("--help", data_dir=data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--allowed-origins" in done.stdout
    assert not data_dir.exists()


def test_a_token_needs_no_database(give, data_dir):
    done = give("token", "b1", "--type=Buyer", "--name=Maya", data_dir=data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)
    assert sorted(path.name for path in data_dir.iterdir()) == ["identity-secret", "secret"]


def test_no_seller_gets_a_guest_s_token(give, data_dir):
    done = give("token", "guest-1", "--type=Seller", data_dir=data_dir)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "server.py: No seller may have this ID.\n"


# --- Its life -----------------------------------------------------------------------------------


def test_it_says_one_line_serves_and_stops_politely(provisioned, start, data_dir):
    shutil.copytree(provisioned, data_dir)
    server = start("--log-format=json")
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+", server.url)
    assert [status(f"{server.url}/{door}") for door in ("healthz", "readyz", "metrics")] == [
        200
    ] * 3
    ended, rest, seconds = server.told(signal.SIGTERM)
    assert (ended, rest) == (0, "")
    assert seconds < 10
    lines = [json.loads(line) for line in server.errors]
    assert lines
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {line["level"] for line in lines} <= {"INFO", "WARNING"}
    assert oct(data_dir.stat().st_mode)[-3:] == "700"


def test_it_stops_politely_at_the_keyboard_s_interrupt(start, elsewhere):
    ended, rest, seconds = start(*elsewhere).told(signal.SIGINT)
    assert (ended, rest) == (0, "")
    assert seconds < 10


def test_a_second_signal_ends_it_at_once(start, elsewhere):
    server = start(*elsewhere)
    os.kill(server.process.pid, signal.SIGSTOP)  # so that both are there when it looks
    os.kill(server.process.pid, signal.SIGTERM)
    os.kill(server.process.pid, signal.SIGINT)
    assert server.told(signal.SIGCONT)[0] == 1


def test_the_demo_tells_its_links_and_its_password_on_standard_error_once(start, elsewhere):
    server = start("--demo", *elsewhere)
    told = "".join(server.errors)
    assert f"{server.url}/chat/demo-seller" in told
    password = re.search(r"password: (\S+)", told)[1]
    assert logged_in(server.url, "demo-seller", password)
    assert status(f"{server.url}/") == 200
    assert server.told(signal.SIGTERM)[:2] == (0, "")
    again = start("--demo", *elsewhere)
    told = again.told(signal.SIGTERM) and "".join(again.errors)
    assert "password: " not in told
    assert "set-password demo-seller" in told


def test_two_servers_do_not_share_a_directory(shop):
    done = run("--port=0", data_dir=shop.data_dir)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"server\.py: [^\n]+ in use by process \d+\.\n", done.stderr)


# --- Commands while it runs ---------------------------------------------------------------------


def test_a_seller_from_before_the_start_is_known_while_it_runs(give, shop):
    add = ("add-seller", "omar", "--name=Omar")
    again = give(*add, data_dir=shop.data_dir, stdin=f"{PASSWORD}\n")
    told = "server.py: A seller with this ID exists already.\n"
    assert (again.returncode, again.stderr) == (1, told)


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("add-seller", "noor", "--name=Noor", "--email=n@shop.example"), PASSWORD),
        (("set-password", "omar"), "a better battery\r\n"),
        (("disable-seller", "omar"), ""),
        (("enable-seller", "omar"), ""),
    ],
)
def test_sellers_are_made_and_changed_while_it_runs(give, shop, words, stdin):
    done = give(*words, data_dir=shop.data_dir, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_seller_comes_in_as_soon_as_added_and_goes_as_soon_as_disabled(give, shop):
    add = ("add-seller", "rosa", "--name=Rosa")
    assert give(*add, data_dir=shop.data_dir, stdin=PASSWORD).returncode == 0
    cookie = logged_in(shop.url, "rosa", PASSWORD)
    assert status(f"{shop.url}/api/conversations", Cookie=cookie) == 200
    assert give("disable-seller", "rosa", data_dir=shop.data_dir).returncode == 0
    limit = time.monotonic() + 5
    while status(f"{shop.url}/api/conversations", Cookie=cookie) != 401:
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert logged_in(shop.url, "rosa", PASSWORD) is None


@pytest.mark.parametrize("stdin", ["", "short\n", "\n" + PASSWORD, "x" * 129])
def test_a_password_that_may_not_be_is_refused(give, data_dir, stdin):
    done = give("add-seller", "omar", "--name=Omar", data_dir=data_dir, stdin=stdin)
    told = "server.py: A password has 12 to 128 characters.\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert not data_dir.exists()


def test_check_finds_nothing_where_all_is_well(give, shop):
    done = give("check", f"--port={shop.url.rpartition(':')[2]}", data_dir=shop.data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    told = "Settings, database, clock and the way from browsers are as they should be.\n"
    assert done.stdout == told


def test_check_says_in_words_what_is_wrong(give, data_dir, monkeypatch):
    monkeypatch.setattr("models.store_connection.OPERATION_MILLISECONDS", 500)
    data_dir.mkdir(mode=0o755)
    words = ("check", "--address=0.0.0.0", "--mongodb-uri=mongodb://127.0.0.1:1")
    done = give(*words, data_dir=data_dir)
    assert done.returncode == 1
    assert [
        re.search(r"https|open to others|does not answer", line)[0]
        for line in done.stdout.splitlines()
    ] == ["https", "open to others", "does not answer"]
