"""Where people are and whom they bring: channels, the app's tabs, its sessions."""

from __future__ import annotations

from sysop.workspace.control.desk import Desk, text
from sysop.workspace.errors import ControlError
from sysop.workspace.state import publish, shapes, turns
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.people import User
from sysop.workspace.state.sessions import Session, clean
from sysop.workspace.wire import Json

TITLE = 200


async def join(desk: Desk, body: Json) -> Json:
    """Enter a public channel."""
    user = desk.person(body)
    channel = desk.world.channels.named(text(body, "channel"))
    if channel is None or channel.kind != "channel":
        raise ControlError("channel_not_found")
    if user.id not in channel.members:
        publish.join(desk.world, channel, user.id)
    return {"channel": channel.id}


def _guest(desk: Desk, body: Json) -> tuple[Channel, str, str]:
    """Return a channel somebody is in, their id, and whom they name: a person or the app."""
    user = desk.person(body)
    who, channel = desk.world.people.named(text(body, "who")), desk.place(body, user)
    if who is None or channel.kind == "dm":
        raise ControlError("user_not_found" if who is None else "channel_not_found")
    return channel, user.id, who.id


async def invite(desk: Desk, body: Json) -> Json:
    """Bring somebody, or the app, into a channel."""
    channel, inviter, who = _guest(desk, body)
    if who not in channel.members:
        publish.join(desk.world, channel, who, inviter=inviter)
    return {"channel": channel.id}


async def remove(desk: Desk, body: Json) -> Json:
    """Put somebody, or the app, out of a channel."""
    channel, _, who = _guest(desk, body)
    if who in channel.members:
        channel.members.remove(who)
    return {"channel": channel.id}


async def archive(desk: Desk, body: Json) -> Json:
    """Close a channel for good."""
    channel = desk.place(body, desk.person(body))
    if channel.kind == "dm":
        raise ControlError("channel_not_found", "a direct message cannot be archived")
    channel.archived = True
    return {"channel": channel.id}


async def open_home(desk: Desk, body: Json) -> Json:
    """Look at App Home."""
    user = desk.person(body)
    if not desk.world.app.manifest.home_tab:
        raise ControlError("not_enabled", "the app has no Home")
    view = desk.world.views.homes.get(user.id)
    shown = shapes.view(desk.world, view) if view is not None else None
    _opened(desk, user, "home", {"view": shown} if shown else {})
    return {"home": shown}


async def open_dm(desk: Desk, body: Json) -> Json:
    """Look at the direct message with the app."""
    user = desk.person(body)
    channel = _opened(desk, user, "messages", {})
    return {"channel": channel.id, "prompts": desk.world.prompts.get(channel.id)}


def _opened(desk: Desk, user: User, tab: str, more: Json) -> Channel:
    world = desk.world
    channel = world.open_dm(user.id)
    event: Json = {"type": "app_home_opened", "user": user.id, "channel": channel.id, "tab": tab}
    world.events.emit(event | {"event_ts": world.ts()} | more, channel)
    return channel


async def context(desk: Desk, body: Json) -> Json:
    """Turn to another channel with the app's panel open."""
    user, world = desk.person(body), desk.world
    entities: list[Json] = []
    if body.get("channel"):
        entities.append(
            {"type": "slack#/types/channel_id", "value": desk.place(body, user).id, "team_id": world.team_id}
        )
    dm = world.open_dm(user.id)
    event: Json = {"type": "app_context_changed", "user": user.id, "channel": dm.id}
    world.events.emit(event | {"context": {"entities": entities}, "event_ts": world.ts()}, dm)
    return {"context": {"entities": entities}}


def _session(desk: Desk, body: Json) -> tuple[User, Session]:
    user = desk.person(body)
    session = desk.world.sessions.get(desk.place(body, user).id, text(body, "thread_ts"))
    if session is None:
        raise ControlError("session_not_found", "the agent has not begun in that thread")
    return user, session


async def stop(desk: Desk, body: Json) -> Json:
    """Press Stop."""
    user, session = _session(desk, body)
    if not desk.world.app.hears("agent_session_stopped"):
        raise ControlError("not_stoppable", "the app does not subscribe to agent_session_stopped: there is no Stop")
    return {"streaming_message_ts": turns.stop(desk.world, session, user.id)}


async def rename(desk: Desk, body: Json) -> Json:
    """Give a session another title."""
    user, session = _session(desk, body)
    title = clean(text(body, "title").strip())
    if title is None or len(title) > TITLE:
        raise ControlError("invalid_title", f"a title has 1 to {TITLE} characters")
    turns.rename(desk.world, session, title, by=user.id)
    return {"title": title}


HANDLERS = {
    "join": join,
    "invite": invite,
    "remove": remove,
    "archive": archive,
    "open_home": open_home,
    "open_dm": open_dm,
    "context": context,
    "stop": stop,
    "rename": rename,
}
