"""The HTTP server before all doors, with bounds on what anybody may send, and how slowly.

Tornado's own are an hour for headers, no end for bodies, and 100 MB that it keeps in memory.
"""

from typing import Final

from tornado.httpserver import HTTPServer

from handlers.base import BODY_BYTES, Parts
from handlers.routes import application

HEADER_BYTES: Final = 16 * 1024
IDLE_SECONDS: Final = 60.0  # from the first byte of a request, or the end of the last one
BODY_SECONDS: Final = 30.0


def listener(
    parts: Parts, *, idle_seconds: float = IDLE_SECONDS, body_seconds: float = BODY_SECONDS
) -> HTTPServer:
    """A server that listens nowhere yet. Whose headers or body take longer is cut off."""
    return HTTPServer(
        application(parts),
        max_header_size=HEADER_BYTES,
        max_body_size=BODY_BYTES,  # what the doors count themselves, they refuse in words
        idle_connection_timeout=idle_seconds,
        body_timeout=body_seconds,
    )
