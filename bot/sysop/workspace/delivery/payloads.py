"""What people start, in the shapes the app gets: commands, clicks, views, shortcuts."""

from __future__ import annotations

from sysop.workspace.delivery.envelope import COMMAND, INTERACTIVE, Envelope
from sysop.workspace.state import shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.people import User
from sysop.workspace.state.views import View
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

_CHANNEL_NAME = {"dm": "directmessage", "private": "privategroup"}


def channel_name(channel: Channel) -> str:
    """Return a channel's name as interactions have it; only public ones have their own."""
    return _CHANNEL_NAME.get(channel.kind, channel.name)


def command(world: World, user: User, channel: Channel, word: str, text: str) -> Envelope:
    """Return the form of a slash command."""
    app = world.app
    fields: Json = {
        "token": app.verification_token,
        "team_id": world.team_id,
        "team_domain": world.team_domain,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": word,
        "text": text,
        "api_app_id": app.app_id,
        "is_enterprise_install": "false",
        "response_url": world.base_url + world.hooks.give(user.id, channel.id),
        "trigger_id": world.triggers.give(user.id),
    }
    return Envelope(COMMAND, fields, answerable=True)


def _common(world: World, kind: str, user: User) -> Json:
    return {
        "type": kind,
        "team": {"id": world.team_id, "domain": world.team_domain},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": world.app.app_id,
        "token": world.app.verification_token,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _message_part(world: World, user: User, message: Message, channel: Channel) -> Json:
    """Return where a click on a message was. An ephemeral's own content is not told."""
    ephemeral = message.only_for is not None
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    container["is_ephemeral"] = ephemeral
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    hook = world.hooks.give(user.id, channel.id, message.ts, ephemeral=ephemeral)
    part: Json = {"container": container, "channel": {"id": channel.id, "name": channel_name(channel)}}
    part["response_url"] = world.base_url + hook
    return part if ephemeral else part | {"message": shapes.message(world, message, metadata=True)}


def message_actions(
    world: World, user: User, message: Message, channel: Channel, action: Json, state: Json
) -> Envelope:
    """Return a click on an element of a message."""
    body = _common(world, "block_actions", user) | _message_part(world, user, message, channel)
    body |= {"actions": [action], "state": {"values": state}, "trigger_id": world.triggers.give(user.id)}
    return Envelope(INTERACTIVE, body)


def view_actions(world: World, user: User, view: View, action: Json) -> Envelope:
    """Return a click on an element of a modal or App Home."""
    body = _common(world, "block_actions", user) | _view_part(world, view)
    return Envelope(INTERACTIVE, body | {"actions": [action], "trigger_id": world.triggers.give(user.id, view.id)})


def _view_part(world: World, view: View) -> Json:
    return {"container": {"type": "view", "view_id": view.id}, "view": shapes.view(world, view)}


def view_submission(world: World, user: User, view: View) -> Envelope:
    """Return a submitted modal, with everything in it."""
    body = _common(world, "view_submission", user) | {"view": shapes.view(world, view), "response_urls": []}
    return Envelope(INTERACTIVE, body | {"trigger_id": world.triggers.give(user.id, view.id)}, answerable=True)


def view_closed(world: World, user: User, view: View, *, cleared: bool) -> Envelope:
    """Return a modal that was closed without being submitted."""
    body = _common(world, "view_closed", user) | {"view": shapes.view(world, view), "is_cleared": cleared}
    return Envelope(INTERACTIVE, body)


def shortcut(world: World, user: User, callback_id: str) -> Envelope:
    """Return a global shortcut."""
    body = _common(world, "shortcut", user) | {"callback_id": callback_id, "action_ts": world.ts()}
    return Envelope(INTERACTIVE, body | {"trigger_id": world.triggers.give(user.id)})


def message_shortcut(world: World, user: User, message: Message, channel: Channel, callback_id: str) -> Envelope:
    """Return a shortcut on a message."""
    body = _common(world, "message_action", user) | _message_part(world, user, message, channel)
    del body["container"]
    body |= {"callback_id": callback_id, "message_ts": message.ts, "action_ts": world.ts()}
    return Envelope(INTERACTIVE, body | {"trigger_id": world.triggers.give(user.id)})


def suggestion(world: World, user: User, asked: Json, where: View | tuple[Message, Channel]) -> Envelope:
    """Return what was typed into a select whose options the app supplies."""
    body = _common(world, "block_suggestion", user) | asked
    body |= _view_part(world, where) if isinstance(where, View) else _message_part(world, user, *where)
    body.pop("response_url", None)
    return Envelope(INTERACTIVE, body, answerable=True)
