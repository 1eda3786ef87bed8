"""chat.startStream, appendStream and stopStream: a message written while people read it."""

from __future__ import annotations

from typing import Any

from sysop.blockkit import Problem, check_blocks, check_chunks, check_message
from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.chat import WRITE, new_message, refuse, root_of
from sysop.workspace.methods.method import Call, Method, missing
from sysop.workspace.state import publish, shapes, turns
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.messages import Message
from sysop.workspace.state.sessions import STATUSES
from sysop.workspace.state.streams import BLOCKS, TEXT, Stream
from sysop.workspace.state.views import named
from sysop.workspace.wire import Json

DISPLAYS = ("timeline", "plan", "dense")


def start(call: Call) -> Json:
    """Start a stream in a thread."""
    channel = call.open_channel()
    thread_ts = root_of(call, channel)
    if thread_ts is None:
        raise missing("thread_ts")
    _check_recipients(call, channel)
    display = call.text("task_display_mode", "timeline")
    if display not in DISPLAYS:
        raise SlackError("invalid_arguments", [f"[ERROR] must be one of {', '.join(DISPLAYS)}"])
    message = new_message(call, channel, thread_ts=thread_ts, stream=Stream(display))
    _take(call, message, must=False)
    turns.begin_stream(call.world, message)
    return {"channel": channel.id, "ts": message.ts}


def _check_recipients(call: Call, channel: Channel) -> None:
    if channel.kind != "dm":
        for name in ("recipient_user_id", "recipient_team_id"):
            if not call.text(name):
                raise SlackError(f"missing_{name}")
    if call.text("recipient_user_id") and call.user("recipient_user_id").id not in channel.members:
        raise SlackError("user_not_found")


def append(call: Call) -> Json:
    """Add to a stream."""
    message, _ = _streaming(call, stopped="stopped_by_user")
    _take(call, message, must=True)
    publish.streamed(call.world, message)
    return {"channel": message.channel, "ts": message.ts}


def stop(call: Call) -> Json:
    """End a stream, with last words and blocks below it."""
    message, stream = _streaming(call)
    status = call.text("session_status", "active")
    if status not in STATUSES:
        raise SlackError("invalid_arguments", [f"[ERROR] session_status must be one of {', '.join(STATUSES)}"])
    blocks, metadata = _ending(call)
    _take(call, message, must=False)
    if blocks:
        message.blocks = named(blocks, call.world.ids)
    if metadata is not None:
        message.metadata = metadata
    turns.end_stream(call.world, message, "stopped", status)
    assert not stream.open
    shown = shapes.message(call.world, message, metadata=True)
    return {"channel": message.channel, "ts": message.ts, "message": shown}


def _ending(call: Call) -> tuple[list[Json] | None, Json | None]:
    blocks = call.structured("blocks", "invalid_blocks_format")
    metadata = call.structured("metadata", "invalid_metadata_format")
    if blocks is not None:
        refuse(check_blocks(blocks, "message"))
    if metadata is not None:
        refuse(check_message({"text": "-", "metadata": metadata}))
    return blocks, metadata


def _streaming(call: Call, stopped: str = "message_not_in_streaming_state") -> tuple[Message, Stream]:
    """Return a stream of the bot that can still be written to; `stopped` is the error after a person's Stop."""
    message = call.message(call.channel())
    if not message.from_app:
        raise SlackError("message_not_owned_by_app")
    if message.stream is None:
        raise SlackError("message_not_in_streaming_state")
    if not message.stream.open:
        by_user = message.stream.ended == "stopped_by_user"
        raise SlackError(stopped if by_user else "message_not_in_streaming_state")
    return message, message.stream


def _take(call: Call, message: Message, *, must: bool) -> None:
    """Add one call's text or chunks; the first one locks which of both."""
    stream = message.stream
    assert stream is not None
    text, chunks = call.text("markdown_text"), call.structured("chunks", "invalid_chunks")
    if text and chunks:
        raise SlackError("cannot_provide_both_markdown_text_and_chunks")
    if not text and not chunks:
        if must:
            raise SlackError("markdown_text_or_chunks_required")
        return
    mode = "text" if text else "chunks"
    if stream.mode not in (None, mode):
        raise SlackError("streaming_mode_mismatch")
    refuse(_problems(stream, text, chunks))
    stream.mode = mode
    if text:
        stream.write(text)
    else:
        stream.take(_named_chunks(call, chunks))


def _problems(stream: Stream, text: str, chunks: Any) -> list[Problem]:
    if text:
        found = check_message({"markdown_text": text})
        added, blocks = len(text), 0
    else:
        found = check_chunks(chunks)
        if found:
            return found
        added = sum(len(chunk["text"]) for chunk in chunks if chunk["type"] == "markdown_text")
        blocks = sum(len(chunk["blocks"]) for chunk in chunks if chunk["type"] == "blocks")
    if blocks and stream.block_count + blocks > BLOCKS:
        found.append(Problem("/chunks", f"no more than {BLOCKS} blocks in a stream", "msg_blocks_too_many"))
    if len(stream.text) + added > TEXT:
        found.append(Problem("/markdown_text", f"no more than {TEXT} characters in a message", "msg_too_long"))
    return found


def _named_chunks(call: Call, chunks: list[Json]) -> list[Json]:
    ids = call.world.ids
    return [c | {"blocks": named(c["blocks"], ids)} if c["type"] == "blocks" else c for c in chunks]


METHODS = (
    Method("chat.startStream", start, Tier.TWO, WRITE),
    Method("chat.appendStream", append, Tier.FOUR, WRITE),
    Method("chat.stopStream", stop, Tier.TWO, WRITE),
)
