"""reactions.*, pins.add and bookmarks.add: marks on messages and channels."""

from __future__ import annotations

import re

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method
from sysop.workspace.state import publish, shapes
from sysop.workspace.state.messages import Message
from sysop.workspace.wire import Json

NAME = re.compile(r"[a-z0-9_+'-]{1,100}(::skin-tone-[2-6])?")


def _item(call: Call) -> Message:
    return call.message(call.channel(), "timestamp")


def _name(call: Call) -> str:
    name = call.text("name").strip(":")
    if not name or not NAME.fullmatch(name):
        raise SlackError("invalid_name")
    return name


def add(call: Call) -> Json:
    """React to a message."""
    message, name, bot = _item(call), _name(call), call.world.app.user_id
    if bot in message.reactions.get(name, ()):
        raise SlackError("already_reacted")
    publish.react(call.world, message, bot, name, added=True)
    return {}


def remove(call: Call) -> Json:
    """Take the bot's reaction back."""
    message, name, bot = _item(call), _name(call), call.world.app.user_id
    if bot not in message.reactions.get(name, ()):
        raise SlackError("no_reaction")
    publish.react(call.world, message, bot, name, added=False)
    return {}


def get(call: Call) -> Json:
    """Return a message with its reactions."""
    message = _item(call)
    shown = shapes.message(call.world, message)
    permalink = f"{call.world.base_url}/archives/{message.channel}/p{message.ts.replace('.', '')}"
    return {"type": "message", "channel": message.channel, "message": shown | {"permalink": permalink}}


def pin(call: Call) -> Json:
    """Pin a message."""
    message = _item(call)
    if message.pinned:
        raise SlackError("already_pinned")
    message.pinned = True
    call.world.feed.publish("message_changed", channel=message.channel, message=shapes.on_page(call.world, message))
    return {}


def bookmark(call: Call) -> Json:
    """Put a link at the top of a channel."""
    channel = call.channel("channel_id")
    if call.need("type") != "link":
        raise SlackError("invalid_bookmark_type")
    link = call.text("link")
    if not link.startswith(("http://", "https://")):
        raise SlackError("invalid_link")
    world = call.world
    mark: Json = {"id": world.ids.make("Bk"), "channel_id": channel.id, "title": call.need("title"), "link": link}
    mark |= {"emoji": call.text("emoji"), "type": "link", "app_id": world.app.app_id}
    channel.bookmarks.append(mark)
    return {"bookmark": mark}


METHODS = (
    Method("reactions.add", add, Tier.THREE, ("reactions:write",)),
    Method("reactions.remove", remove, Tier.TWO, ("reactions:write",)),
    Method("reactions.get", get, Tier.THREE, ("reactions:read",)),
    Method("pins.add", pin, Tier.TWO, ("pins:write",)),
    Method("bookmarks.add", bookmark, Tier.TWO, ("bookmarks:write",)),
)
