"""The workspace of a running `sysop dev`, through its control API: for what needs no browser."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from dev.process import Dev

WAIT_S = 60.0
Json = dict[str, Any]


class Talk:
    """People in the workspace."""

    def __init__(self, running: Dev, http: aiohttp.ClientSession) -> None:
        self._facts = running.facts
        self._http = http

    async def see(self, path: str, **query: str) -> Json:
        """Look at something."""
        return await self._ask("GET", path, params=query)

    async def do(self, act: str, user: str, **body: Any) -> Json:
        """Do something that must work."""
        answer = await self._ask("POST", act, json={"user": user, **body})
        assert answer["ok"], answer
        return answer

    async def _ask(self, method: str, path: str, **more: Any) -> Json:
        url, token = f"{self._facts['url']}/_control/{path}", self._facts["control_token"]
        async with self._http.request(method, url, headers={"X-Workspace-Token": token}, **more) as response:
            answer: Json = await response.json()
        return answer

    async def messages(self, channel: str, user: str = "requester") -> list[Json]:
        """Return everything somebody sees in a channel and in its threads."""
        top = (await self.see(f"messages/{channel}", user=user))["messages"]
        inner = [
            (await self.see(f"messages/{channel}", user=user, thread=one["ts"]))["messages"][1:]
            for one in top
            if one.get("reply_count")
        ]
        return [*top, *[message for thread in inner for message in thread]]

    async def button(self, channel: str, action: str) -> Callable[[str], Awaitable[Json]]:
        """Wait for a button, and return how somebody presses it."""

        async def look() -> tuple[Json, Json, Json] | None:
            for message in await self.messages(channel):
                for block in message.get("blocks", []):
                    for element in block["elements"] if block["type"] == "actions" else []:
                        if element["action_id"] == action:
                            return message, block, element
            return None

        message, block, element = await until(look, f"the button {action} in {channel}")
        found = {"channel": channel, "message_ts": message["ts"], "block_id": block["block_id"], "action_id": action}

        async def press(user: str) -> Json:
            return await self.do("interact", user, **found, value=element["value"])

        return press

    async def said(self, channel: str, words: str) -> Json:
        """Wait for a message."""

        async def look() -> Json | None:
            return next((one for one in await self.messages(channel) if words in one["text"]), None)

        found: Json = await until(look, f"{words!r} in {channel}")
        return found


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait until something is to be seen, and return it."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not (found := await look()):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"there was no {what}") from None
    return found
