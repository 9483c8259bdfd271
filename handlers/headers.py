"""What every answer tells browsers, whatever it is: a page, a call's answer, a file, a refusal."""

from typing import Final

from tornado import web

GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # Nothing at all; pages allow what they need.
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
# Left out on plain http, where browsers ignore it (RFC 6797 section 8.1).
HTTPS_ONLY: Final = "max-age=31536000"


def guard(door: web.RequestHandler, *, secure: bool) -> None:
    """Sets them; ``secure`` is whether browsers come over https. Doors may then allow more."""
    door.clear_header("Server")
    for name, value in GUARDS.items():
        door.set_header(name, value)
    if secure:
        door.set_header("Strict-Transport-Security", HTTPS_ONLY)
