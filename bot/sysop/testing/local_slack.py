"""Another Slack-compatible server whose control API has the shapes of `local-slack`: fewer acts, other field names.

It tells of no changes over its control API, so waiting looks again and again; forms and the Home are seen and sent
over the socket of its page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp

from sysop.testing import seen
from sysop.testing.control import Control
from sysop.testing.driver import Credentials, Wire
from sysop.testing.errors import NotThere, Refused
from sysop.testing.forms import filled
from sysop.testing.seen import Seen
from sysop.testing.workspace_driver import pressed

T = TypeVar("T")
LOOK_S: Final = 0.05
ACTS: Final = frozenset(
    ("say", "command", "click", "submit", "close", "form", "home", "open_home", "react", "edit", "delete", "messages")
)


class LocalSlack:
    """People of such a server. `control` is its URL with `/_control`."""

    def __init__(self, control: str, credentials: Credentials) -> None:
        self.credentials = credentials
        self._base = control
        self.users: Mapping[str, str] = {}
        self.channels: Mapping[str, str] = {}
        self.groups: Mapping[str, str] = {}
        self.team = self.bot = ""
        self._names: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._control = Control(self._base)
        state = await self._control.get("state")
        self.bot = state["app"]["botUserId"]
        self.team = state["workspace"]["teamId"]
        self.users = {one["name"]: one["id"] for one in state["users"]}
        self.channels = {one["name"]: one["id"] for one in state["channels"] if not one.get("is_im")}
        self._names = {id: f"@{name}" for name, id in self.users.items()}
        self._names |= {id: f"#{name}" for name, id in self.channels.items()}
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._control.close()

    def can(self, act: str) -> bool:
        """Tell whether the server has a way to do something."""
        return act in ACTS

    def _person(self, name: str) -> str:
        if name not in self.users:
            raise NotThere(f"nobody here is called {name!r}, only {', '.join(self.users)}")
        return self.users[name]

    def _place(self, channel: str) -> str:
        return self.channels.get(channel, channel)

    # -- what people do -----------------------------------------------------------------------------------------------

    async def say(self, user: str, channel: str, text: str, *, thread: str | None = None, **more: Any) -> str:
        """Write a message and return its ts; who is mentioned by name is mentioned by id."""
        for name, id in self.users.items():
            text = text.replace(f"@{name}", f"<@{id}>")
        body = {"user": self._person(user), "channel": self._place(channel), "text": text, **more}
        answer = await self._control.post("message", {**body, **({"thread_ts": thread} if thread else {})})
        return str(answer["message"]["ts"])

    async def command(self, user: str, channel: str, text: str) -> None:
        """Type a slash command."""
        word, _, rest = text.partition(" ")
        body = {"user": self._person(user), "channel": self._place(channel)}
        await self._control.post("command", {**body, "command": word, "text": rest})

    async def click(self, user: str, on: Seen, label: str) -> None:
        """Press a button of a message; those of forms and of the Home cannot be pressed here."""
        part = pressed(on, label)
        if on.kind != "message":
            raise Refused("this server has no way to press a button outside of messages")
        action = {"type": part.element["type"], "action_id": part.action, "block_id": part.block}
        action["value"] = part.element.get("value")
        body = {"user": self._person(user), "channel": on.channel, "messageTs": on.id}
        await self._control.post("interact", {**body, "action": action})

    async def submit(self, user: str, form: Seen, values: Mapping[str, Any]) -> None:
        """Fill the form on top in and send it."""
        errors = await self._page({"t": "view_submit", "user": self._person(user), "values": filled(form, values)})
        if errors:
            raise Refused(f"view_submit: {errors}", errors)

    async def close(self, user: str, form: Seen) -> None:
        """Close the forms."""
        await self._page({"t": "view_close", "user": self._person(user)})

    async def shortcut(self, user: str, name: str, on: Seen | None = None) -> None:
        """Refuse: the server has no shortcuts."""
        raise Refused("this server has no shortcuts")

    async def open_home(self, user: str) -> None:
        """Look at the Home."""
        await self._control.post("open-home", {"user": self._person(user)})

    async def open_messages(self, user: str) -> str:
        """Refuse: direct messages cannot be opened here without writing one."""
        raise Refused("this server has no way to open direct messages")

    async def react(self, user: str, on: Seen, emoji: str) -> None:
        """React to a message."""
        body = {"user": self._person(user), "channel": on.channel, "ts": on.id, "name": emoji}
        await self._control.post("reaction", body)

    async def stop(self, user: str, on: Seen) -> None:
        """Refuse: the server has no agent sessions."""
        raise Refused("this server has no Stop")

    async def edit(self, user: str, on: Seen, text: str) -> None:
        """Change one's own message."""
        body = {"user": self._person(user), "channel": on.channel, "ts": on.id, "text": text}
        await self._control.post("edit-message", body)

    async def delete(self, user: str, on: Seen) -> None:
        """Take one's own message back."""
        await self._control.post("delete-message", {"user": self._person(user), "channel": on.channel, "ts": on.id})

    # -- what people see ----------------------------------------------------------------------------------------------

    async def everything(self, user: str) -> Sequence[Seen]:
        """Return every message somebody sees; the server keeps no members of channels."""
        places = [one["id"] for one in (await self._control.get("state"))["channels"]]
        return sorted([one for place in places for one in await self._all(user, place)], key=lambda one: one.id)

    async def messages(self, user: str, channel: str, thread: str | None = None) -> Sequence[Seen]:
        """Return what somebody sees in a channel or a thread."""
        found = await self._all(user, self._place(channel))
        return [one for one in found if (one.root == thread if thread else one.thread is None)]

    async def _all(self, user: str, place: str) -> list[Seen]:
        me = self._person(user)
        found = (await self._control.get(f"messages/{place}"))["messages"]
        seen_by_me = [one for one in found if one.get("ephemeral_to") in (None, me)]
        return [seen.message(one, place, self._names, bot=self.bot) for one in seen_by_me]

    async def form(self, user: str) -> Seen | None:
        """Return the form on top; the server keeps one pile for everybody."""
        stack = (await self._snapshot())["modalStack"]
        return seen.view(stack[-1], self._names) if stack else None

    async def home(self, user: str) -> Seen | None:
        """Return the Home as it was published last."""
        found = (await self._snapshot())["homeViews"].get(self._person(user))
        return seen.view(found, self._names) if found else None

    async def wait_for(self, user: str, what: str, look: Callable[[], Awaitable[T | None]], within: float) -> T:
        """Look again and again."""
        try:
            async with asyncio.timeout(within):
                while (found := await look()) is None:
                    await asyncio.sleep(LOOK_S)
                return found
        except TimeoutError:
            raise NotThere(f"{user} did not see {what} within {within} s") from None

    async def wire(self, after: int = 0) -> tuple[int, Sequence[Wire]]:
        """Return nothing: deliveries are over here when an act returns."""
        return after, ()

    async def trouble(self, act: str, **what: Any) -> None:
        """Take everything back with `reset`; more trouble this server cannot make."""
        if act != "reset":
            raise Refused(f"this server has no {act}")
        await self._control.post("reset", {})

    # -- the page's socket --------------------------------------------------------------------------------------------

    def _socket(self) -> Any:
        at = urlsplit(self._base)
        return self._control.http.ws_connect(f"ws://{at.netloc}/ui")

    async def _snapshot(self) -> dict[str, Any]:
        async with self._socket() as page:
            return dict((await page.receive_json())["state"])

    async def _page(self, act: Mapping[str, Any]) -> dict[str, str]:
        """Do something as the page does, and return the errors it would show; none once the form has changed."""
        async with self._socket() as page:
            await page.send_json(dict(act))
            async for frame in page:
                told = json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else {}
                if told.get("t") == "view_errors":
                    return {str(block): str(text) for block, text in told["errors"].items()}
                if told.get("t") == "view":
                    return {}
        raise Refused("the page's socket ended")
