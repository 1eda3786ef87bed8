"""Commands, clicks, shortcuts, options and response URLs, over both transports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from workspace import kit
from workspace.kit import App, Json

Connect = Callable[..., Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(value: str) -> Json:
    return {"text": plain(value.title()), "value": value}


CARD: Json = {
    "type": "actions",
    "block_id": "card",
    "elements": [
        {"type": "button", "action_id": "go", "text": plain("Go"), "value": "opaque", "style": "primary"},
        {
            "type": "static_select",
            "action_id": "pick",
            "placeholder": plain("?"),
            "options": [option("a"), option("b")],
        },
        {"type": "external_select", "action_id": "find", "placeholder": plain("?"), "min_query_length": 2},
    ],
}


class Desk:
    """An app that answers commands and clicks as the test says."""

    def __init__(self) -> None:
        self.got: list[Json] = []
        self.answer: Any = "done"

    def register(self, app: App) -> None:
        bolt = app.bolt

        @bolt.command("/probe")
        async def probe(ack: Any, body: Json) -> None:
            self.got.append(body)
            await ack(**self.answer) if isinstance(self.answer, dict) else await ack(self.answer)

        bolt.command("/plain")(probe)

        @bolt.action("go")
        async def go(ack: Any, body: Json) -> None:
            self.got.append(body)
            await ack()

        bolt.action("pick")(go)
        bolt.shortcut("look")(go)

        @bolt.options("find")
        async def find(ack: Any, body: Json) -> None:
            self.got.append(body)
            await ack(options=[option("found")])


async def post_card(app: App, channel: str = "general", **more: Any) -> Json:
    posted = await app.client.chat_postMessage(channel=channel, text="card", blocks=[CARD], **more)
    return {"channel": posted["channel"], "message_ts": posted["ts"]}


async def test_a_command_is_answered_to_its_person_alone(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    answer = await people.did("command", channel="general", text="/probe ask @lead about #shop & <more>")
    assert answer["message"]["is_ephemeral"]
    assert (await people.last())["text"] == "done"
    assert await people.messages(user="lead") == []
    (body,) = desk.got
    users, channels = people.workspace.users, people.workspace.channels
    assert body["text"] == f"ask <@{users['lead']}|lead> about <#{channels['shop']}|shop> &amp; &lt;more&gt;"
    assert (body["user_id"], body["channel_name"], body["team_id"]) == (
        users["requester"],
        "general",
        people.workspace.team_id,
    )
    assert body["trigger_id"].count(".") == 2
    assert "thread_ts" not in body


async def test_a_command_that_does_not_escape_gets_what_was_typed(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("command", channel="general", text="/plain @lead")
    assert desk.got[0]["text"] == "@lead"


async def test_a_command_can_be_answered_in_the_channel_or_not_at_all(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    desk.answer = {"response_type": "in_channel", "text": "for all"}
    await people.did("command", channel="general", text="/probe x")
    assert [m["text"] for m in await people.messages(user="lead")] == ["/probe x", "for all"]
    desk.answer = ""
    answer = await people.did("command", channel="general", text="/probe")
    assert "message" not in answer
    desk.answer = {"blocks": [{"type": "mystery"}]}
    answer = await people.do("command", channel="general", text="/probe")
    assert (answer["ok"], answer["error"]) == (False, "invalid_blocks")


async def test_an_unknown_command_never_reaches_the_app(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    assert (await people.do("command", channel="general", text="/nothing"))["error"] == "no_such_command"
    assert (await people.do("command", "external", channel="general", text="/probe"))["error"] == "not_in_channel"
    assert (await people.do("command", "probe", channel="general", text="/probe"))["error"] == "user_not_found"
    assert desk.got == []


async def test_a_command_that_is_not_listened_to_fails_for_the_person(connect: Connect) -> None:
    people, _ = await connect(lambda app: None)
    answer = await people.late("command", channel="general", text="/probe")
    assert (answer["ok"], answer["acknowledged"]) == (False, False)
    assert answer["error"] == ("dispatch_failed" if answer["reason"] == "http_error" else "operation_timeout")


async def test_a_late_answer_is_shown_as_an_error(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("deliveries", kind="lose_ack", type="slash_commands")
    answer = await people.late("command", channel="general", text="/probe")
    assert (answer["error"], answer["late"]) == ("operation_timeout", True)
    assert answer["message"] == '/probe failed with the error "operation_timeout"'
    assert len(desk.got) == 1


async def test_a_click_tells_where_it_was_and_never_what_the_page_says(connect: Connect) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    root = await people.say("root")
    card = await post_card(app, thread_ts=root)
    done = await people.did("interact", "on-call", **card, action_id="go", block_id="card", value="forged")
    assert done["acknowledged"]
    (body,) = desk.got
    (action,) = body["actions"]
    assert (action["value"], action["style"], action["block_id"]) == ("opaque", "primary", "card")
    assert body["container"]["thread_ts"] == root
    assert body["container"]["message_ts"] == card["message_ts"] == body["message"]["ts"]
    assert body["user"]["id"] == people.workspace.users["on-call"]
    assert body["user"]["team_id"] == people.workspace.team_id
    assert (await people.do("interact", **card, action_id="gone"))["error"] == "element_not_found"


async def test_a_choice_is_one_of_the_options(connect: Connect) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    card = await post_card(app)
    chosen = {"action_id": "pick", "selected_option": {"value": "b", "text": plain("Forged")}}
    await people.did("interact", **card, **chosen)
    assert desk.got[0]["actions"][0]["selected_option"] == option("b")
    assert desk.got[0]["state"]["values"]["card"]["pick"]["selected_option"] == option("b")
    chosen["selected_option"] = {"value": "c"}
    assert (await people.do("interact", **card, **chosen))["error"] == "invalid_value"


async def test_options_are_asked_of_the_app(connect: Connect) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    card = await post_card(app)
    assert (await people.did("suggest", **card, action_id="find", value="f"))["options"] == []
    assert desk.got == []
    answer = await people.did("suggest", **card, action_id="find", value="fo")
    assert answer["options"] == [option("found")]
    assert (desk.got[0]["type"], desk.got[0]["value"]) == ("block_suggestion", "fo")


async def test_a_message_shortcut_carries_the_message(connect: Connect) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    ts = await people.say("look here")
    await people.did("shortcut", "lead", callback_id="look", channel="general", message_ts=ts)
    (body,) = desk.got
    assert (body["type"], body["message"]["text"], body["channel"]["name"]) == (
        "message_action",
        "look here",
        "general",
    )
    assert (await people.do("shortcut", callback_id="look"))["error"] == "no_such_shortcut"


async def test_a_button_for_some_is_not_there_for_others(connect: Connect) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    lead = people.workspace.users["lead"]
    button = {"type": "button", "action_id": "go", "text": plain("Go"), "visible_to_user_ids": [lead]}
    posted = await app.client.chat_postMessage(
        channel="general", text="x", blocks=[{"type": "actions", "elements": [button]}]
    )
    where = {"channel": "general", "message_ts": posted["ts"], "action_id": "go"}
    assert (await people.do("interact", **where))["error"] == "element_not_found"
    await people.did("interact", "lead", **where)


async def test_interactivity_must_be_on(connect: Connect) -> None:
    off = kit.manifest(lambda text: text["settings"].pop("interactivity"))
    people, _ = await connect(lambda app: None, app=off)
    assert (await people.do("shortcut", callback_id="begin"))["error"] == "interactivity_disabled"


async def respond(http: aiohttp.ClientSession, url: str, **body: Any) -> tuple[int, str]:
    async with http.post(url, json=body) as response:
        return response.status, await response.text()


async def test_a_response_url_answers_five_times(connect: Connect, http: aiohttp.ClientSession) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("command", channel="general", text="/probe")
    url = desk.got[0]["response_url"]
    assert await respond(http, url, text="one") == (200, "ok")
    assert await respond(http, url, text="two", response_type="in_channel") == (200, "ok")
    assert [m["text"] for m in await people.messages(user="lead")] == ["two"]
    status, text = await respond(http, url, blocks=[{"type": "mystery"}])
    assert (status, "invalid_blocks" in text) == (400, True)
    for _ in range(2):
        await respond(http, url, text="more")
    assert await respond(http, url, text="six") == (404, '{"ok": false, "error": "used_url"}')


async def test_a_response_url_dies_after_half_an_hour(connect: Connect, http: aiohttp.ClientSession) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("command", channel="general", text="/probe")
    await people.advance(1801)
    assert await respond(http, desk.got[0]["response_url"], text="x") == (404, '{"ok": false, "error": "expired_url"}')
    assert (await respond(http, people.workspace.url + "/hooks/guess", text="x"))[0] == 404


async def test_an_ephemeral_is_replaced_and_deleted_through_its_url_only(
    connect: Connect, http: aiohttp.ClientSession
) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    lead = people.workspace.users["lead"]
    posted = await app.client.chat_postEphemeral(channel="general", user=lead, text="card", blocks=[CARD])
    where = {"channel": "general", "message_ts": posted["message_ts"], "action_id": "go"}
    assert (await people.do("interact", **where))["error"] == "message_not_found"
    await people.did("interact", "lead", **where)
    body = desk.got[-1]
    assert body["container"]["is_ephemeral"]
    assert "message" not in body
    await respond(http, body["response_url"], text="replaced", replace_original=True)
    (shown,) = await people.messages(user="lead")
    assert (shown["text"], shown["ts"]) == ("replaced", posted["message_ts"])
    await respond(http, body["response_url"], delete_original=True)
    assert await people.messages(user="lead") == []


async def test_a_card_is_replaced_for_all_and_answered_in_its_thread(
    connect: Connect, http: aiohttp.ClientSession
) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    card = await post_card(app)
    await people.did("interact", "lead", **card, action_id="go")
    url = desk.got[-1]["response_url"]
    await respond(http, url, text="only the lead sees this", thread_ts=card["message_ts"])
    assert (await people.last(user="lead", thread=card["message_ts"]))["is_ephemeral"]
    await respond(http, url, text="decided", replace_original=True)
    assert (await people.last())["text"] == "decided"


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500)])
async def test_a_response_url_can_fail(connect: Connect, http: aiohttp.ClientSession, kind: str, status: int) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("command", channel="general", text="/probe")
    await people.did("faults", method="response_url", kind=kind)
    assert (await respond(http, desk.got[0]["response_url"], text="x"))[0] == status
    assert (await respond(http, desk.got[0]["response_url"], text="x"))[0] == 200


async def test_a_response_url_can_hang_and_answer_late(connect: Connect, http: aiohttp.ClientSession) -> None:
    desk = Desk()
    people, _ = await connect(desk.register)
    await people.did("command", channel="general", text="/probe")
    await people.did("faults", method="response_url", kind="hang", seconds=20)
    answering = asyncio.ensure_future(respond(http, desk.got[0]["response_url"], text="late"))
    await kit.until_log(people, "fault")
    assert (await people.last())["text"] == "done"
    await people.advance(20)
    assert await answering == (200, "ok")
    assert (await people.last())["text"] == "late"


async def test_feedback_is_one_of_two_buttons(connect: Connect) -> None:
    desk = Desk()
    people, app = await connect(desk.register)
    buttons = {f"{name}_button": {"text": plain(name), "value": name} for name in ("positive", "negative")}
    block = {"type": "context_actions", "elements": [{"type": "feedback_buttons", "action_id": "go", **buttons}]}
    posted = await app.client.chat_postMessage(channel="general", text="x", blocks=[block])
    where = {"channel": "general", "message_ts": posted["ts"], "action_id": "go"}
    await people.did("interact", **where, value="negative")
    assert desk.got[0]["actions"][0]["value"] == "negative"
    assert (await people.do("interact", **where, value="forged"))["error"] == "invalid_value"
