"""The cast, each on a socket: Maya buys, Omar sells, Lena is a stranger."""

import pytest

from tests.sockets.client import Client, spoken


@pytest.fixture
def connect(open_socket):
    """Opens a socket for somebody: ``await connect(server, "Buyer", "maya")``."""

    async def connect(server, type_="Buyer", id_="maya", name="", *, token=None, headers=None):
        token = token or server.token(type_, id_, name)
        socket = await open_socket(f"{server.url}/ws", subprotocols=spoken(token), headers=headers)
        return Client(socket, type_, id_)

    return connect


@pytest.fixture
def join(connect):
    """Opens a socket and registers it: ``await join(server, "Buyer", "maya", seller_id="omar")``.

    What it was answered is its ``ack``; the ``online_users`` that follow are taken as well.
    """

    async def join(server, type_="Buyer", id_="maya", name="", *, token=None, **data):
        client = await connect(server, type_, id_, name, token=token)
        client.ack = await client.ask("register_user", data)
        await client.hear("online_users")
        return client

    return join


@pytest.fixture
async def maya(server, join):
    return await join(server, "Buyer", "maya", "Maya")


@pytest.fixture
async def omar(server, join):
    return await join(server, "Seller", "omar", "Omar")


@pytest.fixture
async def lena(server, join):
    return await join(server, "Buyer", "lena", "Lena")
