"""Events: what the app hears, in which shape, and what it never hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from workspace import kit
from workspace.kit import App, Json

Connect = Callable[..., Any]


def everything(app: App) -> None:
    app.hears(*(event.partition(".")[0] for event in kit.EVENTS))


async def test_a_mention_arrives_twice_with_two_ids_and_one_ts(connect: Connect) -> None:
    people, app = await connect(everything)
    workspace = people.workspace
    ts = await people.say("@probe what is broken?", files=[{"name": "a.txt", "content": "x"}])
    mention = await app.hear("app_mention")
    message = await app.hear("message", channel_type="channel")
    assert mention["ts"] == message["ts"] == ts
    assert mention["text"] == f"<@{workspace.bot_user_id}> what is broken?"
    assert (message["subtype"], message["files"][0]["name"]) == ("file_share", "a.txt")
    assert message["client_msg_id"]
    assert message["blocks"][0]["elements"][0]["elements"][0] == {"type": "user", "user_id": workspace.bot_user_id}
    first, second = app.heard
    assert first["event_id"] != second["event_id"]
    assert first["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": workspace.team_id,
            "user_id": workspace.bot_user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert (first["team_id"], first["api_app_id"]) == (workspace.team_id, workspace.app_id)
    assert first["is_ext_shared_channel"] is False


async def test_a_shared_channel_is_marked(connect: Connect) -> None:
    people, app = await connect(everything)
    await people.say("@probe hi", "external", "shop")
    await app.hear("app_mention")
    assert app.heard[0]["is_ext_shared_channel"] is True
    assert app.heard[0]["event"]["user"] == people.workspace.users["external"]


async def test_a_direct_message_is_no_mention(connect: Connect) -> None:
    people, app = await connect(everything)
    dm = (await people.did("open_dm"))["channel"]
    assert (await app.hear("app_home_opened", tab="messages"))["channel"] == dm
    root = await people.say("@probe hi", channel=dm)
    await people.say("more", channel=dm, thread_ts=root)
    reply = await app.hear("message", text="more")
    assert (reply["channel_type"], reply["thread_ts"]) == ("im", root)
    assert reply["parent_user_id"] == people.workspace.users["requester"]
    assert app.events("app_mention") == []


async def test_changes_and_deletions_are_told_with_what_was_before(connect: Connect) -> None:
    people, app = await connect(everything)
    ts = await people.say("frist")
    await people.did("edit", channel="general", ts=ts, text="first")
    changed = await app.hear("message", subtype="message_changed")
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("first", "frist")
    assert (changed["hidden"], changed["message"]["ts"]) == (True, ts)
    assert changed["message"]["edited"]["user"] == people.workspace.users["requester"]
    await people.did("delete", channel="general", ts=ts)
    deleted = await app.hear("message", subtype="message_deleted")
    assert (deleted["deleted_ts"], deleted["previous_message"]["text"]) == (ts, "first")
    assert await people.messages() == []


async def test_reactions_and_joins_are_told(connect: Connect) -> None:
    people, app = await connect(everything)
    ts = await people.say("x")
    await people.did("reaction", "lead", channel="general", message_ts=ts, name="eyes")
    added = await app.hear("reaction_added")
    assert (added["reaction"], added["item"]["ts"]) == ("eyes", ts)
    assert (added["user"], added["item_user"]) == (
        people.workspace.users["lead"],
        people.workspace.users["requester"],
    )
    await people.did("reaction", "lead", channel="general", message_ts=ts, name="eyes", remove=True)
    await app.hear("reaction_removed")
    await people.did("join", "external", channel="general")
    joined = await app.hear("member_joined_channel")
    assert (joined["user"], joined["channel_type"]) == (people.workspace.users["external"], "C")


async def test_what_people_do_with_a_session_is_told(connect: Connect) -> None:
    people, app = await connect(everything)
    root = await people.say("x")
    where: Json = {"channel_id": people.workspace.channels["general"], "thread_ts": root}
    await app.client.agents_sessions_setStatus(**where, status="processing")
    thread = {"channel": "general", "thread_ts": root}
    await people.did("rename", **thread, title="One")
    assert "previous_title" not in await app.hear("agent_session_title_changed", title="One")
    await people.did("rename", **thread, title="Two: better")
    assert (await app.hear("agent_session_title_changed", title="Two_ better"))["previous_title"] == "One"
    await people.did("stop", **thread)
    stopped = await app.hear("agent_session_stopped")
    assert (stopped["thread_ts"], stopped["streaming_message_ts"]) == (root, [])
    await people.did("context", channel="shop")
    (entity,) = (await app.hear("app_context_changed"))["context"]["entities"]
    assert entity["value"] == people.workspace.channels["shop"]


async def test_only_what_is_subscribed_from_where_the_bot_is_gets_sent(connect: Connect) -> None:
    def fewer(text: Json) -> None:
        text["settings"]["event_subscriptions"]["bot_events"] = ["app_mention", "message.groups"]

    people, app = await connect(everything, app=kit.manifest(fewer))
    await people.say("nothing for you")
    await people.did("open_home")
    den = (await app.client.conversations_create(name="den", is_private=True))["channel"]["id"]
    await app.client.conversations_invite(channel=den, users=people.workspace.users["requester"])
    await people.say("for you", channel="den")
    assert (await app.hear("message"))["channel_type"] == "group"
    await people.say("@probe and this")
    await app.hear("app_mention")
    assert len(app.heard) == 2


async def test_a_bots_own_messages_are_told_but_bolt_drops_them(connect: Connect) -> None:
    people, app = await connect(everything)
    await app.client.chat_postMessage(channel="general", text="mine")
    await app.client.chat_postEphemeral(channel="general", user=people.workspace.users["lead"], text="hidden")
    envelopes = await people.log("envelope")
    assert [e["payload"]["event"]["text"] for e in envelopes] == ["mine"]
    assert envelopes[0]["payload"]["event"]["bot_id"] == people.workspace.bot_id
    await asyncio.sleep(0.05)
    assert app.heard == []


async def test_a_message_under_another_name_is_a_bot_message(connect: Connect) -> None:
    def customize(text: Json) -> None:
        text["oauth_config"]["scopes"]["bot"].append("chat:write.customize")

    people, app = await connect(everything, app=kit.manifest(customize))
    await app.client.chat_postMessage(channel="general", text="hi", username="Watcher", icon_emoji=":eyes:")
    (envelope,) = await people.log("envelope")
    event = envelope["payload"]["event"]
    assert (event["subtype"], event["username"], event["icons"]) == ("bot_message", "Watcher", {"emoji": ":eyes:"})


async def test_the_end_of_a_token_is_the_last_thing_told(connect: Connect) -> None:
    people, app = await connect(everything)
    await people.did("revoke", uninstall=True)
    revoked = await app.hear("tokens_revoked")
    assert revoked["tokens"] == {"oauth": [], "bot": [people.workspace.bot_user_id]}
    await app.hear("app_uninstalled")
    await people.say("anybody there?")
    assert len(await people.log("envelope")) == 2


async def test_an_app_flooded_with_events_is_told_so_once_a_minute(connect: Connect) -> None:
    people, _ = await connect(lambda app: None, events_per_hour=2)
    await people.did("clock", scale=0)
    for _ in range(5):
        await people.say("x")
    told = [entry["payload"] for entry in await people.log("envelope", attempt=0)]
    assert [payload["type"] for payload in told] == ["event_callback", "event_callback", "app_rate_limited"]
    assert told[2]["minute_rate_limited"] % 60 == 0
    await people.advance(3601)
    await people.say("x")
    assert (await people.log("envelope", attempt=0))[-1]["payload"]["type"] == "event_callback"
