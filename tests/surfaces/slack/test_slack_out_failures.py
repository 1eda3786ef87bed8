"""What follows from each kind of failure: rates, tokens, scopes, lost answers, answers that are no answers."""

from __future__ import annotations

import logging

import aiohttp
import out_kit as kit
import pytest
from aiohttp import web
from out_kit import Out, Place, words
from slack_sdk.web.async_client import AsyncWebClient

from sysop.store import outbox
from sysop.store.store import Store
from sysop.surfaces.slack.outbox import failures
from sysop.surfaces.slack.outbox.failures import CAUGHT, CODES, Kind, sort

ANSWERS = {
    "rate": (429, {"Retry-After": "7"}, '{"ok": false, "error": "ratelimited"}', Kind.LATER),
    "rate without JSON": (429, {"Retry-After": "7"}, "slow down", Kind.LATER),
    "odd retry": (429, {"Retry-After": "soon"}, '{"ok": false, "error": "ratelimited"}', Kind.LATER),
    "server": (500, {}, '{"ok": false, "error": "what"}', Kind.DOUBT),
    "gateway": (502, {}, "<html>bad gateway</html>", Kind.DOUBT),
    "internal": (200, {}, '{"ok": false, "error": "internal_error"}', Kind.DOUBT),
    "a list": (200, {}, "[1]", Kind.DOUBT),
    "half": (200, {}, '{"ok": tr', Kind.DOUBT),
    "nothing": (200, {}, "", Kind.DOUBT),
    "bytes": (200, {}, "\\udcff", Kind.DOUBT),
    "restricted": (200, {}, '{"ok": false, "error": "restricted_action_thread_locked"}', Kind.TARGET),
    "metadata": (200, {}, '{"ok": false, "error": "invalid_metadata_schema"}', Kind.PAYLOAD),
    "other": (200, {}, '{"ok": false, "error": "ekm_access_denied"}', Kind.REFUSED),
}


@pytest.mark.parametrize("name", list(ANSWERS))
async def test_whatever_slack_answers_is_sorted_and_nothing_else_is_raised(name: str) -> None:
    status, headers, body, kind = ANSWERS[name]

    async def answer(_request: web.Request) -> web.Response:
        text = body.encode("utf-8", "surrogateescape") if "udc" not in body else b"\xff\xfe"
        return web.Response(status=status, headers=headers, body=text, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/api/{method}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as http:
        client = AsyncWebClient("xoxb-1", f"http://127.0.0.1:{port}/api/", session=http, retry_handlers=[])
        with pytest.raises(CAUGHT) as raised:
            await client.chat_postMessage(channel="C1", text="x")
        failed = sort("chat.postMessage", raised.value)
    await runner.cleanup()
    assert failed.kind is kind
    if status == 429:
        assert failed.retry_s == (7.0 if headers["Retry-After"] == "7" else failures.DEFAULT_RETRY_S)


async def test_a_host_that_refuses_is_later_and_not_a_doubt() -> None:
    async with aiohttp.ClientSession() as http:
        client = AsyncWebClient("xoxb-1", "http://127.0.0.1:9/api/", session=http, retry_handlers=[])
        with pytest.raises(CAUGHT) as raised:
            await client.chat_postMessage(channel="C1", text="x")
    assert sort("chat.postMessage", raised.value).kind is Kind.LATER


def test_every_code_is_in_one_class_only() -> None:
    assert {CODES[code] for code in CODES} == set(Kind) - {Kind.REFUSED}


async def test_a_method_that_is_held_back_waits_and_another_goes_on(out: Out) -> None:
    talk = await out.begun()
    await out.show(talk, "incident:inc-1", words("one"))
    await out.quiet()
    await out.place.fault("chat.update", "429", retry_after=40)
    other = await out.talk("incidents")
    await out.show(talk, "incident:inc-1", words("two"))
    await out.say(other, "meanwhile")
    await kit.until(lambda: kit.has(out, other), "the other thread goes on")
    assert (await out.texts(talk))[-1] == "one"
    await out.quiet()
    assert (await out.texts(talk))[-1] == "two"
    tried = [one for one in (await out.place.see("log"))["entries"] if one.get("method") == "chat.update"]
    refused, done = tried[0]["at"], tried[-1]["at"]
    assert done - refused >= 39, "nothing was called before its time"
    assert len([one for one in tried if one["kind"] == "api" and one["answer"]["ok"]]) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "500"])
@pytest.mark.parametrize("first", [True, False])
async def test_a_lost_answer_is_looked_for_and_the_message_is_there_once(out: Out, kind: str, first: bool) -> None:
    talk = await out.talk() if first else await out.begun()
    await out.place.fault("chat.postMessage", kind)
    for number in range(3):
        await out.say(talk, f"word {number}")
    await out.quiet()
    assert [text for text in await out.texts(talk) if text != "root"] == ["word 0", "word 1", "word 2"]
    assert out.sender.health.resent == (0 if kind == "drop_after" else 1)


async def test_a_card_whose_answer_was_lost_is_found_and_shows_the_newest(out: Out) -> None:
    talk = await out.begun()
    await out.place.fault("chat.postMessage", "drop_after")
    await out.show(talk, "approval:apr-1", words("please"))
    await kit.until(lambda: _doubtful(out), "the answer is lost")
    out.pages.documents["approval:apr-1"] = words("denied")
    await out.quiet()
    assert await out.texts(talk) == ["root", "denied"]


async def _doubtful(out: Out) -> bool:
    return bool((await out.store.read(outbox.counts)).get("unknown"))


async def test_a_look_that_fails_is_tried_again_and_nothing_is_sent_blindly(out: Out) -> None:
    talk = await out.begun()
    await out.place.fault("chat.postMessage", "drop_after")
    await out.place.fault("conversations.replies", "500", times=2)
    await out.say(talk, "once")
    await out.quiet()
    assert await out.texts(talk) == ["root", "once"]


async def test_parts_of_a_long_text_that_are_there_are_not_sent_again(out: Out) -> None:
    talk = await out.begun()
    text = "".join(f"line {number:04}\n" for number in range(1000))
    await out.place.fault("chat.postMessage", "drop_after")
    await out.store.write(lambda tx: outbox.post(tx, talk, {"text": text}))
    await out.quiet()
    parts = (await out.texts(talk))[1:]
    assert len(parts) == 3
    assert "".join(parts).split() == text.split()


async def test_a_token_that_stops_working_stops_everything_until_it_works_again(
    out: Out, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    talk = await out.begun()
    await out.place.fault("*", "error", error="token_revoked", times=3)
    await out.say(talk, "after")
    await kit.until(lambda: _red(out), "the health is red")
    assert out.sender.health.stopped == {out.place.team: "token_revoked"}
    await out.quiet()
    assert not out.sender.health.red
    assert await out.texts(talk) == ["root", "after"]
    calls = [one["method"] for one in await out.place.calls(ok=False)]
    assert calls == ["chat.postMessage", "auth.test", "auth.test"], "while it does not work only the token is tried"


async def _red(out: Out) -> bool:
    return out.sender.health.red


async def test_a_scope_that_is_missing_holds_up_only_who_needs_it(out: Out) -> None:
    talk, other = await out.begun(), await out.begun("incidents")
    await out.place.do("revoke", scope="files:write")
    payload = {"filename": "a.txt", "title": "A", "content": "x"}
    await out.store.write(lambda tx: outbox.file(tx, talk, payload))
    await kit.until(lambda: _red(out), "the health is red")
    assert "needed: files:write" in str(out.sender.health.as_json()["missing_scopes"])
    await out.say(other, "goes on")

    async def told() -> bool:
        return (await out.texts(other, "incidents"))[-1] == "goes on"

    await kit.until(told, "the other thread goes on")


async def test_what_is_in_flight_at_the_end_is_finished(store: Store, place: Place) -> None:
    async with kit.sending(store, place) as out:
        talk = await out.begun()
        await place.fault("chat.postMessage", "hang", seconds=0.4)
        await out.say(talk, "last words")

        async def sending() -> bool:
            return bool((await store.read(outbox.counts)).get("sending"))

        await kit.until(sending, "the call is under way")
    left = await store.read(outbox.counts)
    assert left == {"sent": 2}
