"""Streams and sessions: modes, tasks, ends, and what time does to them."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.models.blocks import ContextActionsBlock, FeedbackButtonsElement
from slack_sdk.models.blocks.basic_components import FeedbackButtonObject
from slack_sdk.models.messages.chunk import MarkdownTextChunk, PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import Workspace
from workspace import kit
from workspace.kit import Json, People, client_of, error_of


@pytest.fixture
async def where(people: People) -> Json:
    """Return a thread with a question in it, and who asked."""
    root, workspace = await people.say("what is broken?"), people.workspace
    channel, user = workspace.channels["general"], workspace.users["requester"]
    thread: Json = {"channel": channel, "thread_ts": root, "recipient_user_id": user}
    return thread | {"recipient_team_id": workspace.team_id}


async def status(people: People) -> str:
    (session,) = (await people.see("state"))["sessions"]
    return str(session["status"])


async def test_the_sdks_stream_is_read_while_it_is_written(client: AsyncWebClient, people: People, where: Json) -> None:
    stream = await client.chat_stream(**where, task_display_mode="plan", buffer_size=1)
    await stream.append(
        chunks=[PlanUpdateChunk(title="Looking"), TaskUpdateChunk(id="1", title="Read", status="in_progress")]
    )
    shown = await people.last(thread=where["thread_ts"])
    assert (shown["streaming_state"], shown["stream"]["plan_title"]) == ("in_progress", "Looking")
    assert await status(people) == "processing"
    await stream.append(chunks=[TaskUpdateChunk(id="1", title="Read", status="complete", output="all well")])
    feedback = FeedbackButtonsElement(
        action_id="feedback",
        positive_button=FeedbackButtonObject(text="Good", value="+1"),
        negative_button=FeedbackButtonObject(text="Bad", value="-1"),
    )
    ended = await stream.stop(
        chunks=[MarkdownTextChunk(text="**Nothing**")], blocks=[ContextActionsBlock(elements=[feedback])]
    )
    assert [block["type"] for block in ended["message"]["blocks"]] == ["plan", "markdown", "context_actions"]
    (task,) = ended["message"]["blocks"][0]["tasks"]
    assert (task["status"], task["title"]) == ("complete", "Read")
    read = (await client.conversations_replies(channel=where["channel"], ts=where["thread_ts"]))["messages"][1]
    assert (read["streaming_state"], read["text"]) == ("completed", "**Nothing**")
    assert await status(people) == "active"


async def start(client: AsyncWebClient, where: Json, **more: Any) -> Json:
    started = await client.chat_startStream(**where, **more)
    return {"channel": started["channel"], "ts": started["ts"]}


def task(**facts: Any) -> list[Json]:
    return [{"type": "task_update", "id": "1", "title": "Read", "status": "in_progress", **facts}]


async def test_title_and_status_are_replaced_but_details_and_output_grow(
    client: AsyncWebClient, people: People, where: Json
) -> None:
    stream = await start(client, where, chunks=task(details="one ", output="a"))
    await client.chat_appendStream(
        **stream, chunks=task(details="two", output="b", title="Read more", status="complete")
    )
    (shown,) = (await people.last(thread=where["thread_ts"]))["stream"]["tasks"]
    assert (shown["title"], shown["status"]) == ("Read more", "complete")
    assert (shown["details"], shown["output"]) == ("one two", "ab")


async def test_the_first_payload_locks_the_mode(client: AsyncWebClient, where: Json) -> None:
    stream = await start(client, where)
    await client.chat_appendStream(**stream, markdown_text="one ")
    assert await error_of(client.chat_appendStream(**stream, chunks=task())) == "streaming_mode_mismatch"
    assert await error_of(client.chat_stopStream(**stream, chunks=task())) == "streaming_mode_mismatch"
    both = client.chat_appendStream(**stream, markdown_text="x", chunks=task())
    assert await error_of(both) == "cannot_provide_both_markdown_text_and_chunks"
    neither = client.api_call("chat.appendStream", json=stream)
    assert await error_of(neither) == "markdown_text_or_chunks_required"
    ended = await client.chat_stopStream(**stream, markdown_text="two")
    assert ended["message"]["text"] == "one two"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"recipient_user_id": None}, "missing_recipient_user_id"),
        ({"recipient_team_id": None}, "missing_recipient_team_id"),
        ({"recipient_user_id": "U0NOBODY"}, "user_not_found"),
        ({"thread_ts": "1.000001"}, "thread_not_found"),
        ({"task_display_mode": "loud"}, "invalid_arguments"),
        ({"chunks": [{"type": "task_update", "id": "1", "title": "x", "status": "perhaps"}]}, "invalid_chunks"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
    ],
)
async def test_what_cannot_start_is_refused(client: AsyncWebClient, where: Json, more: Json, error: str) -> None:
    body = {name: value for name, value in {**where, **more}.items() if value is not None}
    assert await error_of(client.api_call("chat.startStream", json=body)) == error


async def test_a_stream_holds_fifty_blocks_and_its_end_fifty_more(client: AsyncWebClient, where: Json) -> None:
    divider = {"type": "divider"}
    stream = await start(client, where, chunks=[{"type": "blocks", "blocks": [divider] * 50}])
    more = client.chat_appendStream(**stream, chunks=[{"type": "blocks", "blocks": [divider]}])
    assert await error_of(more) == "msg_blocks_too_many"
    assert await error_of(client.chat_stopStream(**stream, blocks=[divider] * 51)) == "msg_blocks_too_many"
    ended = await client.chat_stopStream(**stream, blocks=[divider] * 50)
    assert len(ended["message"]["blocks"]) == 100


async def test_a_stream_ends_by_itself_after_five_minutes(client: AsyncWebClient, people: People, where: Json) -> None:
    stream = await start(client, where, chunks=task())
    await people.advance(299)
    await client.chat_appendStream(**stream, chunks=task(title="Still at it"))
    await people.advance(2)
    await kit.eventually(lambda: status(people), "active")
    assert await error_of(client.chat_appendStream(**stream, chunks=task())) == "message_not_in_streaming_state"
    assert await error_of(client.chat_stopStream(**stream)) == "message_not_in_streaming_state"
    shown = await people.last(thread=where["thread_ts"])
    assert shown["stream"]["tasks"][0]["status"] == "error"
    assert await status(people) == "active"
    await client.chat_update(**stream, text="The whole text")


async def test_an_open_stream_is_neither_updated_nor_deleted(client: AsyncWebClient, where: Json) -> None:
    stream = await start(client, where, markdown_text="hm")
    assert await error_of(client.chat_update(**stream, text="x")) == "streaming_state_conflict"
    assert await error_of(client.chat_delete(**stream)) == "cant_delete_message"
    await client.chat_stopStream(**stream)
    await client.chat_update(**stream, text="x")
    assert await error_of(client.chat_appendStream(**stream, markdown_text="x")) == "message_not_in_streaming_state"
    await client.chat_delete(**stream)
    assert await error_of(client.chat_appendStream(**stream, markdown_text="x")) == "message_not_found"


async def test_only_a_stream_of_the_app_can_be_written_to(client: AsyncWebClient, people: People, where: Json) -> None:
    theirs = {"channel": where["channel"], "ts": where["thread_ts"]}
    assert await error_of(client.chat_appendStream(**theirs, markdown_text="x")) == "message_not_owned_by_app"


async def test_stop_ends_every_stream_of_the_thread_and_leaves_the_status(
    client: AsyncWebClient, people: People, where: Json
) -> None:
    streams = [await start(client, where, markdown_text="hm") for _ in range(2)]
    stopped = await people.did("stop", channel="general", thread_ts=where["thread_ts"])
    assert stopped["streaming_message_ts"] == [stream["ts"] for stream in streams]
    for stream in streams:
        assert await error_of(client.chat_appendStream(**stream, markdown_text="x")) == "stopped_by_user"
        assert await error_of(client.chat_stopStream(**stream)) == "message_not_in_streaming_state"
    assert await status(people) == "processing"


async def test_a_session_begins_with_its_first_status(client: AsyncWebClient, people: People, where: Json) -> None:
    thread = {"channel_id": where["channel"], "thread_ts": where["thread_ts"]}
    assert await error_of(client.agents_sessions_rename(**thread, title="x")) == "not_authorized"
    answer = await client.agents_sessions_setStatus(**thread, status="processing", title="Shop: down")
    assert (answer["status"], answer["agent_status"], answer["title"]) == ("processing", "processing", "Shop_ down")
    again = await client.agents_sessions_setStatus(**thread, status="suspended", title="Another")
    assert (again["status"], again["title"]) == ("suspended", "Shop_ down")
    assert (await client.agents_sessions_rename(**thread, title="Better"))["title"] == "Better"


async def test_processing_ends_after_an_hour_unless_it_is_said_again(
    client: AsyncWebClient, people: People, where: Json
) -> None:
    thread = {"channel_id": where["channel"], "thread_ts": where["thread_ts"]}
    await client.agents_sessions_setStatus(**thread, status="processing")
    await people.advance(3000)
    await client.agents_sessions_setStatus(**thread, status="processing")
    await people.advance(3000)
    assert await status(people) == "processing"
    await people.advance(601)
    await kit.eventually(lambda: status(people), "active")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"thread_ts": ""}, "thread_ts_required"),
        ({"status": "busy"}, "invalid_status"),
        ({"channel_id": "C0NONE"}, "channel_not_found"),
        ({"initiator_user_id": "U0NOBODY"}, "user_not_found"),
        ({"title": "x" * 201}, "invalid_arguments"),
        ({"thread_ts": "1.000001"}, "thread_not_found"),
    ],
)
async def test_a_status_that_makes_no_sense_is_refused(
    client: AsyncWebClient, where: Json, more: Json, error: str
) -> None:
    body = {"channel_id": where["channel"], "thread_ts": where["thread_ts"], "status": "active", **more}
    assert await error_of(client.api_call("agents.sessions.setStatus", json=body)) == error


async def test_processing_warns_an_app_that_cannot_be_stopped(http: Any) -> None:
    def deaf(text: Json) -> None:
        text["settings"]["event_subscriptions"]["bot_events"].remove("agent_session_stopped")

    async with Workspace(kit.settings(app=kit.manifest(deaf))) as workspace:
        people, client = People(workspace, http), client_of(workspace)
        thread = {"channel_id": workspace.channels["general"], "thread_ts": await people.say("x")}
        answer = await client.agents_sessions_setStatus(**thread, status="processing")
        assert answer["warning"] == "missing_agent_session_stopped_event_subscription"
        stop = await people.do("stop", channel="general", thread_ts=thread["thread_ts"])
        assert stop["error"] == "not_stoppable"


async def test_an_app_that_is_no_agent_has_no_sessions(http: Any) -> None:
    async with Workspace(kit.settings(app=kit.manifest(lambda text: text["features"].pop("agent_view")))) as workspace:
        thread = {"channel_id": workspace.channels["general"], "thread_ts": await People(workspace, http).say("x")}
        client = client_of(workspace)
        assert await error_of(client.agents_sessions_setStatus(**thread, status="active")) == "not_agent_app"


async def test_the_older_status_is_a_bridge_to_the_session(client: AsyncWebClient, people: People, where: Json) -> None:
    thread = {"channel_id": where["channel"], "thread_ts": where["thread_ts"]}
    await client.assistant_threads_setStatus(**thread, status="is thinking", loading_messages=["one", "two"])
    (session,) = (await people.see("state"))["sessions"]
    assert (session["status"], session["note"]) == ("processing", "is thinking")
    await people.advance(121)

    async def note() -> str:
        return str((await people.see("state"))["sessions"][0]["note"])

    await kit.eventually(note, "")
    assert await status(people) == "processing"
    await client.assistant_threads_setStatus(**thread, status="")
    assert await status(people) == "active"
    await client.assistant_threads_setTitle(**thread, title="A title")
    assert (await people.see("state"))["sessions"][0]["title"] == "A title"


async def test_prompts_for_a_thread_go_nowhere(client: AsyncWebClient, people: People) -> None:
    dm = (await people.did("open_dm"))["channel"]
    prompts = [{"title": "Help", "message": "help me"}]
    root = await people.say("hello", channel=dm)
    await client.assistant_threads_setSuggestedPrompts(channel_id=dm, thread_ts=root, prompts=prompts)
    assert (await people.did("open_dm"))["prompts"] is None
    await client.assistant_threads_setSuggestedPrompts(channel_id=dm, prompts=prompts, title="Try")
    assert (await people.did("open_dm"))["prompts"] == {"title": "Try", "prompts": prompts}
    many = client.assistant_threads_setSuggestedPrompts(channel_id=dm, prompts=prompts * 5)
    assert await error_of(many) == "invalid_arguments"


async def test_a_direct_message_is_streamed_to_without_naming_anybody(client: AsyncWebClient, people: People) -> None:
    dm = (await people.did("open_dm"))["channel"]
    root = await people.say("hello", channel=dm)
    stream = await client.chat_startStream(channel=dm, thread_ts=root, markdown_text="hi")
    await client.chat_stopStream(channel=dm, ts=stream["ts"], session_status="suspended")
    assert await status(people) == "suspended"
    assert (await people.last(dm, thread=root))["text"] == "hi"


async def test_tasks_stand_alone_on_a_timeline_and_together_in_a_plan(client: AsyncWebClient, where: Json) -> None:
    second = {"type": "task_update", "id": "2", "title": "Write", "status": "pending"}
    text = {"type": "markdown_text", "text": "so far"}
    kinds = {}
    for display in ("timeline", "plan"):
        stream = await start(client, where, task_display_mode=display, chunks=[*task(details="d"), text, second])
        blocks = (await client.chat_stopStream(**stream))["message"]["blocks"]
        kinds[display] = [block["type"] for block in blocks]
    assert kinds == {"timeline": ["task_card", "markdown", "task_card"], "plan": ["plan", "markdown"]}
    assert [one["task_id"] for one in blocks[0]["tasks"]] == ["1", "2"]
    assert blocks[0]["tasks"][0]["details"]["elements"][0]["elements"] == [{"type": "text", "text": "d"}]
    assert blocks[0]["tasks"][0]["status"] == "error"
