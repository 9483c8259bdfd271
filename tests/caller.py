"""An outsider's HTTP calls."""

import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import HTTPHeaders

SECONDS = 10  # how long an answer may take before a test gives up on it


@dataclass(frozen=True)
class Answer:
    """What came back; ``body`` is decoded where it is JSON."""

    status: int
    headers: HTTPHeaders
    body: Any

    @property
    def session(self) -> str | None:
        """The token that the cookie of the session was set to."""
        cookies = SimpleCookie(self.headers.get("Set-Cookie", ""))
        return cookies["shopbell_session"].value if "shopbell_session" in cookies else None

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the code of an error in the one envelope."""
        assert self.body.keys() == {"error"}, self.body
        error = self.body["error"]
        assert error.keys() <= {"code", "message", "field", "retry_after"}
        assert error["message"]
        return self.status, error["code"]


async def call(
    server: Any,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    cookie: str | None = None,
    form: dict[str, str] | None = None,
    raw: str | bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Calls one address. A ``body`` is sent as JSON, a ``form`` as one, ``raw`` as it stands.

    No redirect is followed.
    ``token`` goes into the header, ``cookie`` into the cookie of the session.
    """
    sent = dict(headers or {})
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    if cookie is not None:
        sent["Cookie"] = f"shopbell_session={cookie}"
    if body is not None:
        raw = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    if form is not None:
        raw = urlencode(form)
        sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
    request = HTTPRequest(
        server.url + path,
        method=method,
        headers=sent,
        body=raw,
        follow_redirects=False,
        allow_nonstandard_methods=True,
        request_timeout=SECONDS,
    )
    client = AsyncHTTPClient(force_instance=True)
    try:
        answer = await client.fetch(request, raise_error=False)
    finally:
        client.close()
    if answer.code == 599:
        raise answer.error or TimeoutError
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    text = answer.body.decode(errors="replace")  # a picture is no text
    return Answer(answer.code, answer.headers, json.loads(text) if is_json and text else text)
