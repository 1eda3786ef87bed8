"""Messages, posts, ephemerals, files and Homes on their way out, each over real sockets and on both databases."""

from __future__ import annotations

import out_kit as kit
import pytest
from out_kit import Out, Place, words

from scale import size
from sysop.store import conversations, outbox
from sysop.store.store import Store
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox.rates import Rates


async def test_the_first_message_becomes_the_root_and_the_rest_its_replies_in_order(out: Out) -> None:
    talk = await out.talk()
    for number in range(5):
        await out.say(talk, f"word {number}")
    await out.quiet()
    assert await out.texts(talk) == [f"word {number}" for number in range(5)]
    top = [one for one in await out.place.messages() if not one.get("thread_ts") or one["thread_ts"] == one["ts"]]
    assert [one["text"] for one in top if one["text"].startswith("word")] == ["word 0"]


async def test_a_message_is_posted_once_and_then_changed(out: Out) -> None:
    talk = await out.talk()
    await out.show(talk, "incident:inc-1", words("open"))
    await out.quiet()
    await out.show(talk, "incident:inc-1", words("resolved"))
    await out.quiet()
    await out.show(talk, "incident:inc-1", words("resolved"))  # equal: nothing is called
    await out.quiet()
    assert await out.texts(talk) == ["resolved"]
    calls = await out.place.count()
    assert (calls["chat.postMessage"], calls["chat.update"]) == (1, 1)


async def test_every_payload_carries_its_id_and_never_unfurls(out: Out) -> None:
    talk = await out.talk()
    id = await out.say(talk, "hello")
    await out.quiet()
    args = (await out.place.calls("chat.postMessage"))[-1]["args"]
    assert args["metadata"] == {"event_type": "sysop_message", "event_payload": {"outbox": str(id)}}
    assert (args["unfurl_links"], args["unfurl_media"]) == (False, False)
    assert args["text"] == "hello"
    assert args["blocks"]


async def test_a_storm_of_marks_becomes_few_calls(store: Store, place: Place) -> None:
    async with kit.sending(store, place, rates=Rates()) as out:
        talk = await out.begun()
        marks = size(2000)
        for number in range(marks):
            await out.show(talk, "incident:inc-1", words(str(number)))
        await out.quiet()
        assert (await out.texts(talk))[-1] == str(marks - 1)
        rows = await out.store.read(outbox.counts)
        calls = await out.place.count()
        assert rows["sent"] <= 40
        assert calls["chat.update"] <= 20


async def test_blocks_that_slack_refuses_go_out_as_plain_text(out: Out, caplog: pytest.LogCaptureFixture) -> None:
    talk = await out.talk()
    await out.place.fault("chat.postMessage", "error", error="invalid_blocks")
    await out.say(talk, "what happened")
    await out.quiet()
    assert await out.texts(talk) == ["what happened"]
    assert (await out.thread(talk))[0].get("blocks", []) == [] or "section" not in str((await out.thread(talk))[0])
    assert "Slack refused the blocks" in caplog.text


async def test_blocks_that_break_a_limit_are_not_even_tried(out: Out, caplog: pytest.LogCaptureFixture) -> None:
    talk = await out.talk()
    blocks = words("x").blocks * 51
    await out.store.write(lambda tx: outbox.post(tx, talk, {"text": "too much", "blocks": blocks}))
    await out.quiet()
    assert await out.texts(talk) == ["too much"]
    assert len(await out.place.calls("chat.postMessage")) == 1
    assert "breaks a limit of Slack, reference err-" in caplog.text


async def test_an_update_that_slack_refuses_shows_plain_text_in_its_place(out: Out) -> None:
    talk = await out.talk()
    await out.show(talk, "approval:apr-1", words("please"))
    await out.quiet()
    await out.place.fault("chat.update", "error", error="invalid_blocks")
    await out.show(talk, "approval:apr-1", words("approved"))
    await out.quiet()
    (only,) = await out.thread(talk)
    assert only["text"] == "approved"


async def test_a_long_text_goes_out_in_parts_and_a_very_long_one_as_a_file(out: Out) -> None:
    talk = await out.begun()
    long, longer = "word " * 2000, "word " * 8000
    await out.store.write(lambda tx: outbox.post(tx, talk, {"text": long}))
    await out.store.write(lambda tx: outbox.post(tx, talk, {"text": longer}))
    await out.quiet()
    thread = (await out.thread(talk))[1:]
    parts = [one for one in thread if not one.get("files")]
    assert "".join(one["text"] for one in parts).replace(" ", "") == long.replace(" ", "")
    assert all(len(one["text"]) <= 3900 for one in parts)
    (shared,) = [one for one in thread if one.get("files")]
    assert shared["files"][0]["size"] == len(longer)


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed", "block_mismatch"])
async def test_a_message_that_cannot_be_changed_is_posted_anew(out: Out, error: str) -> None:
    talk = await out.begun()
    await out.show(talk, "approval:apr-1", words("please"))
    await out.quiet()
    await out.place.fault("chat.update", "error", error=error)
    await out.show(talk, "approval:apr-1", words("approved"))
    await out.quiet()
    assert await out.texts(talk) == ["root", "please", "approved"]
    await out.show(talk, "approval:apr-1", words("used"))
    await out.quiet()
    assert await out.texts(talk) == ["root", "please", "used"]


async def test_a_channel_that_cannot_be_told_is_given_up_and_its_owner_hears_of_it(out: Out) -> None:
    owner = f"slack:{out.place.team}.{out.place.user()}"
    await out.store.write(lambda tx: kit.member(tx, owner))
    talk = await out.talk(owner=owner)
    await out.place.fault("chat.postMessage", "error", error="restricted_action")
    dead = await out.say(talk, "lost")
    await out.say(talk, "and this goes on")
    await out.quiet()
    assert (await out.state(dead)).state == "dead"
    assert await out.texts(talk) == ["and this goes on"]
    entries = await out.store.read(kit.audit_kinds)
    assert "outbox.dead" in entries
    told = [one["args"] for one in await out.place.calls("chat.postMessage", ok=True)]
    assert [one["channel"] for one in told if "I cannot answer in" in one["text"]] == [out.place.user()]


async def test_an_ephemeral_is_shown_to_one_user_and_never_tried_twice(out: Out) -> None:
    talk = await out.begun()
    user = out.place.user()
    await out.store.write(lambda tx: outbox.ephemeral(tx, talk, user, {"text": "only you"}))
    await out.quiet()
    await out.place.fault("chat.postEphemeral", "drop_after")
    lost = await out.store.write(lambda tx: outbox.ephemeral(tx, talk, user, {"text": "maybe you"}))
    await out.quiet()
    assert (await out.state(lost)).state == "dead"
    assert [one["args"]["text"] for one in await out.place.calls("chat.postEphemeral")] == ["only you", "maybe you"]


async def test_a_file_whose_answer_was_lost_is_found_by_its_name(out: Out) -> None:
    talk = await out.begun()
    await out.place.fault("files.completeUploadExternal", "drop_after")
    payload = {"filename": "report.csv", "title": "Report", "content": "a,b\n1,2\n", "comment": "here"}
    id = await out.store.write(lambda tx: outbox.file(tx, talk, payload))
    await out.quiet()
    files = [file["name"] for one in await out.thread(talk) for file in one.get("files") or ()]
    assert files == [f"report-{id}.csv"]


async def test_a_home_is_published_with_its_hash_and_once_more_on_a_conflict(out: Out) -> None:
    key = f"home:{out.place.team}.{out.place.user()}"
    for text in ("one", "two"):
        out.pages.homes[key] = {"type": "home", "blocks": words(text).blocks}
        await out.store.write(lambda tx: outbox.home(tx, key))
        await out.quiet()
    await out.place.fault("views.publish", "error", error="hash_conflict")
    out.pages.homes[key] = {"type": "home", "blocks": words("three").blocks}
    await out.store.write(lambda tx: outbox.home(tx, key))
    await out.quiet()
    calls = await out.place.calls("views.publish")
    assert ["hash" in one["args"] for one in calls] == [False, True, True, False]
    assert "three" in str((await out.place.see("state", user="requester"))["home"])


async def test_a_workspace_that_was_not_known_is_filled_in_when_the_thread_begins(out: Out) -> None:
    place = {"surface": "slack", "team": "", "channel": out.place.channel(), "root": None}
    talk = await out.store.write(lambda tx: conversations.create(tx, **place, owner="", title="An incident"))
    await out.say(talk, "begin")
    await out.quiet()
    now = await out.store.read(lambda conn: conversations.load(conn, talk.id))
    assert (now.team, now.root is not None) == (out.place.team, True)


async def test_a_row_that_breaks_the_renderer_holds_up_nobody_else(out: Out) -> None:
    broken, fine = await out.talk(), await out.talk()
    await out.show(broken, "incident:inc-1", Shown("x", [{"type": object()}]))
    await out.say(fine, "fine")
    await kit.until(lambda: kit.has(out, fine), "the other thread goes on")
    assert await out.texts(fine) == ["fine"]
