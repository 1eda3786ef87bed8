"""How a message and a channel look from outside: to the Web API, in events, on the page."""

from __future__ import annotations

from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.views import View
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


def message(world: World, one: Message, *, metadata: bool = False) -> Json:
    """Return the message object of the Web API; metadata only for those who ask for it."""
    shown: Json = {"type": "message", "user": one.user, "text": one.shown_text, "ts": one.ts, "team": world.team_id}
    if one.subtype:
        shown["subtype"] = one.subtype
    if one.from_app:
        shown |= _app_part(world, one)
    if blocks := one.shown_blocks:
        shown["blocks"] = blocks
    for name in ("attachments", "files", "edited", "client_msg_id", "app_context"):
        if value := getattr(one, name):
            shown[name] = value
    if one.files:
        shown["upload"] = False
    if metadata and one.metadata is not None:
        shown["metadata"] = one.metadata
    if one.reactions:
        shown["reactions"] = reactions(one)
    if one.stream is not None:
        shown["streaming_state"] = one.stream.state
    return shown | _thread_part(world, one)


def _app_part(world: World, one: Message) -> Json:
    app = world.app
    profile: Json = {"id": app.bot_id, "app_id": app.app_id, "name": world.bot.real_name, "team_id": world.team_id}
    part: Json = {"bot_id": app.bot_id, "app_id": app.app_id, "bot_profile": profile | {"deleted": False}}
    if one.username:
        part["username"] = one.username
    if one.icon:
        part["icons"] = one.icon
    return part


def _thread_part(world: World, one: Message) -> Json:
    if one.thread_ts is not None:
        root = world.messages.get(one.channel, one.thread_ts)
        return {"thread_ts": one.thread_ts} | ({"parent_user_id": root.user} if root else {})
    replies = world.messages.replies(one.channel, one.ts)
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": one.ts,
        "reply_count": len(replies),
        "reply_users": users[:5],
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
        "is_locked": False,
        "subscribed": False,
    }


def reactions(one: Message) -> list[Json]:
    """Return who reacted with what."""
    return [{"name": name, "users": list(users), "count": len(users)} for name, users in one.reactions.items()]


def on_page(world: World, one: Message) -> Json:
    """Return a message as the page shows it."""
    shown = message(world, one, metadata=True) | {"channel": one.channel, "is_ephemeral": one.only_for is not None}
    shown |= {"from_app": one.from_app, "pinned": one.pinned}
    if one.stream is not None:
        shown["stream"] = one.stream.as_page()
    return shown


def channel(world: World, one: Channel) -> Json:
    """Return the channel object of the Web API, as the bot sees it."""
    if one.kind == "dm":
        return {
            "id": one.id,
            "created": one.created,
            "is_im": True,
            "is_org_shared": False,
            "user": one.other(world.app.user_id),
            "is_archived": False,
            "is_open": True,
            "context_team_id": world.team_id,
        }
    strangers = [u for m in one.members if (u := world.people.get(m)) is not None and u.is_stranger]
    return {
        "id": one.id,
        "name": one.name,
        "name_normalized": one.name,
        "is_channel": one.kind == "channel",
        "is_group": one.kind == "private",
        "is_im": False,
        "is_mpim": False,
        "is_private": one.kind == "private",
        "created": one.created,
        "creator": one.creator,
        "is_archived": one.archived,
        "is_general": one.name == "general",
        "is_ext_shared": bool(strangers),
        "is_shared": bool(strangers),
        "is_member": world.app.user_id in one.members,
        "context_team_id": world.team_id,
        "num_members": len(one.members),
        "topic": {"value": one.topic, "creator": one.creator, "last_set": one.created},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def view(world: World, one: View) -> Json:
    """Return the view object of the Web API and of interactions."""
    body = one.body
    shown: Json = {
        "id": one.id,
        "team_id": world.team_id,
        "type": body["type"],
        "blocks": body["blocks"],
        "private_metadata": body.get("private_metadata") or "",
        "callback_id": body.get("callback_id") or "",
        "external_id": one.external_id,
        "state": {"values": one.values},
        "hash": one.hash,
        "title": body.get("title"),
        "submit": body.get("submit"),
        "close": body.get("close"),
        "clear_on_close": bool(body.get("clear_on_close")),
        "notify_on_close": bool(body.get("notify_on_close")),
        "submit_disabled": bool(body.get("submit_disabled")),
        "root_view_id": one.root,
        "previous_view_id": one.previous,
        "app_id": world.app.app_id,
        "app_installed_team_id": world.team_id,
        "bot_id": world.app.bot_id,
    }
    return shown
