"""conversations.*: finding channels, being in them, and their topic."""

from __future__ import annotations

import re

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.methods.paging import page
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.channels import Channel
from sysop.workspace.wire import Json

KINDS = {"public_channel": "channel", "private_channel": "private", "im": "dm", "mpim": "mpim"}
READ = ("channels:read", "groups:read", "im:read", "mpim:read")
MANAGE = ("channels:manage", "groups:write", "im:write", "mpim:write")
_NAME = re.compile(r"[\w-]{1,80}")


def list_(call: Call) -> Json:
    """List channels of the asked kinds that the bot may know of."""
    asked = call.words("types") or ["public_channel"]
    if not set(asked) <= set(KINDS):
        raise SlackError("invalid_types")
    kinds, bot = {KINDS[one] for one in asked}, call.world.app.user_id
    for kind in kinds - {"mpim"}:
        call.scope(Channel("", "", kind, 0, "").scope("read"))
    found = [c for c in call.world.channels if c.kind in kinds and (c.kind == "channel" or bot in c.members)]
    if call.flag("exclude_archived"):
        found = [channel for channel in found if not channel.archived]
    channels, more = page(call, found, 100, 1000)
    return {"channels": [shapes.channel(call.world, channel) for channel in channels]} | more


def info(call: Call) -> Json:
    """Describe one channel."""
    return {"channel": shapes.channel(call.world, call.channel(member=False, family="read"))}


def members(call: Call) -> Json:
    """List who is in a channel."""
    found, more = page(call, call.channel(member=False, family="read").members, 100, 1000)
    return {"members": found} | more


def open_(call: Call) -> Json:
    """Open the direct message with a person; it may have been open before."""
    call.scope("im:write")
    if call.text("channel"):
        channel, known = call.channel(), True
    else:
        users = call.words("users")
        if len(users) != 1:
            raise SlackError("not_enough_users" if not users else "mpim_not_supported")
        person = call.world.people.get(users[0])
        if person is None or person.is_bot:
            raise SlackError("user_not_found" if person is None else "cannot_dm_bot")
        known = call.world.channels.dm(person.id, call.world.app.user_id) is not None
        channel = call.world.open_dm(person.id)
    shown = shapes.channel(call.world, channel) if call.flag("return_im") else {"id": channel.id}
    return {"channel": shown} | ({"no_op": True, "already_open": True} if known else {})


def create(call: Call) -> Json:
    """Make a channel with the bot in it."""
    private, name = call.flag("is_private"), call.text("name")
    call.scope("groups:write" if private else "channels:manage")
    if not name:
        raise SlackError("invalid_name_required")
    if not _NAME.fullmatch(name) or name != name.lower():
        raise SlackError("invalid_name_maxlength" if len(name) > 80 else "invalid_name_specials")
    if call.world.channels.named(name) is not None:
        raise SlackError("name_taken")
    world, bot = call.world, call.world.app.user_id
    kind = "private" if private else "channel"
    channel = Channel(world.ids.make("C"), name, kind, int(world.clock.now()), bot, [bot])
    world.channels.add(channel)
    world.feed.publish("channel_created", channel=channel.id, name=name)
    return {"channel": shapes.channel(world, channel)}


def invite(call: Call) -> Json:
    """Bring people into a channel."""
    channel = call.channel()
    call.scope(channel.scope("manage") if channel.kind == "channel" else channel.scope("write"), *_narrow(channel))
    if channel.kind == "dm":
        raise SlackError("method_not_supported_for_channel_type")
    users = call.words("users")
    if not users:
        raise SlackError("no_user")
    for user in users:
        if call.world.people.get(user) is None:
            raise SlackError("user_not_found")
        if user in channel.members:
            raise SlackError("cant_invite_self" if user == call.world.app.user_id else "already_in_channel")
    for user in dict.fromkeys(users):
        publish.join(call.world, channel, user, inviter=call.world.app.user_id)
    return {"channel": shapes.channel(call.world, channel)}


def _narrow(channel: Channel) -> tuple[str, ...]:
    return (channel.scope("write.invites"),)


def join(call: Call) -> Json:
    """Enter a public channel."""
    channel = call.channel(member=False)
    if channel.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    if call.world.app.user_id in channel.members:
        call.warnings.append("already_in_channel")
    else:
        publish.join(call.world, channel, call.world.app.user_id)
    return {"channel": shapes.channel(call.world, channel)}


def set_topic(call: Call) -> Json:
    """Give a channel a topic."""
    channel, topic = call.channel(), call.text("topic")
    if channel.kind == "dm":
        raise SlackError("method_not_supported_for_channel_type")
    manage = channel.scope("manage") if channel.kind == "channel" else channel.scope("write")
    call.scope(manage, channel.scope("write.topic"))
    if channel.archived:
        raise SlackError("is_archived")
    if len(topic) > 250:
        raise SlackError("too_long")
    channel.topic = topic
    call.world.feed.publish("topic", channel=channel.id, topic=topic)
    return {"channel": shapes.channel(call.world, channel)}


METHODS = (
    Method("conversations.list", list_, Tier.TWO, READ),
    Method("conversations.info", info, Tier.THREE, READ),
    Method("conversations.members", members, Tier.FOUR, READ),
    Method("conversations.open", open_, Tier.THREE, MANAGE),
    Method("conversations.create", create, Tier.TWO, MANAGE),
    Method("conversations.invite", invite, Tier.THREE, (*MANAGE, "channels:write.invites", "groups:write.invites")),
    Method("conversations.join", join, Tier.THREE, ("channels:join",)),
    Method("conversations.setTopic", set_topic, Tier.TWO, (*MANAGE, "channels:write.topic", "groups:write.topic")),
)
