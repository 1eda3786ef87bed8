"""The addresses files go to and come from, outside the Web API proper."""

from __future__ import annotations

from aiohttp import BodyPartReader, web

from sysop.workspace.methods.broken import unless_broken
from sysop.workspace.methods.files import MOST_BYTES
from sysop.workspace.state.world import World


class Uploads:
    """Takes the bytes of expected files, and gives them back to whoever holds the bot's token."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def take(self, request: web.Request) -> web.Response:
        """Keep a file whose length is what was announced."""
        return await unless_broken(self._world, request, "upload", lambda _: self._take(request))

    async def _take(self, request: web.Request) -> web.Response:
        ticket = request.match_info["ticket"]
        file = self._world.files.expected(ticket)
        if file is None:
            return self._say(404, "not_found", None)
        content = await _content(request)
        if len(content) != file.length:
            return self._say(400, f"length is {len(content)}, announced were {file.length}", file.id)
        file.content = content
        self._world.files.spend(ticket)
        return self._say(200, f"OK - {len(content)}", file.id)

    def _say(self, status: int, text: str, file_id: str | None) -> web.Response:
        self._world.log.add("upload", file=file_id, status=status, answer=text)
        return web.Response(status=status, text=text)

    async def give(self, request: web.Request) -> web.Response:
        """Return a file's bytes to the app."""
        app = self._world.app
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        file = self._world.files.get(request.match_info["file_id"])
        if scheme != "Bearer" or app.kind_of(token) != "bot" or app.revoked or "files:read" not in app.granted:
            return web.Response(status=403, text="files:read is needed")
        if file is None or file.content is None:
            return web.Response(status=404, text="no such file")
        return web.Response(body=file.content, content_type=file.mimetype)


async def _content(request: web.Request) -> bytes:
    """Return the raw body, or the one file of a form."""
    if request.content_type != "multipart/form-data":
        return await request.content.read(MOST_BYTES + 1)
    found = b""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader):
            found = bytes(await part.read(decode=True))
    return found
