"""What happens to messages, made known to the pages and to the app."""

from __future__ import annotations

from sysop.workspace.state import shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


def place(world: World, channel_id: str) -> Channel:
    """Return the channel of a message that exists."""
    channel = world.channels.get(channel_id)
    assert channel is not None  # channels are never removed
    return channel


def post(world: World, message: Message) -> None:
    """Add a message and tell everybody who may see it."""
    world.messages.add(message)
    if message.only_for:
        ephemeral = shapes.on_page(world, message)
        world.feed.publish("ephemeral", user=message.only_for, channel=message.channel, message=ephemeral)
        return
    channel = place(world, message.channel)
    world.feed.publish("message", channel=message.channel, message=shapes.on_page(world, message))
    _refresh_root(world, message)
    event = shapes.message(world, message) | {"channel": channel.id, "event_ts": message.ts}
    world.events.emit(event | {"channel_type": channel.type}, channel, subscription=channel.event)
    mentioned = f"<@{world.app.user_id}" in message.text
    if mentioned and not message.from_app and channel.kind != "dm":
        world.events.emit(event | {"type": "app_mention"}, channel)


def _refresh_root(world: World, message: Message) -> None:
    """Show the root's new reply count."""
    root = world.messages.get(message.channel, message.thread_ts) if message.thread_ts else None
    if root is not None:
        world.feed.publish("message_changed", channel=root.channel, message=shapes.on_page(world, root))


def change(world: World, message: Message, before: Json) -> None:
    """Tell everybody that a message is not what it was."""
    if message.only_for:
        ephemeral = shapes.on_page(world, message)
        world.feed.publish("message_changed", user=message.only_for, channel=message.channel, message=ephemeral)
        return
    world.feed.publish("message_changed", channel=message.channel, message=shapes.on_page(world, message))
    now = {"message": shapes.message(world, message), "previous_message": before}
    _emit_hidden(world, message, "message_changed", now)


def remove(world: World, message: Message) -> None:
    """Take a message away and tell everybody. A root with replies leaves a tombstone."""
    before = shapes.message(world, message)
    gone: Json = {"ts": message.ts, "thread_ts": message.thread_ts}
    if message.only_for:
        world.messages.remove(message)
        world.feed.publish("message_deleted", user=message.only_for, channel=message.channel, **gone)
        return
    if message.thread_ts is None and world.messages.replies(message.channel, message.ts):
        _bury(message)
        world.feed.publish("message_changed", channel=message.channel, message=shapes.on_page(world, message))
    else:
        world.messages.remove(message)
        world.feed.publish("message_deleted", channel=message.channel, **gone)
        _refresh_root(world, message)
    _emit_hidden(world, message, "message_deleted", {"deleted_ts": message.ts, "previous_message": before})


def _bury(message: Message) -> None:
    message.subtype, message.text, message.user = "tombstone", "This message was deleted.", "USLACKBOT"
    message.blocks, message.attachments, message.files, message.metadata = [], [], [], None
    message.stream, message.from_app, message.reactions = None, False, {}


def _emit_hidden(world: World, message: Message, subtype: str, facts: Json) -> None:
    channel = place(world, message.channel)
    ts = world.ts()
    event: Json = {"type": "message", "subtype": subtype, "hidden": True, "channel": channel.id, "ts": ts}
    event |= {"event_ts": ts, "channel_type": channel.type} | facts
    world.events.emit(event, channel, subscription=channel.event)


def streamed(world: World, message: Message) -> None:
    """Show pages how far a stream is. The app is told when it ends."""
    shown = shapes.on_page(world, message)
    world.feed.publish("stream", channel=message.channel, ts=message.ts, message=shown)


def react(world: World, message: Message, user: str, name: str, *, added: bool) -> None:
    """Add or take a reaction, which must fit, and tell everybody."""
    if added:
        message.reactions.setdefault(name, []).append(user)
    else:
        message.reactions[name].remove(user)
        if not message.reactions[name]:
            del message.reactions[name]
    channel = place(world, message.channel)
    facts: Json = {"ts": message.ts, "reactions": shapes.reactions(message)}
    world.feed.publish("reaction", channel=channel.id, **facts)
    event: Json = {"type": "reaction_added" if added else "reaction_removed", "user": user, "reaction": name}
    event |= {"item_user": message.user, "event_ts": world.ts()}
    world.events.emit(event | {"item": {"type": "message", "channel": channel.id, "ts": message.ts}}, channel)


def join(world: World, channel: Channel, user: str, inviter: str | None = None) -> None:
    """Let somebody into a channel and tell everybody."""
    channel.members.append(user)
    world.feed.publish("member", channel=channel.id, user_id=user)
    event: Json = {"type": "member_joined_channel", "user": user, "channel": channel.id, "team": world.team_id}
    event |= {"channel_type": channel.type[0].upper(), "event_ts": world.ts()}
    world.events.emit(event | ({"inviter": inviter} if inviter else {}), channel)
