"""The page's files, served from the package."""

from __future__ import annotations

import re
from importlib import resources

from aiohttp import web

from sysop.workspace.guard import Guard

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.(css|js|svg)")


class Assets:
    """Serves one HTML file to who has the token, and its styles and modules to any page of ours."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._folder = resources.files("sysop.workspace") / "page"

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/", self._page), web.get("/{name:[^/]+}", self._asset)]

    async def _page(self, request: web.Request) -> web.Response:
        if not self._guard.opens_page(request):
            return web.Response(status=401, text="Open the address that was printed at the start: it has the token.")
        index = self._folder / "index.html"
        if not index.is_file():
            return web.Response(status=404, text="The page is not part of this installation.")
        response = web.Response(text=index.read_text("utf-8"), content_type="text/html")
        name, value = self._guard.cookie
        response.set_cookie(name, value, httponly=True, samesite="Strict", path="/")
        return response

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        match = _NAME.fullmatch(name)
        file = self._folder / name
        if match is None or not file.is_file():
            return web.Response(status=404, text="not found")
        return web.Response(text=file.read_text("utf-8"), content_type=TYPES[match[2]])
