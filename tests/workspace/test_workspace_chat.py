"""chat.*: what Slack takes, what it refuses, and what stays."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import Workspace
from workspace.kit import GENERAL, Json, People, error_of, refused

RICH: Json = {
    "type": "rich_text",
    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
}
SECTION: Json = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
METADATA: Json = {"event_type": "probe", "event_payload": {"outbox": "1"}}


async def test_a_message_comes_back_as_it_was_posted(client: AsyncWebClient, workspace: Workspace) -> None:
    posted = await client.chat_postMessage(channel="general", text="hello", blocks=[SECTION], metadata=METADATA)
    assert posted["channel"] == workspace.channels["general"]
    assert posted["message"]["bot_id"] == workspace.bot_id
    read = (await client.conversations_history(channel=posted["channel"]))["messages"][0]
    assert (read["text"], read["ts"], read["user"]) == ("hello", posted["ts"], workspace.bot_user_id)
    assert read["blocks"][0]["block_id"]
    assert "metadata" not in read
    with_metadata = await client.conversations_history(channel=posted["channel"], include_all_metadata=True)
    assert with_metadata["messages"][0]["metadata"] == METADATA


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "x", "blocks": [SECTION] * 51}, "msg_blocks_too_many"),
        ({"text": "x", "blocks": [{"type": "mystery"}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "alert", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"text": "x", "blocks": '{"no'}, "invalid_blocks_format"),
        ({"text": "x", "blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"text": "x", "metadata": {"event_type": "only"}}, "invalid_metadata_schema"),
        ({"text": "x", "attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
        ({"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"text": "x", "username": "Somebody else"}, "missing_scope"),
        ({"text": "x", "channel": "nowhere"}, "channel_not_found"),
        ({"text": "x", "channel": ""}, "invalid_arguments"),
    ],
)
async def test_what_slack_refuses_is_refused(client: AsyncWebClient, args: dict[str, Any], error: str) -> None:
    body = {"channel": "general", **args}
    assert await error_of(client.api_call("chat.postMessage", json=body)) == error


async def test_a_refusal_says_where(client: AsyncWebClient) -> None:
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    error = await refused(client.chat_postMessage(channel="general", text="x", blocks=[SECTION, long]))
    assert error.response["error"] == "invalid_blocks"
    (message,) = error.response["response_metadata"]["messages"]
    assert message.startswith("[ERROR] ")
    assert message.endswith("[json-pointer:/blocks/1/text/text]")


async def test_a_thread_has_a_root_and_counts_its_replies(client: AsyncWebClient, people: People) -> None:
    root = await people.say("who is there?")
    first = await client.chat_postMessage(channel="general", thread_ts=root, text="me")
    assert await error_of(client.chat_postMessage(channel="general", thread_ts=first["ts"], text="x")) == (
        "cannot_reply_to_message"
    )
    await client.chat_postMessage(channel="general", thread_ts=root, text="and all know", reply_broadcast=True)
    thread = (await client.conversations_replies(channel=GENERAL, ts=root))["messages"]
    assert [message["text"] for message in thread] == ["who is there?", "me", "and all know"]
    assert (thread[0]["reply_count"], thread[0]["latest_reply"]) == (2, thread[2]["ts"])
    assert thread[1]["parent_user_id"] == people.workspace.users["requester"]
    channel = (await client.conversations_history(channel=GENERAL))["messages"]
    assert [message["text"] for message in channel] == ["and all know", "who is there?"]
    assert channel[0]["subtype"] == "thread_broadcast"


async def test_a_person_is_written_to_by_their_id(client: AsyncWebClient, people: People) -> None:
    posted = await client.chat_postMessage(channel=people.workspace.users["lead"], text="psst")
    assert posted["channel"].startswith("D")
    assert (await people.last(posted["channel"], "lead"))["text"] == "psst"
    assert (await people.see(f"messages/{posted['channel']}", "requester"))["error"] == "not_in_channel"


async def test_an_ephemeral_is_for_one_person_and_cannot_be_updated(client: AsyncWebClient, people: People) -> None:
    lead = people.workspace.users["lead"]
    posted = await client.chat_postEphemeral(channel="general", user=lead, text="only you")
    assert (await people.last(user="lead"))["is_ephemeral"]
    assert await people.messages(user="requester") == []
    assert (await client.conversations_history(channel=GENERAL))["messages"] == []
    update = client.chat_update(channel=people.workspace.channels["general"], ts=posted["message_ts"], text="x")
    assert await error_of(update) == "message_not_found"
    outside = client.chat_postEphemeral(channel="general", user=people.workspace.users["external"], text="x")
    assert await error_of(outside) == "user_not_in_channel"


async def test_an_update_keeps_what_it_leaves_out(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="general", text="one", blocks=[SECTION], metadata=METADATA)
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    answer = await client.chat_update(**where, text="two", blocks=[SECTION, SECTION])
    assert answer["message"]["metadata"] == METADATA
    assert (answer["text"], len(answer["message"]["blocks"])) == ("two", 2)
    assert "edited" not in answer["message"]
    answer = await client.chat_update(**where, text="only words", metadata={})
    assert "blocks" not in answer["message"]
    assert "metadata" not in answer["message"]
    assert answer["message"]["edited"]


async def test_rich_text_is_not_replaced_by_anything_else(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="general", text="card", blocks=[RICH, SECTION])
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    assert await error_of(client.chat_update(**where, text="x", blocks=[SECTION])) == "block_mismatch"
    assert await error_of(client.chat_update(**where, text="x")) == "block_mismatch"
    await client.chat_update(**where, text="x", blocks=[RICH])


async def test_an_update_holds_less_text_than_a_post(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="general", text="x" * 4001)
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    assert await error_of(client.chat_update(**where, text="x" * 4001)) == "msg_too_long"
    await client.chat_update(**where, text="x" * 4000)


async def test_only_ones_own_messages_can_be_changed(client: AsyncWebClient, people: People) -> None:
    ts = await people.say("mine")
    channel = people.workspace.channels["general"]
    assert await error_of(client.chat_update(channel=channel, ts=ts, text="yours")) == "cant_update_message"
    assert await error_of(client.chat_delete(channel=channel, ts=ts)) == "cant_delete_message"
    assert await error_of(client.chat_delete(channel=channel, ts="1.000001")) == "message_not_found"
    assert (await people.do("edit", "lead", channel="general", ts=ts, text="x"))["error"] == "not_yours"


async def test_a_deleted_root_leaves_a_tombstone_and_its_replies(client: AsyncWebClient, people: People) -> None:
    root = await client.chat_postMessage(channel="general", text="root")
    reply = await client.chat_postMessage(channel="general", text="reply", thread_ts=root["ts"])
    await client.chat_delete(channel=root["channel"], ts=root["ts"])
    assert (await people.last())["subtype"] == "tombstone"
    assert (await people.last(thread=reply["ts"]))["text"] == "reply"
    await client.chat_delete(channel=root["channel"], ts=reply["ts"])
    assert "reply_count" not in await people.last()


async def test_a_permalink_names_the_message_and_its_thread(client: AsyncWebClient, people: People) -> None:
    root = await people.say("here")
    reply = await client.chat_postMessage(channel="general", text="x", thread_ts=root)
    channel = people.workspace.channels["general"]
    link = (await client.chat_getPermalink(channel=channel, message_ts=reply["ts"]))["permalink"]
    assert link.endswith(f"/archives/{channel}/p{reply['ts'].replace('.', '')}?thread_ts={root}&cid={channel}")


async def test_every_ts_is_later_than_the_one_before(client: AsyncWebClient, people: People) -> None:
    await people.did("clock", scale=0)
    told = [(await client.chat_postMessage(channel=name, text="x"))["ts"] for name in ("general", "shop", "general")]
    assert told == sorted(set(told))
