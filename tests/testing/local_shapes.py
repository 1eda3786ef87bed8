"""A server with the control API of `local-slack`, over a workspace of ours: other acts, other field names, one pile of
modals, a socket for its page. Whatever it does not know it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from sysop.workspace import Workspace

Json = dict[str, Any]
PEOPLE = ("requester", "on-call", "lead", "guest", "external")


class Shapes:
    """Translates."""

    def __init__(self, workspace: Workspace, http: aiohttp.ClientSession) -> None:
        self._workspace = workspace
        self._http = http
        self._names = {id: name for name, id in workspace.users.items()}

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/_control/state", self._state),
                web.get("/_control/messages/{channel}", self._messages),
                web.post("/_control/{act}", self._act),
                web.get("/ui", self._page),
            ]
        )
        return app

    # -- our side -----------------------------------------------------------------------------------------------------

    async def _get(self, path: str, **query: str) -> Json:
        async with self._http.get(f"{self._workspace.url}/_control/{path}", params=query) as response:
            return dict(await response.json())

    async def _post(self, act: str, body: Json) -> Json:
        async with self._http.post(f"{self._workspace.url}/_control/{act}", json=body) as response:
            return dict(await response.json())

    # -- their side ---------------------------------------------------------------------------------------------------

    async def _state(self, request: web.Request) -> web.Response:
        state = await self._get("state", user="requester")
        users = [{"id": one["id"], "name": one["name"]} for one in state["users"]]
        channels = [{"id": one["id"], "name": one["name"], "is_im": one["kind"] == "dm"} for one in state["channels"]]
        app = {"appId": state["app"]["id"], "botUserId": state["app"]["user_id"], "mode": "socket"}
        workspace = {"teamId": state["team"]["id"]}
        return web.json_response({"workspace": workspace, "app": app, "users": users, "channels": channels})

    async def _messages(self, request: web.Request) -> web.Response:
        channel, found = request.match_info["channel"], {}
        for name in PEOPLE:
            seen = await self._get(f"messages/{channel}", user=name)
            for root in seen.get("messages", ()):
                found[root["ts"]] = self._shown(root, name)
                if not root["is_ephemeral"]:
                    thread = await self._get(f"messages/{channel}", user=name, thread=root["ts"])
                    found |= {one["ts"]: self._shown(one, name) for one in thread["messages"]}
        return web.json_response({"messages": [found[ts] for ts in sorted(found)]})

    def _shown(self, one: Json, name: str) -> Json:
        known = ("type", "ts", "user", "bot_id", "app_id", "text", "blocks", "thread_ts", "subtype", "reactions")
        shown = {key: one[key] for key in known if key in one}
        return shown | ({"ephemeral_to": self._workspace.users[name]} if one["is_ephemeral"] else {})

    async def _act(self, request: web.Request) -> web.Response:
        body = await request.json()
        translated = _TRANSLATED.get(request.match_info["act"])
        if translated is None:
            return web.json_response({"ok": False, "error": "not found"}, status=404)
        act, ours = translated(body)
        answer = await self._post(act, ours)
        await self._delivered()
        keep = {name: answer[name] for name in ("ok", "error", "message") if name in answer}
        return web.json_response(keep, status=200 if answer["ok"] else 400)

    async def _delivered(self) -> None:
        """Wait for the bot's answers: such a server answers after its app has."""
        while True:
            log = (await self._get("log"))["entries"]
            sent = sum(entry["kind"] == "envelope" for entry in log)
            if sum(entry["kind"] == "ack" and "id" in entry for entry in log) >= sent:
                return
            await asyncio.sleep(0.01)

    async def _page(self, request: web.Request) -> web.WebSocketResponse:
        page = web.WebSocketResponse()
        await page.prepare(request)
        await page.send_json({"t": "init", "state": await self._snapshot()})
        async for frame in page:
            told = frame.json()
            view = (await self._get("state", user=self._names[told["user"]]))["views"][-1]
            if told["t"] == "view_close":
                await self._post("view_close", {"user": told["user"], "view_id": view["id"]})
                await page.send_json({"t": "view", "stack": []})
                continue
            body = {"user": told["user"], "view_id": view["id"], "state": told["values"]}
            answer = await self._post("view_submit", body)
            changed = {"t": "view"} if answer["ok"] else {"t": "view_errors", "errors": answer["errors"]}
            await page.send_json(changed)
        return page

    async def _snapshot(self) -> Json:
        states = {name: await self._get("state", user=name) for name in PEOPLE}
        stack = [view for state in states.values() for view in state["views"]]
        homes = {self._workspace.users[name]: state["home"] for name, state in states.items() if state["home"]}
        return {"modalStack": stack, "homeViews": homes}


def _interact(body: Json) -> tuple[str, Json]:
    action = body["action"]
    where = {"user": body["user"], "channel": body["channel"], "message_ts": body["messageTs"]}
    return "interact", where | {name: action.get(name) for name in ("action_id", "block_id", "value")}


_TRANSLATED = {
    "message": lambda body: ("message", body),
    "command": lambda body: ("command", {**body, "text": f"{body['command']} {body['text']}"}),
    "interact": _interact,
    "open-home": lambda body: ("open_home", body),
    "reaction": lambda body: ("reaction", {**body, "message_ts": body["ts"], "remove": not body.get("present", True)}),
    "edit-message": lambda body: ("edit", body),
    "delete-message": lambda body: ("delete", body),
    "reset": lambda _body: ("reset", {}),
}


@asynccontextmanager
async def served(workspace: Workspace) -> AsyncIterator[str]:
    """Serve these shapes, and return the address of the control API."""
    headers = {"X-Workspace-Token": workspace.control_token}
    async with aiohttp.ClientSession(headers=headers) as http:
        runner = web.AppRunner(Shapes(workspace, http).app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}/_control"
        finally:
            await runner.cleanup()
