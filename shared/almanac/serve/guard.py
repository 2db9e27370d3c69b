"""Who may read the pages: the address, the Host header, the token, and the headers of an answer."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

from flask import Request, Response, redirect
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from almanac.errors import InputError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TOKEN = re.compile(r"[A-Za-z0-9_~.-]{16,200}")
COOKIE_SECONDS = 12 * 3600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Guard:
    """The checks of each request. host: where the server listens; token: None on the loopback."""

    host: str
    token: str | None

    def check(self, request: Request) -> AnyResponse | None:
        """Return an answer in place of the page, None to go on; raise Forbidden or Unauthorized.

        The Host header must name this machine: a page of another site that has its own name
        resolved to this address (DNS rebinding) does not.
        """
        if not self._knows(_hostname(request.host)):
            raise Forbidden("This address is not the one that almanac serve printed.")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin not in (None, f"http://{request.host}"):
            raise Forbidden("Another site asked for this.")
        if self.token is None:
            return None
        cookie = f"almanac_{request.environ.get('SERVER_PORT', '')}"
        given = request.args.get("token")
        if given is not None and self._matches(given) and request.method == "GET":
            answer = redirect(request.path, 303)
            answer.set_cookie(
                cookie, given, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax", path="/"
            )
            return answer
        if not self._matches(request.cookies.get(cookie, "")):
            raise Unauthorized("Open the whole address that almanac serve printed, with its token.")
        return None

    def _matches(self, given: str) -> bool:
        """Return whether a token is the right one, in a time that does not depend on it."""
        return hmac.compare_digest(given.encode(errors="replace"), (self.token or "").encode())

    def _knows(self, name: str) -> bool:
        if is_loopback(self.host):
            return name in LOOPBACK or name == self.host
        # a name that another site's owner chose is no number
        return _is_address(name) or name in {self.host.lower(), "localhost", _machine()}


def guard_of(host: str | None, token: str | None) -> Guard:
    """Return the guard for the options; raise InputError for a token that can be guessed.

    Away from the loopback there is always a token, a random one unless it is given.
    """
    host = host or "127.0.0.1"
    if token is not None and not TOKEN.fullmatch(token):
        raise InputError(
            f"--token: found {len(token)} characters; expected 16 to 200 letters, digits, "
            "or - _ . ~"
        )
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(32)
    return Guard(host, token)


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def with_headers(response: Response) -> Response:
    """Add what keeps other sites, and other resources, away from a page."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cache-Control"] = "no-store"  # names and addresses of contacts
    return response


def _hostname(host: str) -> str:
    """Return a Host header without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _machine() -> str:
    return socket.gethostname().lower()
