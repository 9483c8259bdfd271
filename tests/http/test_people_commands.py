"""S15: ``export`` and ``erase`` as people run them, beside a server that is running."""

import json
import time
import urllib.error
import urllib.request

import pytest

from models.conversation import Participant
from models.tokens import Tokens
from tests.http.test_running import SECONDS, Running

SECRET = "the secret that Maya told"
HEARD_SECONDS = 5  # CONTRACT section 2: so long a revocation may take

pytestmark = pytest.mark.gen_test(timeout=4 * SECONDS)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A server that runs all the while."""
    data_dir = tmp_path_factory.mktemp("people") / "data"
    server = Running(data_dir=data_dir)
    yield server
    server.end()


def ask(shop, path, token, body=None):
    """A call's status and answer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(shop.url + path, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def token(shop, id_, type_):
    """What introduces somebody, signed with the secrets of the data directory."""
    files = [shop.data_dir / name for name in ("secret", "identity-secret")]
    tokens = Tokens(*(file.read_text().strip() for file in files))
    return tokens.issue(Participant(type_, id_), id_.title(), seconds=3600)


def test_a_person_is_exported_and_erased_while_the_server_runs(give, shop):
    """Fails where the running server hears of nothing: their token is then good for ever."""
    add = ("add-seller", "omar", "--name=Omar", "--email=omar@private.example")
    assert give(*add, data_dir=shop.data_dir, stdin="correct horse battery\n").returncode == 0
    maya, omar = token(shop, "maya", "Buyer"), token(shop, "omar", "Seller")
    to_omar = {"recipient_id": "omar", "recipient_type": "Seller", "message": SECRET}
    assert ask(shop, "/api/messages/send", maya, to_omar)[0] == 201
    to_maya = {"recipient_id": "maya", "recipient_type": "Buyer", "message": "Hello Maya"}
    assert ask(shop, "/api/messages/send", omar, to_maya)[0] == 201

    printed = give("export", "maya", "--type=Buyer", data_dir=shop.data_dir)
    assert (printed.returncode, printed.stderr) == (0, "")
    found = json.loads(printed.stdout)
    assert found["person"]["name"] == "Maya"
    [conversation] = found["conversations"]
    assert [m["message"] for m in conversation["messages"]] == [SECRET, "Hello Maya"]
    assert "private.example" not in printed.stdout

    done = give("erase", "maya", "--type=Buyer", data_dir=shop.data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Buyer maya is erased.\n"
    limit = time.monotonic() + HEARD_SECONDS
    while ask(shop, "/api/messages/unread/count", maya)[0] != 401:
        assert time.monotonic() < limit, "the running server has heard of nothing"
        time.sleep(0.1)
    _, page = ask(shop, "/api/messages/conversation/maya/Buyer", omar)
    gone, kept = page["messages"]
    assert (gone["message"], gone["sender_name"]) == ("", None)
    assert gone["erased_at"]
    assert kept["message"] == "Hello Maya"
    again = give("erase", "maya", "--type=Buyer", data_dir=shop.data_dir)
    assert again.returncode == 0


@pytest.mark.parametrize("command", ["export", "erase"])
def test_of_a_stranger_one_line_is_said(give, shop, command):
    done = give(command, "nobody", "--type=Buyer", data_dir=shop.data_dir)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "server.py: Nothing is kept of Buyer nobody.\n"


def test_no_database_is_made_for_it(give, tmp_path):
    done = give("export", "maya", "--type=Buyer", data_dir=tmp_path / "data")
    assert done.returncode == 1
    assert not (tmp_path / "data").exists()
