"""S28, S29, C28: what a first start makes, and who on the same machine gets at it.

How the files are made is tested in ``unit/test_data_dir.py``, what a secret may be in
``unit/test_settings.py``, what is asked of the engine in ``store/test_engine.py``.
"""

import asyncio
import base64
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

import bson
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from models.engine_home import EngineHome
from models.settings import Settings
from models.tokens import Tokens
from tests.caller import call
from tests.chaos.processes import ROOT
from tests.refusals.doors import PASSWORD

SECONDS = 40  # for what processes do on a busy machine
SECRET_BITS = 256

pytestmark = pytest.mark.gen_test(timeout=2 * SECONDS)


async def run(data_dir, *words, **environment):
    """Starts the real program, as if from a shell without any mask on what it makes."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))}
    return await asyncio.create_subprocess_exec(
        *[sys.executable, str(ROOT / "server.py"), *words, f"--data-dir={data_dir}"],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited | environment,
        umask=0,
    )


async def ended(process):
    """Exit status, standard output and standard error."""
    async with asyncio.timeout(SECONDS):
        out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


def kept(data_dir):
    """The two secrets of a data directory."""
    return [(data_dir / name).read_text() for name in ("secret", "identity-secret")]


def open_to_others(directory):
    """What somebody else on this machine may look at or change."""
    paths = [directory, *directory.rglob("*")]
    return [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077]


# --- S28: the first start -------------------------------------------------------------------------


async def test_s28_first_starts_at_once_agree_on_secrets_that_nobody_else_reads(tmp_path):
    """Two processes, neither of which waits for the other, and no umask that would help.

    Fails when ``kept_once`` writes the file in its place, or ``data_dir.FILE_MODE`` is 0644."""
    data_dir = tmp_path / "data"
    words = ("token", "omar", "--type=Seller")
    starts = [await run(data_dir, *words) for _ in range(2)]
    ends = await asyncio.gather(*(ended(start) for start in starts))
    assert [status for status, _, _ in ends] == [0] * 2, ends
    reader = Tokens(*kept(data_dir))
    assert len({reader.read(token.strip()).session for _, token, _ in ends}) == 2
    assert open_to_others(data_dir) == []
    assert sorted(path.name for path in data_dir.iterdir()) == ["identity-secret", "secret"]


def test_s28_c28_what_is_made_is_as_long_as_the_hash_and_never_the_same(tmp_path):
    """C28: Zulip CVE-2021-43799 had a weak secret. Fails when fewer random bytes are taken."""
    made = []
    for number in range(20):
        settings = Settings(data_dir=tmp_path / str(number)).with_secrets()
        home = EngineHome(tmp_path / str(number))
        home.prepare()
        home.make_secrets()
        made += [settings.secret, settings.identity_secret, home.read_password()]
    assert len(set(made)) == len(made)
    for text in made:
        assert len(base64.urlsafe_b64decode(text + "=")) * 8 >= SECRET_BITS


async def test_s28_a_secret_of_an_example_is_refused_and_not_repeated(tmp_path):
    """Given by the environment, where a container's example would put it."""
    example = "change-me-change-me-change-me-change-me"
    status, out, errors = await ended(await run(tmp_path / "data", SHOPBELL_SECRET=example))
    assert (status, out) == (2, "")
    assert "SHOPBELL_SECRET" in errors
    assert example not in errors
    assert not (tmp_path / "data").exists()


async def test_s28_nobody_comes_in_with_what_everybody_knows(serve):
    """No default seller, and no default password of one."""
    server = await serve(rate_limits="off")
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    for id_, password in (
        ("admin", "admin"),
        ("admin", "password"),
        ("root", ""),
        ("shopbell", "shopbell"),
        ("demo-seller", "demo-seller"),
        ("demo-seller", "demo"),
        ("omar", "omar"),
        ("omar", "password1234"),
    ):
        form = {"id": id_, "password": password}
        assert (await call(server, "POST", "/login", form=form)).status == 401, id_


# --- S29: the embedded engine ---------------------------------------------------------------------

# MongoDB's manual, "Database Commands", and what else has been found open elsewhere.
COMMANDS = """
    aggregate count distinct mapReduce find insert update delete findAndModify getMore bulkWrite
    killCursors create createIndexes drop dropDatabase dropIndexes listCollections listDatabases
    listIndexes renameCollection collMod compact validate dbHash cloneCollectionAsCapped
    createUser updateUser dropUser dropAllUsersFromDatabase usersInfo grantRolesToUser
    revokeRolesFromUser createRole updateRole dropRole rolesInfo grantPrivilegesToRole
    connectionStatus logout getParameter setParameter getCmdLineOpts getLog hostInfo serverStatus
    dbStats collStats top currentOp killOp shutdown fsync fsyncUnlock logRotate profile
    replSetGetStatus replSetGetConfig replSetInitiate replSetStepDown applyOps startSession
    refreshSessions killAllSessions abortTransaction commitTransaction eval group copydb
    configureFailPoint explain listCommands features lockInfo rotateCertificates connPoolStats
"""
HANDSHAKE = ["hello", "isMaster", "ping", "buildInfo", "whatsmyuri"]
UNAUTHORIZED, NO_SUCH_COMMAND = 13, 59


@pytest.fixture
def port(engine_uri):
    """The embedded engine's port, which anybody on this machine can find."""
    if os.environ.get("MONGODB_URI"):
        pytest.skip("this database is somebody else's to close")
    return urlsplit(engine_uri).port


def test_s29_who_does_not_say_who_they_are_is_refused_every_command(port):
    """Fails when the engine is started without ``--auth``."""
    with MongoClient("127.0.0.1", port, directConnection=True) as stranger:
        for database in ("admin", "shopbell", "local", "config"):
            for command in COMMANDS.split():
                with pytest.raises(OperationFailure) as refused:
                    stranger[database].command(command, "participants")
                code = refused.value.code
                assert code in {UNAUTHORIZED, NO_SUCH_COMMAND}, (database, command, refused.value)
        told = [stranger.admin.command(command) for command in HANDSHAKE]
    assert "shopbell" not in str(told)
    assert "/" + "data" not in str(told)


@pytest.mark.parametrize(
    "login",
    [
        {"username": "shopbell", "password": "shopbell"},
        {"username": "root", "password": "root"},
        {"username": "shopbell", "password": "x" * 43, "authMechanism": "SCRAM-SHA-256"},
        {
            "username": "shopbell",
            "password": "x",
            "authMechanism": "PLAIN",
            "authSource": "$external",
        },
    ],
)
def test_s29_a_guess_is_refused(port, login):
    with (
        pytest.raises(PyMongoError, match="(?i)auth|mechanism|password"),
        MongoClient("127.0.0.1", port, directConnection=True, **login) as stranger,
    ):
        stranger.shopbell.participants.find_one()


def test_s29_the_old_messages_of_the_protocol_are_no_detour(port):
    """OP_QUERY and OP_INSERT, from before there was a command for everything: MongoDB's wire
    protocol, "Legacy Opcodes". What comes back holds no document, if anything does."""
    query = struct.pack("<i", 0) + b"shopbell.participants\0" + struct.pack("<ii", 0, 100)
    inserted = struct.pack("<i", 0) + b"shopbell.participants\0" + bson.encode({"_id": "Seller:x"})
    for opcode, body in ((2004, query + bson.encode({})), (2002, inserted)):
        with socket.create_connection(("127.0.0.1", port), timeout=2) as stranger:
            stranger.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, opcode) + body)
            try:
                answer = stranger.recv(65536)
            except TimeoutError:
                answer = b""
        assert b"Seller:" not in answer
        assert b"password_hash" not in answer


# --- C28: what listens, and what others on the machine can read -----------------------------------


def sockets_of(pid):
    """The inodes of the sockets that a process holds."""
    files = Path(f"/proc/{pid}/fd").iterdir()
    links = [str(file.readlink()) for file in files if file.is_symlink()]
    return {link[8:-1] for link in links if link.startswith("socket:")}


def listening(pids):
    """Where these processes listen: addresses of any family, as Linux tells them."""
    own = set.union(*map(sockets_of, pids))
    found = []
    for family in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
            words = line.split()
            is_listening = words[3] == "0A" or family.startswith("udp")
            if is_listening and words[9] in own:
                found.append((family, words[1].rpartition(":")[0]))
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if words[6] in own and words[3] == "00010000":  # it accepts connections
            found.append(("unix", words[-1]))
    return found


async def first_line(process):
    """What a process says first; nothing, if it ends before."""
    async with asyncio.timeout(SECONDS):
        return (await process.stdout.readline()).decode()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_s28_s29_c28_two_first_starts_leave_one_server_closed_to_others(tmp_path):
    """C28: Zulip CVE-2021-43799 had its broker's port open to the network.

    The one that was second says so in a line. Of the first: two sockets listen, both on loopback;
    nothing in its directory can be read by others; no secret stands on a command line. Fails when
    the engine's ``--host`` is 0.0.0.0, or its umask is 022."""
    data_dir = tmp_path / "data"
    starts = [await run(data_dir, "--port=0") for _ in range(2)]
    try:
        lines = await asyncio.gather(*map(first_line, starts))
        assert sorted(map(bool, lines)) == [False, True], lines
        loser, winner = (starts[lines.index("")], starts[1 - lines.index("")])
        status, _, errors = await ended(loser)
        assert status == 1
        assert "in use by process" in errors
        assert "Traceback" not in errors

        children = Path(f"/proc/{winner.pid}/task/{winner.pid}/children").read_text().split()
        pids = [str(winner.pid), *children]
        assert len(pids) == 2
        assert listening(pids) == [("tcp", "0100007F")] * 2
        assert open_to_others(data_dir) == []
        secrets = [*kept(data_dir), EngineHome(data_dir).read_password()]
        for pid in pids:
            words = Path(f"/proc/{pid}/cmdline").read_text()
            assert not any(secret.strip() in words for secret in secrets)
    finally:
        for start in starts:
            if start.returncode is None:
                start.send_signal(signal.SIGTERM)
                await ended(start)
