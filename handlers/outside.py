"""How the doors look from outside: what ``check`` finds when it goes the way that browsers go.

It runs beside the server, with the same settings. Nothing is stored: one socket is opened and
closed again before it registers.
"""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketError, websocket_connect

from handlers.health import Health
from models.addresses import parsed
from models.checks import CLOCK_SLACK
from models.conversation import Participant
from models.settings import Settings
from models.tokens import Tokens

SECONDS: Final = 5.0  # for anything that is asked
TOKEN_SECONDS: Final = 60
CHECKER: Final = Participant("Buyer", "shopbell-check")
BUSY: Final = 429  # the server's own word: the way to it is fine


async def is_running(settings: Settings) -> bool:
    """Whether this shop's server answers where ``settings`` say that it listens."""
    if not settings.port:
        return False
    try:
        answer = await _ask(f"{_nearest(settings)}/healthz")
    except (OSError, HTTPClientError):
        return False
    health = _health(answer)
    return health is not None and health.instance == settings.instance


async def faults_from_outside(settings: Settings) -> list[str]:
    """What is wrong between browsers and this shop's server, which runs, in words."""
    origin = settings.origin
    try:
        answer = await _ask(f"{origin}/healthz")
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "it cannot be read"
        return [f"public-url {origin}: browsers will not take its certificate ({reason})."]
    except (OSError, HTTPClientError) as error:
        return [f"public-url {origin}: nobody answers there ({_reason(error)})."]
    health = _health(answer)
    if health is None or health.instance != settings.instance:
        return [_somebody_else(origin, answer, health)]
    faults = [_clock(answer), _proxy(settings, health), await _socket(settings)]
    return [fault for fault in faults if fault is not None]


def _somebody_else(origin: str, answer: HTTPResponse, health: Health | None) -> str:
    if health is not None:
        return f"public-url {origin}: another shop's server answers there, not this one."
    if where := answer.headers.get("Location"):
        return f"public-url {origin} leads on to {where}; give the address where that ends."
    if answer.code in {502, 503, 504}:
        return (
            f"public-url {origin}: the proxy there does not reach this server (it answers"
            f" {answer.code}); is it the address and port that the server listens on?"
        )
    return f"public-url {origin}: something else answers there (with {answer.code})."


def _clock(answer: HTTPResponse) -> str | None:
    try:
        told = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None
    off = abs(datetime.now(UTC) - told)
    if off <= CLOCK_SLACK + timedelta(seconds=SECONDS):
        return None
    return f"This machine's clock and the one at public-url differ by {off.total_seconds():.0f} s."


def _proxy(settings: Settings, health: Health) -> str | None:
    is_told = settings.secure and not settings.trusted_proxies  # by what looks at the settings
    if health.proxy == "untrusted" and not is_told:
        return (
            "A proxy forwards from public-url, and trusted-proxies does not name its address: all"
            " visitors count as one address, and share its limits."
        )
    if health.proxy == "none" and settings.secure:
        return (
            "The proxy at public-url sends no X-Forwarded-For: all visitors count as one address,"
            " and share its limits."
        )
    return None


async def _socket(settings: Settings) -> str | None:
    """Opens a WebSocket as a program does, with a token that ends in a minute, and asks something:
    some proxies pass the handshake on, and nothing after it."""
    tokens = Tokens(settings.secret, settings.identity_secret)
    token = tokens.issue(CHECKER, CHECKER.id, seconds=TOKEN_SECONDS)
    request = HTTPRequest(
        f"{settings.origin.replace('http', 'ws', 1)}/ws",
        headers={"Authorization": f"Bearer {token}"},
        connect_timeout=SECONDS,
        request_timeout=SECONDS,
    )
    try:
        socket = await websocket_connect(request)
        try:
            async with asyncio.timeout(SECONDS):
                await socket.write_message('{"event": "check", "id": 1}')
                answer = await socket.read_message()
        finally:
            socket.close()
    except HTTPClientError as error:
        if error.code == BUSY:
            return None
        return (
            f"public-url {settings.origin}: WebSockets do not come through ({_reason(error)}). The"
            " proxy has to speak HTTP/1.1 to the server, and to pass on Upgrade and Connection."
        )
    except (OSError, WebSocketError) as error:  # the latter: an answer that is no upgrade
        return f"public-url {settings.origin}: WebSockets do not come through ({_reason(error)})."
    if answer is None:
        return f"public-url {settings.origin}: WebSockets do not come through (they end at once)."
    return None


# --- Asking ---------------------------------------------------------------------------------------


async def _ask(url: str) -> HTTPResponse:
    """An answer, whatever it is. Raises ``OSError`` or ``HTTPClientError`` where none comes."""
    request = HTTPRequest(
        url, follow_redirects=False, connect_timeout=SECONDS, request_timeout=SECONDS
    )
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def _health(answer: HTTPResponse) -> Health | None:
    """What ``/healthz`` of a Shopbell says; None if it is something else that answers."""
    try:
        return msgspec.json.decode(answer.body, type=Health)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _nearest(settings: Settings) -> str:
    """Where it listens, as this machine reaches it: any address is also one's own."""
    address = parsed(settings.address)
    if address is None or not address.is_unspecified:
        return settings.listening_url
    nearest = "127.0.0.1" if address.version == 4 else "[::1]"
    return f"http://{nearest}:{settings.port}"


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPClientError):
        return "no answer in time" if error.code == 599 else f"the answer was {error.code}"
    return getattr(error, "strerror", None) or type(error).__name__
