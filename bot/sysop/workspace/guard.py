"""Who may talk to the workspace: this machine, by its name, and for the page and its door only who has the token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADER = "X-Workspace-Token"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Checks every request before anything else sees it."""

    def __init__(self, token: str, port: Callable[[], int]) -> None:
        self._token = token
        self._port = port

    @property
    def cookie(self) -> tuple[str, str]:
        """Return the cookie a page is reloaded with; it opens the page's code and nothing else."""
        return f"workspace-{self._port()}", hashlib.sha256(b"page:" + self._token.encode()).hexdigest()

    def middleware(self) -> Middleware:
        """Return the check as middleware."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if (reason := self._foreign(request)) is not None:
                return web.json_response({"ok": False, "error": reason}, status=403)
            if request.path.startswith("/_control/") and not self._knows(request):
                return web.json_response({"ok": False, "error": "invalid_token"}, status=401)
            response = await handler(request)
            if not response.prepared:
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
            return response

        return check

    def _foreign(self, request: web.Request) -> str | None:
        """Refuse other names for this machine (DNS rebinding) and pages from elsewhere."""
        hosts = {f"127.0.0.1:{self._port()}", f"localhost:{self._port()}"}
        if request.headers.get("Host") not in hosts:
            return "invalid_host"
        origin = request.headers.get("Origin")
        return "invalid_origin" if origin is not None and origin not in {f"http://{host}" for host in hosts} else None

    def _knows(self, request: web.Request) -> bool:
        given = request.headers.get(HEADER) or request.query.get("token", "")
        return self._same(given, self._token)

    def opens_page(self, request: web.Request) -> bool:
        """Tell whether a request for the page has the token, or the cookie of a page that had it."""
        name, value = self.cookie
        return self._knows(request) or self._same(request.cookies.get(name, ""), value)

    @staticmethod
    def _same(given: str, wanted: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
