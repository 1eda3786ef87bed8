"""Modals and App Home: triggers, stacks, hashes, fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from workspace.kit import App, Json, People, error_of, until

BUTTON: Json = {
    "type": "actions",
    "block_id": "b",
    "elements": [
        {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "secret"}
    ],
}


def modal(title: str = "First", **more: Any) -> Json:
    element: Json = {"type": "plain_text_input", "action_id": "words", "min_length": 3}
    field = {"type": "input", "block_id": "field", "label": {"type": "plain_text", "text": "Words"}, "element": element}
    words = {name: {"type": "plain_text", "text": text} for name, text in (("title", title), ("submit", "Send"))}
    return {"type": "modal", "callback_id": "form", "blocks": [field, BUTTON], **words, **more}


def field(value: str) -> Json:
    return {"field": {"words": {"type": "plain_text_input", "value": value}}}


Connect = Callable[..., Any]


class Form:
    """An app whose global shortcut opens a modal; tests say what its submission answers."""

    def __init__(self) -> None:
        self.answer: Json = {}
        self.view: Json = modal()
        self.bodies: list[Json] = []
        self.opened: Json = {}

    def register(self, app: App) -> None:
        bolt = app.bolt

        @bolt.shortcut("begin")
        async def begin(ack: Any, body: Json, client: AsyncWebClient) -> None:
            await ack()
            self.bodies.append(body)
            self.opened = (await client.views_open(trigger_id=body["trigger_id"], view=self.view))["view"]

        @bolt.view("form")
        async def submitted(ack: Any, body: Json) -> None:
            self.bodies.append(body)
            await ack(**self.answer)

        @bolt.view_closed("form")
        async def closed(ack: Any, body: Json) -> None:
            self.bodies.append(body)
            await ack()

        @bolt.action("go")
        async def go(ack: Any, body: Json) -> None:
            self.bodies.append(body)
            await ack()

    async def open(self, people: People, user: str = "requester") -> str:
        """Open the modal and return its id."""
        await people.did("shortcut", user, callback_id="begin")
        await until(lambda: self.opened, "the modal")
        return str((await people.see("state", user))["views"][-1]["id"])

    @property
    def last(self) -> Json:
        """Return what the app got last."""
        return self.bodies[-1]


async def test_a_modal_is_submitted_with_what_was_typed(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    early = await people.do("view_submit", view_id=view, state=field(""))
    assert early["errors"] == {"field": "Please complete this required field."}
    assert "field" in (await people.do("view_submit", view_id=view, state=field("ab")))["errors"]
    assert len(form.bodies) == 1
    done = await people.did("view_submit", view_id=view, state=field("words"))
    assert done["acknowledged"]
    assert form.last["type"] == "view_submission"
    assert form.last["view"]["state"]["values"]["field"]["words"] == {"type": "plain_text_input", "value": "words"}
    assert form.last["user"]["id"] == people.workspace.users["requester"]
    assert (await people.see("state"))["views"] == []


async def test_errors_keep_the_modal_open_and_name_its_fields(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    form.answer = {"response_action": "errors", "errors": {"field": "not these words"}}
    answer = await people.do("view_submit", view_id=view, state=field("words"))
    assert (answer["error"], answer["errors"]) == ("view_errors", {"field": "not these words"})
    form.answer = {"response_action": "errors", "errors": {"nowhere": "x"}}
    assert (await people.do("view_submit", view_id=view, state=field("words")))["error"] == "invalid_errors"
    assert len((await people.see("state"))["views"]) == 1


async def test_an_answer_can_update_push_and_clear(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    form.answer = {"response_action": "update", "view": modal("Changed")}
    await people.did("view_submit", view_id=view, state=field("words"))
    (shown,) = (await people.see("state"))["views"]
    assert (shown["title"]["text"], shown["id"]) == ("Changed", view)
    form.answer = {"response_action": "push", "view": modal("Second")}
    await people.did("view_submit", view_id=view, state=field("words"))
    below, top = (await people.see("state"))["views"]
    assert (below["id"], top["previous_view_id"], top["root_view_id"]) == (view, view, view)
    assert (await people.do("view_submit", view_id=view, state=field("words")))["error"] == "view_not_found"
    form.answer = {"response_action": "clear"}
    await people.did("view_submit", view_id=top["id"], state=field("words"))
    assert (await people.see("state"))["views"] == []


async def test_an_answer_with_a_bad_view_is_trouble_for_the_person(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    form.answer = {"response_action": "update", "view": modal("x" * 25)}
    answer = await people.do("view_submit", view_id=view, state=field("words"))
    assert answer["error"] == "invalid_arguments"
    assert "/view/title" in answer["message"]
    (refused,) = await people.log("refused")
    assert refused["error"] == "invalid_arguments"


async def test_closing_is_told_only_if_asked_for(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    assert (await people.did("view_close", view_id=view))["notified"] == 0
    form.view, form.opened = modal(notify_on_close=True), {}
    view = await form.open(people)
    assert (await people.did("view_close", view_id=view))["notified"] == 1
    assert (form.last["type"], form.last["is_cleared"]) == ("view_closed", False)


async def test_a_button_in_a_modal_carries_the_view_and_its_state(connect: Connect) -> None:
    form = Form()
    people, _ = await connect(form.register)
    view = await form.open(people)
    await people.did("view_action", view_id=view, action_id="go", block_id="b", value="forged", state=field("typed"))
    (action,) = form.last["actions"]
    assert action["value"] == "secret"
    assert form.last["container"] == {"type": "view", "view_id": view}
    assert form.last["view"]["state"]["values"]["field"]["words"]["value"] == "typed"
    assert "response_url" not in form.last
    missing = await people.do("view_action", "lead", view_id=view, action_id="go")
    assert missing["error"] == "view_not_found"


async def test_a_trigger_is_good_once_and_for_three_seconds(connect: Connect) -> None:
    form = Form()
    people, app = await connect(form.register)
    await form.open(people)
    trigger = form.bodies[0]["trigger_id"]
    assert await error_of(app.client.views_open(trigger_id=trigger, view=modal())) == "exchanged_trigger_id"
    await people.did("view_action", view_id=form.opened["id"], action_id="go")
    late = form.last["trigger_id"]
    await people.advance(3.1)
    assert await error_of(app.client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"
    assert await error_of(app.client.views_open(trigger_id="1.2.abc", view=modal())) == "invalid_trigger_id"


async def test_three_modals_are_the_limit_and_a_push_needs_one_below(connect: Connect) -> None:
    form = Form()
    people, app = await connect(form.register)
    view = await form.open(people)

    async def trigger() -> str:
        top = (await people.see("state"))["views"][-1]["id"]
        await people.did("view_action", view_id=top, action_id="go")
        return str(form.last["trigger_id"])

    for title in ("Second", "Third"):
        await app.client.views_push(trigger_id=await trigger(), view=modal(title))
    assert await error_of(app.client.views_push(trigger_id=await trigger(), view=modal())) == "push_limit_reached"
    stale = await trigger()
    for shown in reversed((await people.see("state"))["views"]):
        await people.did("view_close", view_id=shown["id"])
    assert await error_of(app.client.views_push(trigger_id=stale, view=modal())) == "not_found"
    assert await error_of(app.client.views_update(view_id=view, view=modal())) == "not_found"


async def test_an_update_fits_the_view_it_saw(connect: Connect) -> None:
    form = Form()
    form.view = modal(external_id="mine")
    people, app = await connect(form.register)
    view = await form.open(people)
    seen = form.opened["hash"]
    mine = modal("Two", external_id="mine")
    updated = (await app.client.views_update(external_id="mine", hash=seen, view=mine))["view"]
    assert updated["id"] == view
    again = app.client.views_update(view_id=view, hash=seen, view=modal("Three"))
    assert await error_of(again) == "hash_conflict"
    await people.did("view_action", view_id=view, action_id="go")
    twice = app.client.views_push(trigger_id=form.last["trigger_id"], view=mine)
    assert await error_of(twice) == "duplicate_external_id"


@pytest.mark.parametrize(
    ("view", "error"),
    [
        (modal(private_metadata="x" * 3001), "invalid_arguments"),
        (modal(submit=None), "invalid_arguments"),
        (modal(blocks=[{"type": "markdown", "text": "x"}]), "invalid_arguments"),
        ({**modal(), "type": "home"}, "invalid_arguments"),
    ],
    ids=["metadata", "no submit", "wrong surface", "wrong kind"],
)
async def test_a_bad_modal_does_not_cost_the_trigger(client: AsyncWebClient, view: Json, error: str) -> None:
    body = {"trigger_id": "1.2.abc", "view": {name: part for name, part in view.items() if part is not None}}
    assert await error_of(client.api_call("views.open", json=body)) == error


async def test_home_is_published_for_one_person_and_guarded_by_its_hash(connect: Connect) -> None:
    form = Form()

    def register(app: App) -> None:
        form.register(app)
        app.hears("app_home_opened")

    people, app = await connect(register)
    lead = people.workspace.users["lead"]
    await people.did("open_home", "lead")
    assert (await app.hear("app_home_opened", tab="home"))["user"] == lead
    home = {"type": "home", "blocks": [BUTTON]}
    first = (await app.client.views_publish(user_id=lead, view=home))["view"]
    second = (await app.client.views_publish(user_id=lead, view=home, hash=first["hash"]))["view"]
    assert second["id"] == first["id"]
    assert await error_of(app.client.views_publish(user_id=lead, view=home, hash=first["hash"])) == "hash_conflict"
    assert (await people.see("state", "lead"))["home"]["blocks"][0]["block_id"] == "b"
    assert (await people.see("state"))["home"] is None
    await people.did("view_action", "lead", view_id=first["id"], action_id="go")
    assert form.last["view"]["type"] == "home"
    await people.did("open_home", "lead")
    await until(lambda: len(app.events("app_home_opened")) == 2)
    assert app.events("app_home_opened")[-1]["view"]["id"] == first["id"]
