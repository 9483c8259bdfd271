"""P6: an older copy of the data is put back under clients that have seen what came after it."""

import asyncio
import json
import os
import shutil
import signal

import pytest

from tests.caller import call
from tests.chaos.processes import ROOT, running
from tests.sockets.client import Client, spoken

SECONDS = 40  # for anything that has to come about on a busy machine

pytestmark = [pytest.mark.chaos, pytest.mark.gen_test(timeout=4 * SECONDS)]

# Maya's tab with the real client library: shows a conversation and loads it anew when told to. Each
# line is all that it shows.
TAB = """
import { RealtimeMessages } from "REALTIME";
const [url, token] = process.argv.slice(2);
let shown = new Map();
const say = () => console.log(JSON.stringify([...shown].sort(([a], [b]) => a - b)));
const realtime = new RealtimeMessages({ url, token, host: {}, random: () => 0 }); // soon back
realtime.onNewMessage(({ seq, message }) => { shown.set(seq, message); say(); });
realtime.onReset(async () => {
  const path = "/api/messages/conversation/omar/Seller?limit=100";
  const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${token}` } });
  const { messages } = await answer.json();
  shown = new Map(messages.map(({ seq, message }) => [seq, message]));
  say();
});
realtime.onRegistered(() => say());
realtime.connect();
"""


class Tab:
    """A Node process that shows Maya's conversation with Omar."""

    def __init__(self, process):
        self.process = process

    @classmethod
    async def opened(cls, server, directory):
        script = directory / "tab.mjs"
        library = (ROOT / "static/js/realtime.js").as_uri()
        script.write_text(TAB.replace("REALTIME", library))
        process = await asyncio.create_subprocess_exec(
            *["node", "--no-warnings", "--experimental-websocket", str(script)],
            *[server.url, server.token("Buyer", "maya")],
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def shows(self, texts):
        """Waits until it shows these, numbered from 1, and nothing else."""
        shown = None
        try:
            async with asyncio.timeout(SECONDS):
                while shown != [[seq, text] for seq, text in enumerate(texts, 1)]:
                    shown = json.loads(await self.process.stdout.readline())
        except TimeoutError:
            raise AssertionError(f"It shows {shown}") from None

    def signal(self, number):
        os.kill(self.process.pid, number)

    async def end(self):
        self.process.kill()
        await self.process.wait()


async def say(server, *texts):
    for text in texts:
        to = {"recipient_id": "maya", "recipient_type": "Buyer", "message": text}
        token = server.token("Seller", "omar")
        answer = await call(server, "POST", "/api/messages/send", to, token=token)
        assert answer.status == 201
    return answer.body["message"]["conversation_id"]


async def registered(server, open_socket, type_, id_, **data):
    token = spoken(server.token(type_, id_))
    client = Client(await open_socket(f"{server.url}/ws", subprotocols=token))
    await client.ask("register_user", data)
    return client


@pytest.mark.skipif(shutil.which("node") is None, reason="apt-get install nodejs")
async def test_an_older_copy_of_the_data_is_followed_by_every_client(tmp_path, open_socket):
    """One client is ahead of it and knows no epoch; one, the real library, was away until the copy
    had gone further and holds other messages in the same places.

    Fails when ``seq`` is not compared with the server's (the first waits for ever), and when the
    copy keeps the epoch (the second shows what was never said there).
    """
    data, older = tmp_path / "data", tmp_path / "older"
    async with running(data) as server:
        for type_, id_ in (("Buyer", "maya"), ("Seller", "omar")):
            await registered(server, open_socket, type_, id_)
        tab = await Tab.opened(server, tmp_path)
        try:
            await tab.shows([])
            room = await say(server, "one", "two")
            await tab.shows(["one", "two"])
            await server.stop()
            shutil.copytree(data, older)
            await server.start()
            await say(server, "three, lost", "four, lost")
            await tab.shows(["one", "two", "three, lost", "four, lost"])
            tab.signal(signal.SIGSTOP)
            await server.stop()
            shutil.rmtree(data)
            older.rename(data)
            await server.start()
            ahead = await registered(server, open_socket, "Buyer", "maya", since={room: 4})
            assert await ahead.hear("reset") == {"conversation_id": room}
            await say(server, "three", "four", "five")
            tab.signal(signal.SIGCONT)
            await tab.shows(["one", "two", "three", "four", "five"])
            await say(server, "and on")
            await tab.shows(["one", "two", "three", "four", "five", "and on"])
        finally:
            tab.signal(signal.SIGCONT)
            await tab.end()
