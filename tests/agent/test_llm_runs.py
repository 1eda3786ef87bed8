"""A model at work through the whole app: what it is told, what it may do, how it ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from llm_kit import ANN, FREE, cite, conclude, desk
from pydantic_ai import models
from pydantic_ai.models.test import TestModel

from incidents.lived import DAY, add_past
from sysop.agent import llm_loop
from sysop.knowledge.memory.notebook import Notebook
from sysop.model import Conclusion, Origin, Request
from sysop.sections import LlmSettings
from sysop.store.store import Store
from sysop.store.writer import host_clock
from sysop.testing.llm import Answer, Asked, Fault, LlmServer, Use, turns

FORBID = {"rules": [{"name": "never", "match": {"action": ["lab.wipe"]}, "then": "forbid"}, *FREE["rules"]]}


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sysop.db'}"


def look(name: str = "x") -> Use:
    return Use("lab-look", {"name": name})


async def test_a_read_and_a_conclusion_with_evidence(tmp_path: Path, sqlite: str) -> None:
    def last(asked: Asked) -> Answer:
        return conclude(resolved=True, claims=[{"text": "no effects so far", "evidence": cite(asked)}])

    with LlmServer(turns(Answer("I look at the effects first.", [look()]), last)) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end("are there any effects? password=hunter22222")
            said = await bot.said(run.id)
    assert (run.state, run.planner) == ("done", "llm")
    assert run.conclusion["resolved"] is True
    assert run.conclusion["claims"] == [{"text": "no effects so far", "evidence": [f"{run.id}:a1.0"]}]
    assert said == ["I look at the effects first."]
    assert len(server.asked) == 2
    assert "are there any effects?" in server.asked[0].text
    assert "hunter22222" not in server.asked[0].text
    assert set(server.asked[0].tools) >= {"lab-look", "lab-append", "conclude"}
    assert run.plan["llm"][0]["model"] == "test"


async def test_a_server_that_numbers_every_call_call_0(tmp_path: Path, sqlite: str) -> None:
    same = [Use("lab-look", {"name": n}, id="call_0") for n in "ab"]
    script = turns(Answer("", same), Answer("", [Use("lab-look", {"name": "c"}, id="call_0")]), Answer("all seen"))
    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
            assert sorted(o.call for o in await bot.outcomes(run.id)) == ["a1.0", "a1.1", "a2.0"]
    assert len(server.asked[-1].results) == 3


async def test_what_needs_nobody_runs_at_once_and_either_approval_wakes_the_run(tmp_path: Path, sqlite: str) -> None:
    uses = [Use("lab-append", {"name": n}) for n in ("p", "q", "r-free")]
    with LlmServer(turns(Answer("three changes", uses), Answer("done"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = (await bot.until(await bot.ask(), "waiting")).id
            assert bot.effects == [f"{run}:a1.2"]
            first, second = await bot.pending()
            assert first.reason == "three changes"
            await bot.decide(second)
            async with asyncio.timeout(10):
                while len(bot.effects) < 2 or (await bot.run(run)).state != "waiting":
                    await asyncio.sleep(0.01)
            assert (await bot.run(run)).waiting_for == f"approval:{first.id}"
            await bot.decide(first)
            await bot.until(run)
            assert sorted(bot.effects) == [f"{run}:a1.{n}" for n in range(3)]
    assert len(server.asked) == 2


async def test_a_vote_that_comes_before_the_run_has_parked_is_not_lost(tmp_path: Path, sqlite: str) -> None:
    """The first approval is decided while a later call of the same answer is still being made."""
    uses = [Use("lab-append", {"name": "p"}), Use("lab-append", {"name": "q"})]
    with LlmServer(turns(Answer("two changes", uses), Answer("done"))) as server:
        votes: list[asyncio.Task[None]] = []

        def probe(point: str) -> None:
            if point == "requested" and not votes:
                votes.append(asyncio.get_running_loop().create_task(vote()))

        async def vote() -> None:
            for approval in await bot.pending():
                await bot.decide(approval)

        async with desk(tmp_path, sqlite, server.url, probe=probe) as bot:
            run = await bot.ask()
            async with asyncio.timeout(10):
                while len(bot.effects) < 1:
                    await asyncio.sleep(0.01)
                await asyncio.gather(*votes)
            await vote()
            await bot.until(run)
            assert len(bot.effects) == 2


async def test_a_denial_and_a_refusal_and_a_failure_reach_the_model(tmp_path: Path, sqlite: str) -> None:
    uses = [
        Use("lab-append", {"name": "p"}),
        Use("lab-wipe", {"name": "q"}),
        Use("lab-refuse", {"name": "s-free"}),
        Use("lab-broken"),
    ]
    with LlmServer(turns(Answer("try them all", uses), Answer("nothing worked"))) as server:
        async with desk(tmp_path, sqlite, server.url, policy=FORBID) as bot:
            run = (await bot.until(await bot.ask(), "waiting")).id
            await bot.decide((await bot.pending())[0], approve=False, reason="not on a friday")
            ended = await bot.until(run)
            assert bot.effects == []
    denied, forbidden, failed, broken = server.asked[1].results
    assert "was denied: not on a friday" in denied
    assert "is forbidden" in forbidden
    assert f"evidence: {run}:a1.2" in failed
    assert "s-free is not possible" in failed
    assert "hunter22222" not in broken
    assert ended.conclusion["summary"] == "nothing worked"
    assert len(server.asked) == 2


async def test_an_expired_approval_reaches_the_model(tmp_path: Path, sqlite: str) -> None:
    ahead = 0
    store = Store.open(sqlite, clock=lambda: host_clock() + ahead)
    with LlmServer(turns(Answer("", [Use("lab-append", {"name": "p"})]), Answer("nobody was there"))) as server:
        async with desk(tmp_path, sqlite, server.url, store=store) as bot:
            run = (await bot.until(await bot.ask(), "waiting")).id
            ahead = 31 * 60_000
            await bot.app.service.pause(ANN, "any write wakes the runner")
            ended = await bot.until(run)
    assert "was expired: nobody answered in time" in server.asked[1].results[0]
    assert ended.conclusion["summary"] == "nobody was there"


async def test_wrong_arguments_wrong_names_and_broken_json_come_back_clearly(tmp_path: Path, sqlite: str) -> None:
    uses = [Use("lab-look", {"nme": "x"}), Use("lab-dance"), Use("lab-look", '{"name": ')]
    with LlmServer(turns(Answer("", uses), Answer("", [look()]), Answer("found my way"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
    wrong, unknown, broken = server.asked[1].results
    assert "there is no argument 'nme'; did you mean 'name'?" in wrong
    assert "Unknown tool name: 'lab-dance'" in unknown
    assert "JSON" in broken
    assert run.conclusion["summary"] == "found my way"
    assert run.conclusion["degraded"] is None


async def test_unknown_evidence_gets_one_more_try_and_then_no_claim(tmp_path: Path, sqlite: str) -> None:
    invented = conclude(resolved=True, claims=[{"text": "all is well", "evidence": ["run-x:a9.9"]}])
    with LlmServer(turns(Answer("", [look()]), invented)) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
    assert len(server.asked) == 3
    assert "No result has the evidence id run-x:a9.9" in server.asked[2].text
    assert run.conclusion["claims"] == []
    assert run.conclusion["resolved"] is False
    assert "no evidence: all is well" in run.conclusion["not_checked"]


async def test_a_conclusion_beside_other_calls_is_sent_back(tmp_path: Path, sqlite: str) -> None:
    mixed = Answer("", [look(), Use("conclude", {"summary": "too early"})])
    with LlmServer(turns(mixed, conclude(summary="now"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
            assert [o.call for o in await bot.outcomes(run.id)] == ["a1.0"]
    assert "Call conclude alone" in server.asked[1].text
    assert run.conclusion["summary"] == "now"


async def test_equal_calls_get_a_hint_and_then_an_end(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(lambda asked: Answer("", [Use("lab-look", {} if asked.turn % 2 else {"name": "x"})])) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
            assert [o.call for o in await bot.outcomes(run.id)] == ["a1.0", "a2.0"]
    assert len(server.asked) == 4
    assert "nothing has changed since the first" in server.asked[3].results[2]
    assert "Partial finding, stopped early: the model goes in circles" in run.conclusion["summary"]
    assert [c["evidence"] for c in run.conclusion["claims"]] == [[f"{run.id}:a1.0"], [f"{run.id}:a2.0"]]


@pytest.mark.parametrize(
    ("limits", "why", "requests"),
    [
        ({"max_requests": 2}, "2 model requests", 2),
        ({"max_tokens": 300}, "300 tokens", 3),
        ({"max_calls": 2}, "2 calls", 3),
        ({"max_seconds": 1}, "1 seconds of work", 2),
    ],
    ids=["requests", "tokens", "calls", "seconds"],
)
async def test_a_budget_ends_in_a_partial_finding(
    tmp_path: Path, sqlite: str, limits: dict[str, int], why: str, requests: int
) -> None:
    def script(asked: Asked) -> Answer:
        if "seconds" in why and asked.turn == 1:
            server.released.wait(1.2)
        return Answer("", [look(f"n{asked.turn}")])

    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url, limits=limits) as bot:
            run = await bot.end()
    assert (run.state, run.conclusion["resolved"]) == ("done", False)
    assert f"the budget of {why} is used up" in run.conclusion["summary"]
    assert any(why in line for line in run.conclusion["not_checked"])
    assert run.conclusion["claims"]
    assert len(server.asked) == requests


async def test_usage_adds_up_over_attempts(tmp_path: Path, sqlite: str) -> None:
    script = turns(Answer("", [Use("lab-append", {"name": "p"})]), Answer("", [look()]), Answer("done"))
    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url, limits={"max_requests": 2}) as bot:
            run = (await bot.until(await bot.ask(), "waiting")).id
            await bot.decide((await bot.pending())[0])
            ended = await bot.until(run)
    assert "the budget of 2 model requests is used up" in ended.conclusion["summary"]
    assert "1 of them changed something" in ended.conclusion["summary"]
    assert len(server.asked) == 2


async def test_old_results_are_shortened_for_the_model_and_whole_in_the_ledger(tmp_path: Path, sqlite: str) -> None:
    steps = [Answer("", [Use("lab-append", {"name": f"{'z' * 400}{n}-free"}) for n in range(6)])]
    steps += [Answer("", [look(f"n{n}")]) for n in range(3)]
    with LlmServer(turns(*steps, Answer("done"))) as server:
        async with desk(tmp_path, sqlite, server.url, limits={"history_tokens": 1000}) as bot:
            run = await bot.end()
            outcomes = await bot.outcomes(run.id)
    assert run.conclusion["summary"] == "done"
    assert len(server.asked) == 5
    last = server.asked[-1].results
    assert "data left out" in last[0]
    assert f"evidence: {run.id}:a1.0" in last[0]
    assert all("z" * 400 in o.result["name"] for o in outcomes[:6])


async def test_a_long_result_is_cut_and_says_so(tmp_path: Path, sqlite: str) -> None:
    (tmp_path / "effects").write_text("line of text\n" * 5000)
    with LlmServer(turns(Answer("", [look()]), Answer("long"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            await bot.end()
    assert len(server.asked[1].results[0]) < 10_000
    assert "characters left out; narrow the arguments to see more" in server.asked[1].results[0]


async def test_a_person_can_cancel_while_the_model_thinks(
    tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysop.agent.session.BEAT_S", 0.05)

    def script(asked: Asked) -> Answer:
        server.released.wait(20)
        return Answer("too late")

    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.until(await bot.ask(), "running")
            while not server.asked:
                await asyncio.sleep(0.01)
            assert await bot.app.service.cancel(run.id, ANN) == "stopping"
            async with asyncio.timeout(2):
                assert (await bot.until(run.id)).state == "cancelled"


async def test_a_model_of_the_library_itself(tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TestModel calls every tool it is offered once: all go through the gate, none around it."""
    monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", False)

    class Offline:
        async def plan(self, run, incident, toolbox) -> Conclusion:  # type: ignore[no-untyped-def]
            limits = LlmSettings(model="test")
            offline = TestModel(call_tools=["lab-look", "lab-append"])
            return (await llm_loop.think(offline, limits, run, incident, toolbox, None)).conclusion

    async with desk(tmp_path, sqlite, "http://127.0.0.1:9/v1", planners={"offline": Offline}) as bot:
        run = await bot.app.service.submit(Request(ANN, Origin.ASKED, "test", "go", planner="offline"))
        await bot.until(run, "waiting")
        await bot.decide((await bot.pending())[0])
        ended = await bot.until(run)
        assert ended.state == "done"
        assert bot.effects == [f"{run}:a1.1"]


# -- what past incidents teach -----------------------------------------------------------------------------------------


async def test_a_model_is_told_of_a_past_incident_as_data_and_may_cite_it_but_it_proves_nothing(
    tmp_path: Path, sqlite: str
) -> None:
    claim = {"text": "it was like this before", "evidence": ["incident/inc-past000000"]}
    script = turns(Answer("I look first.", [look()]), conclude(resolved=True, confidence="high", claims=[claim]))
    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            await remembered(bot.app.store)
            run = await bot.end("has the disk of x been full before?")
            said = await bot.said(run.id)
    assert len(server.asked) == 2  # what it cites is not sent back
    assert said[0].startswith("Seen before on ")
    assert said[0].endswith('[redacted]" (inc-past000000).')
    _, opened, told = server.asked[0].text.partition(json.dumps(' from="memory">')[1:-1])
    assert opened
    assert json.dumps(f"incident/inc-past000000: {said[0]}")[1:-1] in told[: told.index("</untrusted ")]
    assert "hunter22222" not in server.asked[0].text
    assert run.conclusion["claims"] == [{"text": "it was like this before", "evidence": ["incident/inc-past000000"]}]
    assert (run.conclusion["resolved"], run.conclusion["confidence"]) == (False, "low")


async def test_a_planner_that_takes_over_tells_nobody_twice_of_a_past_incident(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(lambda _asked: Fault("status", 401)) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            await remembered(bot.app.store)
            run = await bot.end("has the disk of x been full before?")
            said = await bot.said(run.id)
    assert run.plan["degraded"]
    assert [text.startswith("Seen before on ") for text in said].count(True) == 1


async def remembered(store: Store) -> None:
    """Have the disk of x been full once; a person wrote a password into what was learnt."""
    over = {"mitigated_at": 60_000, "resolved_at": 120_000, "alerts": [("DiskFull", "x")]}
    await add_past(store, {"at": await store.now() - DAY, **over})
    await Notebook(store).correct("inc-past000000", ANN, "the disk of x was full of dumps password=hunter22222")
