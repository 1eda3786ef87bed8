"""Our own workspace, driven over its control API as its page does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

from sysop.testing import seen
from sysop.testing.control import Control
from sysop.testing.driver import Credentials, Wire
from sysop.testing.errors import NotThere
from sysop.testing.forms import filled
from sysop.testing.seen import Part, Seen

T = TypeVar("T")
LOOK_S: Final = 0.2


class WorkspaceDriver:
    """People of a workspace. `control` is its URL with `/_control`, `token` the control token of this start."""

    def __init__(self, control: str, token: str, credentials: Credentials) -> None:
        self.credentials = credentials
        self._at = (control, token)
        self.users: Mapping[str, str] = {}
        self.channels: Mapping[str, str] = {}
        self.groups: Mapping[str, str] = {}
        self.team = self.bot = ""
        self._names: dict[str, str] = {}
        self._shortcuts: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._control = Control(*self._at)
        state = await self._control.get("state", user="requester")
        self.users = {one["name"]: one["id"] for one in state["users"]}
        self.groups = {one["handle"]: one["id"] for one in state["groups"]}
        self.team, self.bot = state["team"]["id"], state["app"]["user_id"]
        self.channels = {one["name"]: one["id"] for one in state["channels"] if one["kind"] != "dm"}
        self._shortcuts = {one["name"]: one["callback_id"] for one in state["app"]["shortcuts"]}
        people = {id: f"@{name}" for name, id in self.users.items()}
        self._names = people | {id: f"#{name}" for name, id in self.channels.items()}
        self._names |= {id: f"@{handle}" for handle, id in self.groups.items()}
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._control.close()

    def can(self, act: str) -> bool:
        """Tell that everything can be done here."""
        return True

    # -- what people do -----------------------------------------------------------------------------------------------

    async def _do(self, act: str, user: str, **body: Any) -> dict[str, Any]:
        return await self._control.post(act, {"user": self._person(user), **body})

    def _person(self, name: str) -> str:
        if name not in self.users:
            raise NotThere(f"nobody here is called {name!r}, only {', '.join(self.users)}")
        return self.users[name]

    async def say(self, user: str, channel: str, text: str, *, thread: str | None = None, **more: Any) -> str:
        """Write a message and return its ts; `files` come as the control API takes them."""
        body = {"channel": self._place(channel), "text": text, **more}
        return str((await self._do("message", user, **body, **({"thread_ts": thread} if thread else {})))["ts"])

    def _place(self, channel: str) -> str:
        return self.channels.get(channel, channel)

    async def command(self, user: str, channel: str, text: str) -> None:
        """Type a slash command."""
        await self._do("command", user, channel=self._place(channel), text=text)

    async def click(self, user: str, on: Seen, label: str) -> None:
        """Press a button of a message, a form or the Home."""
        part = pressed(on, label)
        body = {"action_id": part.action, "block_id": part.block, "value": part.element.get("value")}
        if on.kind == "message":
            await self._do("interact", user, channel=on.channel, message_ts=on.id, **body)
        else:
            await self._do("view_action", user, view_id=on.id, **body)

    async def submit(self, user: str, form: Seen, values: Mapping[str, Any]) -> None:
        """Fill a form in and send it."""
        await self._do("view_submit", user, view_id=form.id, state=filled(form, values))

    async def close(self, user: str, form: Seen) -> None:
        """Close a form without sending it."""
        await self._do("view_close", user, view_id=form.id)

    async def shortcut(self, user: str, name: str, on: Seen | None = None) -> None:
        """Use a shortcut by its name."""
        if name not in self._shortcuts:
            raise NotThere(f"there is no shortcut {name!r}, only {', '.join(self._shortcuts)}")
        where = {"channel": on.channel, "message_ts": on.id} if on else {}
        await self._do("shortcut", user, callback_id=self._shortcuts[name], **where)

    async def open_home(self, user: str) -> None:
        """Look at the Home."""
        await self._do("open_home", user)

    async def open_messages(self, user: str) -> str:
        """Look at the direct messages with the bot, and return their channel's id."""
        return str((await self._do("open_dm", user))["channel"])

    async def react(self, user: str, on: Seen, emoji: str) -> None:
        """React to a message."""
        await self._do("reaction", user, channel=on.channel, message_ts=on.id, name=emoji)

    async def stop(self, user: str, on: Seen) -> None:
        """Press Stop."""
        await self._do("stop", user, channel=on.channel, thread_ts=on.root)

    async def edit(self, user: str, on: Seen, text: str) -> None:
        """Change one's own message."""
        await self._do("edit", user, channel=on.channel, ts=on.id, text=text)

    async def delete(self, user: str, on: Seen) -> None:
        """Take one's own message back."""
        await self._do("delete", user, channel=on.channel, ts=on.id)

    async def act(self, act: str, user: str, **body: Any) -> dict[str, Any]:
        """Do something else that the control API offers, such as `rename` or `context`."""
        return await self._do(act, user, **body)

    # -- what people see ----------------------------------------------------------------------------------------------

    async def everything(self, user: str) -> Sequence[Seen]:
        """Return every message somebody sees."""
        found: dict[tuple[str, str], Seen] = {}
        for place in (await self._state(user))["channels"]:
            for one in await self.messages(user, place["id"]):
                found[one.channel, one.id] = one
                if not one.private:  # what only one person sees in a thread does not count as a reply
                    found |= {(it.channel, it.id): it for it in await self.messages(user, one.channel, one.root)}
        return sorted(found.values(), key=lambda one: one.id)

    async def messages(self, user: str, channel: str, thread: str | None = None) -> Sequence[Seen]:
        """Return what somebody sees in a channel or a thread."""
        place = self._place(channel)
        query = {"user": self._person(user), **({"thread": thread} if thread else {})}
        found = (await self._control.get(f"messages/{place}", **query))["messages"]
        return [seen.message(one, place, self._names, bot=self.bot) for one in found]

    async def _state(self, user: str) -> dict[str, Any]:
        return await self._control.get("state", user=self._person(user))

    async def form(self, user: str) -> Seen | None:
        """Return the form on top."""
        views = (await self._state(user))["views"]
        return seen.view(views[-1], self._names) if views else None

    async def home(self, user: str) -> Seen | None:
        """Return the Home as it was published last."""
        found = (await self._state(user))["home"]
        return seen.view(found, self._names) if found else None

    async def wait_for(self, user: str, what: str, look: Callable[[], Awaitable[T | None]], within: float) -> T:
        """Look now, after each change the server tells of, and now and then, since it does not tell of all."""
        try:
            async with asyncio.timeout(within), self._control.events(user=self._person(user)) as changes:
                while (found := await look()) is None:
                    await _next(changes)
                return found
        except TimeoutError:
            raise NotThere(f"{user} did not see {what} within {within} s") from None

    # -- the wire -----------------------------------------------------------------------------------------------------

    async def wire(self, after: int = 0) -> tuple[int, Sequence[Wire]]:
        """Return what passed on the wire."""
        entries = (await self._control.get("log", after=str(after)))["entries"]
        mark = max([after, *(int(entry["n"]) for entry in entries)])
        return mark, [wire for entry in entries if (wire := _wire(entry)) is not None]

    async def trouble(self, act: str, **what: Any) -> None:
        """Let something go wrong, or take it back with `reset`."""
        await self._control.post(act, what)


async def _next(changes: AsyncIterator[bytes]) -> None:
    """Wait for a change, or a little."""
    try:
        async with asyncio.timeout(LOOK_S):
            async for line in changes:
                if line.startswith(b"data:"):
                    return
    except TimeoutError:
        return


def pressed(on: Seen, label: str) -> Part:
    """Return the button with a label. Raises NotThere."""
    for part in on.buttons:
        if label in (part.label, part.action):
            return part
    there = ", ".join(on.labels) or "none at all"
    raise NotThere(f"there is no button {label!r} here, but {there}:\n{on}")


def _wire(entry: Mapping[str, Any]) -> Wire | None:
    kind = entry["kind"]
    if kind == "api":
        problem = str(entry["answer"].get("error") or "")
        return Wire("call", str(entry["method"]), problem, body=entry.get("args"))
    if kind == "response_url":
        problem = "" if entry["status"] == 200 else str(entry["answer"])
        return Wire("call", "response_url", problem, body=entry.get("args"))
    if kind == "fault":
        return Wire("fault", str(entry.get("method") or entry.get("delivery")), entry["fault"])
    if kind == "envelope":
        payload = entry["payload"]
        return Wire("envelope", named(payload), attempt=entry["attempt"], id=_id(payload), body=payload)
    if kind == "ack" and "id" in entry:
        return Wire("ack", entry["type"], entry["reason"], entry["attempt"], entry["id"])
    return None


def named(payload: Mapping[str, Any]) -> str:
    """Return what a delivery is about: an event's type, a command with its first word, an action's id, a view's."""
    if "command" in payload:
        return f"{payload['command']} {str(payload.get('text') or '').partition(' ')[0]}".strip()
    match str(payload.get("type")):
        case "event_callback":
            event = payload["event"]
            return ":".join(filter(None, (event["type"], event.get("subtype"))))
        case "block_actions":
            return f"block_actions {payload['actions'][0]['action_id']}"
        case "view_submission" | "view_closed":
            return f"{payload['type']} {payload['view'].get('callback_id') or ''}".strip()
        case other:
            return f"{other} {payload.get('callback_id') or ''}".strip()


def _id(payload: Mapping[str, Any]) -> str:
    return str(payload.get("event_id") or payload.get("trigger_id") or payload.get("type") or "")
