"""What the page and tests look at: the whole as one person sees it, messages, the log, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from sysop.workspace.control.desk import Desk
from sysop.workspace.errors import ControlError
from sysop.workspace.state import shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.files import File
from sysop.workspace.state.people import User
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


def state(desk: Desk, query: Mapping[str, str]) -> Json:
    """Return everything but messages, as somebody sees it."""
    world, user = desk.world, desk.person(dict(query))
    channels = [channel for channel in world.channels if user.id in channel.members]
    home = world.views.homes.get(user.id)
    return {
        "stand_in": True,
        "team": {"id": world.team_id, "name": world.team_name, "domain": world.team_domain},
        "me": user.id,
        "users": [_user(world, one) for one in world.people],
        "groups": [{"id": group.id, "handle": group.handle} for group in world.people.groups.values()],
        "channels": [_channel(world, user, channel) for channel in channels],
        "app": _app(world),
        "home": shapes.view(world, home) if home is not None else None,
        "views": [shapes.view(world, view) for view in world.views.stack(user.id)],
        "sessions": [session.as_page() for channel in channels for session in world.sessions.of(channel.id)],
        "connections": len(desk.sockets),
        "last": world.feed.last,
    }


def _user(world: World, user: User) -> Json:
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "roles": world.people.roles(user.id),
        "is_bot": user.is_bot,
        "is_restricted": user.is_restricted,
        "is_stranger": user.is_stranger,
    }


def _channel(world: World, user: User, channel: Channel) -> Json:
    read = channel.read.get(user.id, "")
    unread = sum(1 for m in world.messages.everything(channel.id) if m.ts > read and m.user != user.id)
    shown: Json = {"id": channel.id, "kind": channel.kind, "topic": channel.topic, "unread": unread}
    shown["name"] = channel.name or world.bot.real_name
    shown["prompts"] = world.prompts.get(channel.id)
    return shown


def _app(world: World) -> Json:
    manifest, app = world.app.manifest, world.app
    return {
        "id": app.app_id,
        "name": manifest.display_name,
        "user_id": app.user_id,
        "description": manifest.description,
        "commands": [asdict(command) for command in manifest.commands],
        "shortcuts": [asdict(shortcut) for shortcut in manifest.shortcuts],
        "suggested_prompts": [asdict(prompt) for prompt in manifest.prompts],
        "home_tab": manifest.home_tab,
        "messages_tab": manifest.messages_tab,
        "stoppable": app.hears("agent_session_stopped"),
    }


def messages(desk: Desk, channel_id: str, query: Mapping[str, str]) -> Json:
    """Return a channel's messages, or a thread's, oldest first; the channel counts as read then."""
    world, user = desk.world, desk.person(dict(query))
    channel = desk.place({"channel": channel_id}, user)
    thread = query.get("thread")
    if thread:
        first = world.messages.get(channel.id, thread)  # one that was deleted keeps its thread
        if first is None:
            raise ControlError("message_not_found", "that thread is gone")
        root = first.root
        found = [m for m in world.messages.everything(channel.id) if m.root == root]
    else:
        found = list(world.messages.top_level(channel.id))
    hidden = [m for m in world.messages.ephemerals(channel.id, user.id) if m.thread_ts == (thread or None)]
    everything = sorted([*found, *hidden], key=lambda message: message.ts)
    channel.read[user.id] = max([channel.read.get(user.id, ""), *(m.ts for m in everything)])
    return {"channel": channel.id, "messages": [shapes.on_page(world, message) for message in everything]}


def log(desk: Desk, query: Mapping[str, str]) -> Json:
    """Return what happened on the wire."""
    return {"entries": desk.world.log.after(number(query, "after"))}


def file(desk: Desk, file_id: str) -> File:
    """Return a file that was uploaded."""
    found = desk.world.files.get(file_id)
    if found is None or found.content is None:
        raise ControlError("file_not_found", "there is no such file")
    return found


def number(query: Mapping[str, str], name: str, default: int = 0) -> int:
    """Return a whole number of a query."""
    value = query.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise ControlError("invalid_arguments", f"{name} must be a number")
    return int(value)
