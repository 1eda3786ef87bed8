"""Plans on their way out: streamed by difference, nothing said twice, no stream open while people decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import out_kit as kit
import pytest
from out_kit import PACE, Out, Place, a_plan, task, words

from sysop.store.store import Store
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox.rates import OLD_STATUS, REACT, STATUS

KEY = "plan:run-1#1"


def stream(thread: list[dict[str, Any]], number: int = -1) -> dict[str, Any]:
    """Return what the page shows of a stream in a thread."""
    found: dict[str, Any] = [one["stream"] for one in thread if one.get("stream")][number]
    return found


def tasks(shown: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["status"] for one in shown["tasks"]}


async def steps(out: Out, talk: Any, *plans: PlanDocument) -> None:
    """Show plans one after the other, each once the one before has gone out."""
    for plan in plans:
        await out.show(talk, KEY, plan)
        await out.quiet()


def answered(plan: PlanDocument, text: str = "It was the release.") -> PlanDocument:
    return replace(plan, status="active", ended=True, answer=kit.rich(text))


async def test_a_plan_is_streamed_by_difference_and_ends_with_its_answer(out: Out) -> None:
    talk = await out.begun()
    first = a_plan(out.place, task("look", details="name = x"))
    second = a_plan(out.place, task("look", "complete", details="name = x", output="ok"), says=(("s1", "Found it."),))
    await steps(out, talk, first, second, answered(second))
    shown = stream(await out.thread(talk))
    assert (shown["state"], shown["ended"], shown["plan_title"]) == ("completed", "stopped", "Looking")
    (only,) = shown["tasks"]
    assert (only["status"], only["details"], only["output"]) == ("complete", "name = x", "ok")
    assert shown["text"] == "Found it.\n"
    assert "It was the release." in str((await out.thread(talk))[-1]["blocks"])
    calls = await out.place.count()
    assert [calls[f"chat.{name}Stream"] for name in ("start", "append", "stop")] == [1, 2, 1]
    assert calls["chat.postMessage"] == 1


async def test_an_equal_plan_calls_nothing(out: Out) -> None:
    talk = await out.begun()
    await steps(out, talk, a_plan(out.place, task("look")))
    before = await out.place.count()
    await steps(out, talk, a_plan(out.place, task("look")))
    assert await out.place.count() == before


async def test_a_plan_that_waits_for_people_ends_its_stream_before_the_card(out: Out) -> None:
    talk = await out.begun()
    plan = a_plan(out.place, task("look", "complete"), task("roll", "in_progress"))
    await steps(out, talk, plan)
    out.pages.documents["approval:apr-1"] = words("May I?")

    def unit(tx: Any) -> None:
        out.pages.documents[KEY] = replace(plan, status="suspended")
        kit.outbox.mark(tx, talk, KEY)
        kit.outbox.mark(tx, talk, "approval:apr-1")

    await out.store.write(unit)
    await out.quiet()
    thread = await out.thread(talk)
    assert stream(thread)["state"] == "completed"
    assert tasks(stream(thread)) == {"look": "complete", "roll": "pending"}
    order = [one["method"] for one in await out.place.calls() if one["method"].startswith("chat.")]
    assert order[-2:] == ["chat.stopStream", "chat.postMessage"]
    assert (await out.place.calls("chat.stopStream"))[-1]["args"]["session_status"] == "suspended"


async def test_a_card_ends_a_stream_that_nobody_has_ended(out: Out) -> None:
    talk = await out.begun()
    await steps(out, talk, a_plan(out.place, task("look")))
    await out.show(talk, "approval:apr-1", words("May I?"))
    await out.quiet()
    assert stream(await out.thread(talk))["state"] == "completed"


async def test_work_that_goes_on_after_a_wait_gets_a_new_stream_with_what_still_runs(out: Out) -> None:
    talk = await out.begun()
    plan = a_plan(out.place, task("look", "complete"), task("watch"))
    later = a_plan(out.place, task("look", "complete"), task("watch", "complete", output="well"))
    await steps(out, talk, plan, replace(plan, status="suspended"), later, answered(later))
    thread = await out.thread(talk)
    assert tasks(stream(thread, 0)) == {"look": "complete", "watch": "pending"}
    assert tasks(stream(thread, 1)) == {"watch": "complete"}
    assert (await out.place.calls("chat.stopStream"))[-1]["args"]["session_status"] == "active"


async def test_a_stream_is_ended_before_slack_does_it_and_nothing_running_shows_an_error(
    store: Store, place: Place
) -> None:
    async with kit.sending(store, place, pace=replace(PACE, rotate_ms=400)) as out:
        talk = await out.begun()
        plan = a_plan(out.place, task("look", "complete"), task("watch"), says=(("s1", "one"),))
        await steps(out, talk, plan)

        async def ended() -> bool:
            return bool((await out.place.count())["chat.stopStream"])

        await kit.until(ended, "the old stream has ended")
        await out.quiet()
        assert (await out.place.calls("chat.stopStream"))[0]["args"]["session_status"] == "processing"
        more = a_plan(
            out.place, task("look", "complete"), task("watch", "complete"), says=(("s1", "one"), ("s2", "two"))
        )
        await steps(out, talk, more, answered(more))
        thread = await out.thread(talk)
        first, second = stream(thread, 0), stream(thread, 1)
        assert "error" not in {*tasks(first).values(), *tasks(second).values()}
        assert tasks(second) == {"watch": "complete"}
        assert (first["text"], second["text"]) == ("one\n", "two\n")


async def test_a_stream_that_grew_long_goes_on_in_a_new_one(out: Out) -> None:
    talk = await out.begun()
    says = tuple((f"s{number}", letter * 4000) for number, letter in enumerate("ABCD"))
    for count in range(1, 5):
        await steps(out, talk, a_plan(out.place, task("look"), says=says[:count]))
    done = a_plan(out.place, task("look", "complete"), says=says)
    await steps(out, talk, done, answered(done))
    thread = await out.thread(talk)
    texts = [one["stream"]["text"] for one in thread if one.get("stream")]
    assert len(texts) == 2
    assert [sum(text.count(letter) for text in texts) for letter in "ABCD"] == [4000] * 4


@pytest.mark.parametrize("error", ["message_not_in_streaming_state", "stopped_by_user", "message_not_owned_by_app"])
async def test_a_stream_that_slack_has_ended_goes_on_as_a_message(out: Out, error: str) -> None:
    talk = await out.begun()
    await steps(out, talk, a_plan(out.place, task("look")))
    ended = (await out.message(KEY)).ts  # type: ignore[union-attr]
    await out.clients.only().write.chat_stopStream(channel=talk.channel, ts=ended)  # type: ignore[union-attr]
    await out.place.fault("chat.appendStream", "error", error=error)
    done = a_plan(out.place, task("look", "complete"), task("roll"))
    await steps(out, talk, done, answered(done))
    thread = await out.thread(talk)
    assert len(thread) == 2
    assert "It was the release." in str(thread[-1]["blocks"])
    assert (await out.place.count())["chat.startStream"] == 1


async def test_an_answer_does_not_wait_for_a_courtesy(store: Store, place: Place) -> None:
    rates = kit.fast_rates()
    async with kit.sending(store, place, rates=rates) as out:
        talk = await out.begun()
        for method in (STATUS, OLD_STATUS, REACT):
            rates.hold(place.team, method, 600)
        plan = a_plan(place, task("look"), recipient=None)
        await steps(out, talk, replace(plan, status="processing"), answered(plan))
        assert "It was the release." in str((await out.thread(talk))[-1]["blocks"])
        assert not await place.calls("agents.sessions.setStatus")


async def test_a_stop_by_the_user_is_heard_and_the_answer_still_comes(out: Out) -> None:
    talk = await out.begun()
    await steps(out, talk, a_plan(out.place, task("look")))
    await out.place.do("stop", user="requester", channel=talk.channel, thread_ts=talk.root)
    done = a_plan(out.place, task("look", "error"))
    await steps(out, talk, done, answered(done, "Stopped."))
    assert "Stopped." in str((await out.thread(talk))[-1]["blocks"])
    sessions = (await out.place.see("state", user="requester"))["sessions"]
    assert [one["status"] for one in sessions] == ["active"]


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "500", "429"])
async def test_no_word_is_lost_or_doubled_in_the_end_whatever_answer_is_lost(out: Out, method: str, kind: str) -> None:
    talk = await out.begun()
    await out.place.fault(method, kind)
    first = a_plan(out.place, task("look", details="name = x"), says=(("s1", "Looking at it."),))
    done = a_plan(
        out.place,
        task("look", "complete", details="name = x", output="fine"),
        says=(("s1", "Looking at it."), ("s2", "That was it.")),
    )
    await steps(out, talk, first, done, answered(done))
    thread = await out.thread(talk)
    assert len(thread) == 2, [one["text"] for one in thread]
    everything = str(thread[-1]["blocks"])
    for word in ("Looking at it.", "That was it.", "name = x", "fine"):
        assert everything.count(word) == 1, (word, everything)
    assert "It was the release." in everything


async def test_chunks_that_slack_refuses_end_in_a_message_that_says_it_all(out: Out) -> None:
    talk = await out.begun()
    await steps(out, talk, a_plan(out.place, task("look")))
    await out.place.fault("chat.appendStream", "error", error="invalid_chunks")
    done = a_plan(out.place, task("look", "complete", output="fine"))
    await steps(out, talk, done, answered(done))
    thread = await out.thread(talk)
    assert len(thread) == 2
    assert "It was the release." in str(thread[-1]["blocks"])


async def test_an_answer_that_slack_refuses_is_said_in_words(out: Out) -> None:
    talk = await out.begun()
    plan = a_plan(out.place, task("look", "complete"))
    await steps(out, talk, a_plan(out.place, task("look")))
    bad = Shown("It was the release.", kit.rich("x", 51).blocks)
    await steps(out, talk, replace(plan, status="active", ended=True, answer=bad))
    assert "It was the release." in stream(await out.thread(talk))["text"]


async def test_a_plan_nobody_is_named_for_is_posted_and_updated_not_too_often(store: Store, place: Place) -> None:
    async with kit.sending(store, place, pace=replace(PACE, update_ms=250)) as out:
        talk = await out.begun()
        for number in range(10):
            await out.show(talk, KEY, a_plan(out.place, task(f"t{number}"), recipient=None))
            await kit.asyncio.sleep(0.03)
        done = a_plan(out.place, task("t9", "complete"), recipient=None)
        await steps(out, talk, answered(done))
        assert "It was the release." in str((await out.thread(talk))[-1]["blocks"])
        calls = await out.place.count()
        assert calls["chat.startStream"] == 0
        assert calls["chat.update"] <= 4


async def test_a_run_that_is_over_before_it_could_be_streamed_is_one_message(out: Out) -> None:
    talk = await out.begun()
    await steps(out, talk, answered(a_plan(out.place, task("look", "complete"))))
    calls = await out.place.count()
    assert (calls["chat.startStream"], calls["chat.postMessage"]) == (0, 2)
    assert "It was the release." in str((await out.thread(talk))[-1]["blocks"])


async def test_without_a_budget_for_streams_the_plan_is_a_message(store: Store, place: Place) -> None:
    rates = kit.fast_rates()
    rates.hold(place.team, "chat.startStream", 500)
    async with kit.sending(store, place, rates=rates) as out:
        talk = await out.begun()
        await steps(out, talk, a_plan(out.place, task("look")))
        assert (await out.place.count())["chat.postMessage"] == 2


async def test_the_status_falls_back_to_the_older_way_and_then_to_eyes(out: Out) -> None:
    talk = await out.begun()
    await out.place.fault("agents.sessions.setStatus", "error", error="feature_disabled")
    await out.place.fault("assistant.threads.setStatus", "error", error="not_agent_app")
    await steps(out, talk, a_plan(out.place, task("look")))
    assert [one["args"]["name"] for one in await out.place.calls("reactions.add", ok=True)] == ["eyes"]
    other = await out.begun()
    out.pages.documents["plan:run-2#1"] = a_plan(out.place, task("look"))
    await out.store.write(lambda tx: kit.outbox.mark(tx, other, "plan:run-2#1"))
    await out.quiet()
    assert len(await out.place.calls("agents.sessions.setStatus")) == 1, "a way that was refused is not tried again"
