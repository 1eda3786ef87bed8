"""What people say: messages with files, changes to their own, reactions."""

from __future__ import annotations

import base64

from sysop.workspace.control.desk import Desk, objects, text, thread_of
from sysop.workspace.errors import ControlError
from sysop.workspace.methods.reactions import NAME
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.files import File
from sysop.workspace.state.messages import Message
from sysop.workspace.state.people import User
from sysop.workspace.state.typed import rich_text, stored
from sysop.workspace.wire import Json


async def message(desk: Desk, body: Json) -> Json:
    """Say something."""
    user = desk.person(body)
    channel, world = desk.place(body, user), desk.world
    if channel.archived:
        raise ControlError("is_archived", "the channel is archived")
    if channel.kind == "dm" and not world.app.manifest.messages_tab:
        raise ControlError("messages_tab_disabled", "the app takes no direct messages")
    files = [_file(desk, user, channel, one) for one in objects(body, "files")]
    words = stored(world, text(body, "text", ""))
    if not words and not files:
        raise ControlError("no_text", "there is nothing to send")
    said = Message(channel.id, world.ts(), user.id, words, thread_of(desk, channel, body))
    said.client_msg_id = world.ids.uuid()
    said.blocks = [rich_text(world, words)] if words else []
    if files:
        said.subtype, said.files = "file_share", [file.as_slack(world.base_url) for file in files]
    if said.thread_ts is not None and body.get("reply_broadcast"):
        said.broadcast, said.subtype = True, "thread_broadcast"
    if isinstance(body.get("app_context"), dict):
        said.app_context = body["app_context"]
    channel.read[user.id] = said.ts
    publish.post(world, said)
    return {"channel": channel.id, "ts": said.ts, "message": shapes.on_page(world, said)}


def _file(desk: Desk, user: User, channel: Channel, one: Json) -> File:
    name = text(one, "name")
    try:
        content = (
            base64.b64decode(one["base64"], validate=True)
            if "base64" in one
            else text(one, "content").encode(errors="replace")
        )
    except (ValueError, TypeError):
        raise ControlError("invalid_arguments", f"{name} is not base64") from None
    world = desk.world
    file = File(world.ids.make("F"), user.id, name, len(content), int(world.clock.now()), title=name)
    file.content, file.complete, file.channels = content, True, [channel.id]
    return world.files.add(file)


def _own(desk: Desk, body: Json) -> Message:
    user = desk.person(body)
    found = desk.message(desk.place(body, user), text(body, "ts"))
    if found.user != user.id:
        raise ControlError("not_yours", "only who wrote a message may do that")
    return found


async def edit(desk: Desk, body: Json) -> Json:
    """Change one's own message."""
    own, world = _own(desk, body), desk.world
    before = shapes.message(world, own)
    own.text = stored(world, text(body, "text"))
    own.blocks = [rich_text(world, own.text)]
    own.edited = {"user": own.user, "ts": world.ts()}
    publish.change(world, own, before)
    return {"message": shapes.on_page(world, own)}


async def delete(desk: Desk, body: Json) -> Json:
    """Take one's own message back."""
    publish.remove(desk.world, _own(desk, body))
    return {}


async def dismiss(desk: Desk, body: Json) -> Json:
    """Make a message go away that only this person sees."""
    user = desk.person(body)
    found = desk.message(desk.place(body, user), text(body, "message_ts"), user)
    if found.only_for is None:
        raise ControlError("not_ephemeral", "everybody sees that message")
    publish.remove(desk.world, found)
    return {}


async def reaction(desk: Desk, body: Json) -> Json:
    """React to a message, or take it back."""
    user = desk.person(body)
    found = desk.message(desk.place(body, user), text(body, "message_ts"))
    name, remove = text(body, "name").strip(":"), bool(body.get("remove"))
    if not NAME.fullmatch(name):
        raise ControlError("invalid_name", f"{name!r} is no emoji")
    if (user.id in found.reactions.get(name, ())) != remove:
        raise ControlError("no_reaction" if remove else "already_reacted")
    publish.react(desk.world, found, user.id, name, added=not remove)
    return {"reactions": shapes.reactions(found)}


HANDLERS = {"message": message, "edit": edit, "delete": delete, "dismiss": dismiss, "reaction": reaction}
