"""conversations.*, users.*, usergroups.*, reactions, pins and bookmarks."""

from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from workspace.kit import GENERAL, SHOP, People, error_of


async def test_channels_are_listed_page_by_page(client: AsyncWebClient) -> None:
    first = await client.conversations_list(limit=2)
    assert [channel["name"] for channel in first["channels"]] == ["incidents", "general"]
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_list(limit=2, cursor=cursor)
    assert [channel["name"] for channel in second["channels"]] == ["shop"]
    assert second["response_metadata"]["next_cursor"] == ""
    assert await error_of(client.conversations_list(cursor="forged")) == "invalid_cursor"
    assert await error_of(client.conversations_list(types="secret")) == "invalid_types"
    assert await error_of(client.conversations_list(limit=0)) == "invalid_limit"


async def test_a_shared_channel_says_so(client: AsyncWebClient) -> None:
    assert (await client.conversations_info(channel=SHOP))["channel"]["is_ext_shared"] is True
    assert (await client.conversations_info(channel=GENERAL))["channel"]["is_ext_shared"] is False


async def test_history_is_cut_by_time_and_paged_newest_first(client: AsyncWebClient, people: People) -> None:
    told = [await people.say(f"message {number}") for number in range(5)]
    where = {"channel": GENERAL}

    async def read(**bounds: str) -> list[str]:
        return [m["ts"] for m in (await client.conversations_history(**where, **bounds))["messages"]]

    assert await read() == told[::-1]
    assert await read(oldest=told[1], latest=told[3]) == [told[2]]
    assert await read(oldest=told[1], latest=told[3], inclusive="1") == told[3:0:-1]
    first = await client.conversations_history(**where, limit=2)
    assert (first["has_more"], len(first["messages"])) == (True, 2)
    cursor = first["response_metadata"]["next_cursor"]
    assert await read(cursor=cursor, limit="2") == [told[2], told[1]]
    assert await error_of(client.conversations_history(**where, oldest="yesterday")) == "invalid_ts_oldest"


async def test_replies_are_cut_by_time_but_keep_the_root(client: AsyncWebClient, people: People) -> None:
    root = await people.say("root")
    replies = [await people.say(f"reply {number}", thread_ts=root) for number in range(3)]
    read = await client.conversations_replies(channel=GENERAL, ts=root, oldest=replies[0])
    assert [message["ts"] for message in read["messages"]] == [root, *replies[1:]]
    assert await error_of(client.conversations_replies(channel=GENERAL, ts="1.000001")) == "thread_not_found"


async def test_a_private_channel_is_for_its_members(client: AsyncWebClient, people: People) -> None:
    lead = people.workspace.users["lead"]
    made = (await client.conversations_create(name="war-room", is_private=True))["channel"]
    assert made["is_private"]
    assert (await people.see("messages/war-room", "lead"))["error"] == "not_in_channel"
    assert (await people.do("join", "lead", channel="war-room"))["error"] == "channel_not_found"
    await client.conversations_invite(channel=made["id"], users=lead)
    assert await error_of(client.conversations_invite(channel=made["id"], users=lead)) == "already_in_channel"
    assert (await client.conversations_members(channel=made["id"]))["members"][-1] == lead
    assert await people.messages("war-room", "lead") == []
    assert await error_of(client.conversations_join(channel=made["id"])) == "method_not_supported_for_channel_type"


@pytest.mark.parametrize(
    ("name", "error"),
    [("", "invalid_name_required"), ("Loud", "invalid_name_specials"), ("x" * 81, "invalid_name_maxlength"),
     ("general", "name_taken")],
)  # fmt: skip
async def test_a_channel_needs_a_good_name(client: AsyncWebClient, name: str, error: str) -> None:
    assert await error_of(client.conversations_create(name=name)) == error


async def test_a_topic_is_set_and_shown(client: AsyncWebClient, people: People) -> None:
    await client.conversations_setTopic(channel=GENERAL, topic="All things")
    assert (await client.conversations_info(channel=GENERAL))["channel"]["topic"]["value"] == "All things"
    shown = (await people.see("state"))["channels"]
    assert next(channel for channel in shown if channel["name"] == "general")["topic"] == "All things"
    assert await error_of(client.conversations_setTopic(channel=GENERAL, topic="x" * 251)) == "too_long"


async def test_a_direct_message_is_opened_once(client: AsyncWebClient, people: People) -> None:
    lead = people.workspace.users["lead"]
    first, second = [await client.conversations_open(users=lead, return_im=True) for _ in range(2)]
    assert first["channel"]["id"] == second["channel"]["id"]
    assert first["channel"]["user"] == lead
    assert second["already_open"]
    assert await error_of(client.conversations_open(users="U0NOBODY")) == "user_not_found"


async def test_people_are_told_apart(client: AsyncWebClient, people: People) -> None:
    users = people.workspace.users
    guest = (await client.users_info(user=users["guest"]))["user"]
    external = (await client.users_info(user=users["external"]))["user"]
    bot = (await client.users_info(user=people.workspace.bot_user_id))["user"]
    assert (guest["is_restricted"], guest["is_stranger"]) == (True, False)
    assert external["is_stranger"] is True
    assert external["team_id"] != people.workspace.team_id
    assert bot["is_bot"] is True
    assert "email" not in guest["profile"]
    assert {member["id"] for member in (await client.users_list())["members"]} == set(users.values())
    assert await error_of(client.users_info(user="U0NOBODY")) == "user_not_found"


async def test_roles_are_user_groups(client: AsyncWebClient, people: People) -> None:
    groups = {g["handle"]: g for g in (await client.usergroups_list(include_users=True))["usergroups"]}
    users = people.workspace.users
    assert groups["oncall"]["users"] == [users["on-call"]]
    assert (await client.usergroups_users_list(usergroup=groups["leads"]["id"]))["users"] == [users["lead"]]
    assert await error_of(client.usergroups_users_list(usergroup="S0NONE")) == "no_such_subteam"


async def test_a_reaction_counts_once_for_each(client: AsyncWebClient, people: People) -> None:
    ts = await people.say("nice")
    where = {"channel": people.workspace.channels["general"], "timestamp": ts}
    await client.reactions_add(**where, name="eyes")
    assert await error_of(client.reactions_add(**where, name="eyes")) == "already_reacted"
    await people.did("reaction", "lead", channel="general", message_ts=ts, name="eyes")
    (eyes,) = (await client.reactions_get(**where))["message"]["reactions"]
    assert (eyes["name"], eyes["count"]) == ("eyes", 2)
    await client.reactions_remove(**where, name="eyes")
    assert await error_of(client.reactions_remove(**where, name="eyes")) == "no_reaction"
    assert await error_of(client.reactions_add(**where, name="not an emoji")) == "invalid_name"
    assert (await people.do("reaction", "lead", channel="general", message_ts=ts, name="eyes"))["error"] == (
        "already_reacted"
    )


async def test_pins_and_bookmarks_are_kept(client: AsyncWebClient, people: People) -> None:
    ts = await people.say("remember this")
    channel = people.workspace.channels["general"]
    await client.pins_add(channel=channel, timestamp=ts)
    assert await error_of(client.pins_add(channel=channel, timestamp=ts)) == "already_pinned"
    assert (await client.conversations_history(channel=channel))["pin_count"] == 1
    link = {"title": "Docs", "type": "link", "link": "https://example.com"}
    assert (await client.bookmarks_add(channel_id=channel, **link))["bookmark"]["title"] == "Docs"
    assert await error_of(client.bookmarks_add(channel_id=channel, title="x", type="link", link="javascript:x")) == (
        "invalid_link"
    )


async def test_only_posting_takes_a_channels_name(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="#general", text="x")
    assert posted["channel"] == GENERAL
    assert await error_of(client.conversations_info(channel="general")) == "channel_not_found"
    assert await error_of(client.chat_update(channel="general", ts=posted["ts"], text="y")) == "channel_not_found"


async def test_a_bot_that_was_put_out_can_read_about_a_channel_but_not_write(
    client: AsyncWebClient, people: People
) -> None:
    await people.did("remove", channel="general", who="probe")
    assert (await client.conversations_info(channel=GENERAL))["channel"]["is_member"] is False
    assert await error_of(client.conversations_history(channel=GENERAL)) == "not_in_channel"
    assert await error_of(client.chat_postMessage(channel=GENERAL, text="x")) == "not_in_channel"
    await people.say("@probe are you there?")
    assert await people.log("envelope") == []
    await client.conversations_join(channel=GENERAL)
    assert (await client.conversations_join(channel=GENERAL))["warning"] == "already_in_channel"
    await client.chat_postMessage(channel=GENERAL, text="back")


async def test_people_bring_others_into_a_channel(people: People) -> None:
    assert (await people.do("invite", "external", channel="general", who="probe"))["error"] == "not_in_channel"
    await people.did("invite", "lead", channel="general", who="external")
    await people.say("thank you", "external")
    assert (await people.do("invite", channel="general", who="nobody"))["error"] == "user_not_found"


async def test_an_archived_channel_takes_nothing_more(client: AsyncWebClient, people: People) -> None:
    await people.did("archive", channel="general")
    assert await error_of(client.chat_postMessage(channel=GENERAL, text="x")) == "is_archived"
    assert await error_of(client.conversations_setTopic(channel=GENERAL, topic="x")) == "is_archived"
    assert (await people.do("message", channel="general", text="x"))["error"] == "is_archived"
    names = [c["name"] for c in (await client.conversations_list(exclude_archived=True))["channels"]]
    assert names == ["incidents", "shop"]
