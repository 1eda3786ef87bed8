"""agents.sessions.* and the older assistant.threads.*, which acts on the same sessions."""

from __future__ import annotations

from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.method import Call, Method, missing
from sysop.workspace.state import turns
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.sessions import STATUSES, Session, clean
from sysop.workspace.wire import Json

TITLE = 200
PROMPTS = 4
LOADING = 10
STOPPED = "agent_session_stopped"


def _thread(call: Call) -> tuple[Channel, str]:
    """Return the thread a call names, in an app that is an agent."""
    if not call.world.app.manifest.agent_view:
        raise SlackError("not_agent_app")
    if not call.text("channel_id"):
        raise SlackError("channel_not_found")
    channel = call.channel("channel_id", member=False)
    if call.world.app.user_id not in channel.members:
        raise SlackError("not_authorized")
    return channel, call.text("thread_ts")


def _title(call: Call) -> str | None:
    title = call.text("title")
    if len(title) > TITLE:
        raise SlackError("invalid_arguments", [f"[ERROR] title must be less than {TITLE + 1} characters"])
    return title or None


def set_status(call: Call) -> Json:
    """Say what the agent does in a thread; the first word begins the session."""
    channel, thread_ts = _thread(call)
    if not thread_ts:
        raise SlackError("thread_ts_required")
    status = call.text("status")
    if status not in STATUSES:
        raise SlackError("invalid_status")
    if call.text("initiator_user_id"):
        call.user("initiator_user_id")
    _root(call, channel, thread_ts)
    session = call.world.sessions.open(channel.id, thread_ts, _title(call), call.text("initiator_user_id") or None)
    if status == "processing" and not call.world.app.hears(STOPPED):
        call.warnings.append(f"missing_{STOPPED}_event_subscription")
    turns.set_status(call.world, session, status)
    return session.as_answer()


def _root(call: Call, channel: Channel, thread_ts: str) -> None:
    root = call.world.messages.get(channel.id, thread_ts)
    if root is None or root.thread_ts is not None:
        raise SlackError("thread_not_found")


def rename(call: Call) -> Json:
    """Give a session another title."""
    channel, thread_ts = _thread(call)
    if not thread_ts:
        raise SlackError("thread_ts_required")
    title = clean(_title(call))
    if title is None:
        raise missing("title")
    session = call.world.sessions.get(channel.id, thread_ts)
    if session is None:
        raise SlackError("not_authorized")
    turns.rename(call.world, session, title)
    return session.as_answer()


def _bridged(call: Call) -> Session:
    channel, thread_ts = _thread(call)
    if not thread_ts:
        raise SlackError("missing_thread_ts")
    if call.world.messages.get(channel.id, thread_ts) is None:
        raise SlackError("invalid_thread_ts")
    return call.world.sessions.open(channel.id, thread_ts)


def set_thread_status(call: Call) -> Json:
    """Show a text while working; an empty one ends it."""
    session, status = _bridged(call), call.text("status")
    loading = call.structured("loading_messages", "invalid_arguments") or []
    if not isinstance(loading, list) or len(loading) > LOADING:
        raise SlackError("invalid_arguments", [f"[ERROR] no more than {LOADING} loading_messages"])
    words = tuple(str(one) for one in loading) if status else ()
    turns.set_status(call.world, session, "processing" if status else "active", status, words)
    return {}


def set_thread_title(call: Call) -> Json:
    """Give a thread a title."""
    session, title = _bridged(call), clean(_title(call))
    if title is None:
        raise missing("title")
    turns.rename(call.world, session, title)
    return {}


def set_suggested_prompts(call: Call) -> Json:
    """Offer prompts at the end of a channel; with a thread they go nowhere, as in Slack."""
    channel, thread_ts = _thread(call)
    prompts = call.structured("prompts", "invalid_arguments")
    if not isinstance(prompts, list) or not prompts or len(prompts) > PROMPTS:
        raise SlackError("invalid_arguments", [f"[ERROR] 1 to {PROMPTS} prompts [json-pointer:/prompts]"])
    for index, prompt in enumerate(prompts):
        if not isinstance(prompt, dict) or not prompt.get("title") or not prompt.get("message"):
            raise SlackError("invalid_arguments", [f"[ERROR] title and message [json-pointer:/prompts/{index}]"])
    if thread_ts:
        return {}
    offered: Json = {
        "title": call.text("title"),
        "prompts": [{k: str(p[k]) for k in ("title", "message")} for p in prompts],
    }
    call.world.prompts[channel.id] = offered
    call.world.feed.publish("prompts", channel=channel.id, **offered)
    return {}


ASSISTANT = ("assistant:write",)
METHODS = (
    Method("agents.sessions.setStatus", set_status, Tier.THREE, ("chat:write",)),
    Method("agents.sessions.rename", rename, Tier.THREE, ("chat:write",)),
    Method("assistant.threads.setStatus", set_thread_status, Tier.THREE, (*ASSISTANT, "chat:write")),
    Method("assistant.threads.setTitle", set_thread_title, Tier.THREE, ASSISTANT),
    Method("assistant.threads.setSuggestedPrompts", set_suggested_prompts, Tier.FOUR, ASSISTANT),
)
