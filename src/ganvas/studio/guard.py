"""Who may ask: Host and Origin are checked, a token where there is one; and the headers of every answer.

A page elsewhere can make a browser send requests to this machine, or have its own name point here (DNS rebinding).
So the Host must be a name of this machine, and what a page of another origin sends is refused.
"""

from __future__ import annotations

import hmac
import logging
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.studio.problems import ProblemError
from ganvas.studio.settings import Settings, is_loopback

log = logging.getLogger(__name__)
CSP = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OPEN = ("/healthz",)


class Guard:
    """ASGI middleware around the whole studio."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.token
        # Browsers send cookies to every port of a host.
        self._cookie = f"ganvas-{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if (page := self._admission(scope)) is not None:
                await page(scope, receive, answer)
                return
            self._check(scope)
            await self._app(scope, receive, answer)
        except ProblemError as problem:
            await problem.response()(scope, receive, answer)
        except Exception:
            log.exception("%s %r failed", scope["method"], scope["path"])  # %r: a path may hold codes for terminals
            if started:
                raise
            await ProblemError("unforeseen").response()(scope, receive, answer)

    def _admission(self, scope: Scope) -> RedirectResponse | None:
        """Where the address holds the token: a cookie instead, so that it stands in no history."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self._token is None or scope["path"] != "/" or not self._is_token(given):
            return None
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return response

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # With a token the name may be any, of a proxy for example: a page that has its name point here has no cookie.
        if self._token is None and not is_loopback(_name(host)):
            raise ProblemError("wrong-host", {"host": host})
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host.casefold():
            raise ProblemError("wrong-origin", {"origin": origin})
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _opens_the_page(scope, headers):
            raise ProblemError("cross-site")
        if self._token is not None and scope["path"] not in OPEN and not self._has_token(headers):
            raise ProblemError("token-needed")

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and self._is_token(bearer.strip()):
            return True
        # Cookies of other programs on this machine come along, and not all are such as Python's parser takes.
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(name == self._cookie and self._is_token(value) for name, _, value in cookies)

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _name(host: str) -> str:
    """``localhost:8765`` and ``[::1]:8765`` without the port."""
    return host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _place(origin: str) -> str | None:
    """Host and port of an origin; None of ``null`` and of what is none."""
    try:
        return urlsplit(origin).netloc.casefold() or None
    except ValueError:
        return None


def _opens_the_page(scope: Scope, headers: Headers) -> bool:
    """A link on a page elsewhere leads here, which does nothing."""
    return scope["method"] in ("GET", "HEAD") and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
