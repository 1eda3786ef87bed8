"""chat.*: posting, changing and taking back messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sysop.blockkit import Problem, check_message, has_rich_text
from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.views import named
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json

WRITE = ("chat:write",)
_FORMAT = {
    "blocks": "invalid_blocks_format",
    "attachments": "invalid_attachments",
    "metadata": "invalid_metadata_format",
}


def refuse(problems: Sequence[Problem]) -> None:
    """Refuse with the first problem's error and say all of them."""
    if problems:
        messages = [str(problem) for problem in problems]
        raise SlackError(problems[0].code, messages, errors=[problem.text for problem in problems])


def content(call: Call, *, update: bool = False) -> Json:
    """Return the checked content of a message: text, markdown_text, blocks, attachments, metadata."""
    found: Json = {name: call.args[name] for name in ("text", "markdown_text") if call.args.get(name) is not None}
    for name, error in _FORMAT.items():
        if (value := call.structured(name, error)) is not None:
            found[name] = value
    cleared = update and found.get("metadata") == {}
    refuse(check_message({**found, "metadata": None} if cleared else found, update))
    return found


def fill(world: World, message: Message, found: Json) -> None:
    """Give a message checked content."""
    message.text = found.get("text") or found.get("markdown_text") or ""
    blocks: list[Json] = found.get("blocks") or []
    if markdown := found.get("markdown_text"):
        blocks = [{"type": "markdown", "text": markdown}]
    message.blocks = named(blocks, world.ids)
    message.attachments = found.get("attachments") or []
    if "metadata" in found:
        message.metadata = found["metadata"] or None


def root_of(call: Call, channel: Channel) -> str | None:
    """Return the thread to write in, which must be a root."""
    thread_ts = call.text("thread_ts")
    if not thread_ts:
        return None
    root = call.world.messages.get(channel.id, thread_ts)
    if root is None:
        raise SlackError("thread_not_found")
    if root.thread_ts is not None:
        raise SlackError("cannot_reply_to_message", ["[ERROR] thread_ts is a reply; name its root"])
    return thread_ts


def _dress(call: Call, message: Message) -> None:
    """Give a message another name and picture, for which there is a scope."""
    if not any(call.text(name) for name in ("username", "icon_emoji", "icon_url")):
        return
    call.scope("chat:write.customize")
    message.username = call.text("username") or None
    message.subtype = "bot_message" if message.username else None
    if emoji := call.text("icon_emoji"):
        message.icon = {"emoji": emoji}
    elif url := call.text("icon_url"):
        message.icon = {"image_48": url}


def new_message(call: Call, channel: Channel, **more: Any) -> Message:
    """Return a message of the bot that is not posted yet."""
    world = call.world
    message = Message(channel.id, world.ts(), world.app.user_id, from_app=True, **more)
    _dress(call, message)
    return message


def post_message(call: Call) -> Json:
    """Post a message."""
    channel = call.open_channel(loosely=True)
    found = content(call)
    message = new_message(call, channel, thread_ts=root_of(call, channel))
    message.client_msg_id = call.text("client_msg_id") or None
    if message.thread_ts is not None and call.flag("reply_broadcast"):
        message.broadcast, message.subtype = True, "thread_broadcast"
    fill(call.world, message, found)
    publish.post(call.world, message)
    shown = shapes.message(call.world, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(call: Call) -> Json:
    """Post a message that one person sees."""
    channel, user = call.open_channel(loosely=True), call.user()
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    found = content(call)
    message = new_message(call, channel, thread_ts=root_of(call, channel), only_for=user.id)
    fill(call.world, message, found)
    publish.post(call.world, message)
    return {"message_ts": message.ts}


def update(call: Call) -> Json:
    """Change a message of the bot."""
    channel = call.channel()
    message = call.message(channel)
    if not message.from_app:
        raise SlackError("cant_update_message")
    if message.stream is not None and message.stream.open:
        raise SlackError("streaming_state_conflict")
    found = content(call, update=True)
    before = shapes.message(call.world, message)
    _keep(message, found)
    if has_rich_text(message.blocks) and not has_rich_text(found.get("blocks") or []):
        raise SlackError("block_mismatch")
    message.stream = None
    fill(call.world, message, found)
    if call.text("text") and not call.args.get("blocks"):
        message.edited = {"user": call.world.app.user_id, "ts": call.world.ts()}
    publish.change(call.world, message, before)
    shown = shapes.message(call.world, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def _keep(message: Message, found: Json) -> None:
    """Take over what an update leaves out. Blocks stay only where there is no new text either."""
    found.setdefault("attachments", message.attachments)
    if not found.get("text") and not found.get("markdown_text"):
        found.setdefault("blocks", message.shown_blocks)
        found["text"] = message.shown_text


def delete(call: Call) -> Json:
    """Take a message of the bot back."""
    channel = call.channel()
    message = call.message(channel)
    if not message.from_app or (message.stream is not None and message.stream.open):
        raise SlackError("cant_delete_message")
    publish.remove(call.world, message)
    return {"channel": channel.id, "ts": message.ts}


def permalink(world: World, message: Message) -> str:
    """Return the address of a message."""
    link = f"{world.base_url}/archives/{message.channel}/p{message.ts.replace('.', '')}"
    return f"{link}?thread_ts={message.thread_ts}&cid={message.channel}" if message.thread_ts else link


def get_permalink(call: Call) -> Json:
    """Say where a message is."""
    channel = call.channel(member=False)
    return {"channel": channel.id, "permalink": permalink(call.world, call.message(channel, "message_ts"))}


METHODS = (
    Method("chat.postMessage", post_message, Tier.POST, WRITE),
    Method("chat.postEphemeral", post_ephemeral, Tier.FOUR, WRITE),
    Method("chat.update", update, Tier.THREE, WRITE),
    Method("chat.delete", delete, Tier.THREE, WRITE),
    Method("chat.getPermalink", get_permalink, Tier.OFTEN),
)
