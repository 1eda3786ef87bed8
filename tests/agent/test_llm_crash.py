"""Must-show 6: a process with a model at work is killed anywhere; approved calls happen once, no answer is lost.

Every life here runs with shortened histories, against a server that gives each call the id `call_0`.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from llm_kit import BOB, FINAL, Life, cite, conclude, desk, idle

from sysop.testing.llm import Answer, Asked, LlmServer, Use, turns

POINTS = [
    ("sqlite", "save.after", 1),
    ("sqlite", "save.before", 2),  # between an answer and its storing: that one request is made again
    ("sqlite", "save.after", 2),
    ("sqlite", "read", 2),
    ("sqlite", "ended.done", 1),
    ("sqlite", "save.after", 3),
    ("sqlite", "parked", 1),
    ("sqlite", "concluded", 1),
    ("postgres", "save.after", 2),
    ("postgres", "requested", 2),
    ("postgres", "save.after", 3),
    ("postgres", "concluded", 1),
]
LATER = [
    ("sqlite", "approved"),
    ("sqlite", "intent"),
    ("sqlite", "effect.after"),
    ("sqlite", "ended.done"),
    ("sqlite", "save.after"),
    ("postgres", "effect.before"),
    ("postgres", "ended.done"),
    ("postgres", "parked"),
]


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let this process do once what a library does at first use, so that no forked life does it again."""

    async def once(folder: Path) -> None:
        with LlmServer(turns(Answer("looking", [use("lab-look")]), conclude())) as server:
            async with desk(folder, f"sqlite:///{folder / 'warm.db'}", server.url) as bot:
                assert (await bot.end()).state == "done"

    asyncio.run(once(tmp_path_factory.mktemp("warm")))


def use(tool: str, **args: object) -> Use:
    return Use(tool, args, id="call_0")


def last(asked: Asked) -> Answer:
    done = [id for id in cite(asked) if id.endswith((".2", ".3"))]
    return conclude(resolved=True, claims=[{"text": "both are appended", "evidence": done}])


SCRIPT = turns(
    Answer(
        "Two looks and two changes at once.",
        [
            use("lab-look", name="a" * 3000),
            use("lab-look", name="b"),
            use("lab-append", name="p"),
            use("lab-append", name="q"),
            use("lab-append", name="r-free"),
        ],
    ),
    Answer("A look after it.", [use("lab-look", name="after")]),
    last,
)


async def start(folder: Path, url: str) -> str:
    async with idle(folder, url) as bot:
        return str(await bot.ask("append p and q", planner="llm"))


async def answer(folder: Path, url: str, name: str, approve: bool = True) -> None:
    async with idle(folder, url) as bot:
        for approval in await bot.pending():
            if approval.target == f"thing:{name}":
                await bot.decide(approval, approve, "not now")


async def check(folder: Path, url: str, run_id: str, effects: list[str]) -> None:
    async with idle(folder, url) as bot:
        run = await bot.run(run_id)
        assert run.state == "done", run
        assert run.conclusion["degraded"] is None, run.conclusion
        assert Counter(bot.effects) == Counter(f"{run_id}:a1.{n}" for n in effects)
        outcomes = {o.call: o.state for o in await bot.outcomes(run_id)}
        assert {f"a1.{n}" for n in effects} <= set(outcomes)
        assert set(outcomes.values()) == {"done"}
        assert len(run.conclusion["claims"]) == 1, run.conclusion


async def finish(life: Life, folder: Path, url: str, run_id: str) -> None:
    """Let living processes work and people approve until the run is over."""
    for _ in range(6):
        assert not Life(folder, url, life.model).live()
        async with idle(folder, url) as bot:
            if (await bot.run(run_id)).state in FINAL:
                return
        await answer(folder, url, "q")
        await answer(folder, url, "p")
    raise AssertionError("the run does not end")


@pytest.mark.parametrize(("url", "at", "nth"), POINTS, indirect=["url"], ids=str)
async def test_a_kill_before_anybody_has_answered(url: str, tmp_path: Path, at: str, nth: int) -> None:
    with LlmServer(SCRIPT) as server:
        run = await start(tmp_path, url)
        life = Life(tmp_path, url, server.url, at, nth)
        killed = life.live()
        if at == "concluded":
            assert not killed
            await answer(tmp_path, url, "q")
            await answer(tmp_path, url, "p")
            assert life.live(), "nobody died: the test proves nothing"
        else:
            assert killed, "nobody died: the test proves nothing"
        await finish(life, tmp_path, url, run)
        await check(tmp_path, url, run, ["2", "3", "4"])
        again = at == "save.before" and nth == 2
        assert len(server.asked) == 3 + again


@pytest.mark.parametrize(("url", "at"), LATER, indirect=["url"], ids=str)
async def test_two_approvals_at_different_times_with_kills_between(url: str, tmp_path: Path, at: str) -> None:
    with LlmServer(SCRIPT) as server:
        run = await start(tmp_path, url)
        whole = Life(tmp_path, url, server.url)
        assert not whole.live()
        async with idle(tmp_path, url) as bot:
            waits = (await bot.run(run)).waiting_for.split()
            assert waits == [f"approval:{a.id}" for a in await bot.pending()]
            assert len(waits) == 2
        await answer(tmp_path, url, "q")
        assert Life(tmp_path, url, server.url, at).live(), "nobody died: the test proves nothing"
        assert not whole.live()
        async with idle(tmp_path, url) as bot:
            assert sorted(bot.effects) == [f"{run}:a1.3", f"{run}:a1.4"]
            assert [a.call for a in await bot.pending()] == ["a1.2"]
        await answer(tmp_path, url, "p")
        Life(tmp_path, url, server.url, at).live()
        await finish(whole, tmp_path, url, run)
        await check(tmp_path, url, run, ["2", "3", "4"])
        assert len(server.asked) == 3


async def test_one_is_denied_after_a_kill_and_the_model_is_told(url: str, tmp_path: Path) -> None:
    with LlmServer(SCRIPT) as server:
        run = await start(tmp_path, url)
        assert Life(tmp_path, url, server.url, "requested", 2).live()
        assert not Life(tmp_path, url, server.url).live()
        await answer(tmp_path, url, "p", approve=False)
        assert Life(tmp_path, url, server.url, "save.after").live()
        await answer(tmp_path, url, "q")
        await finish(Life(tmp_path, url, server.url), tmp_path, url, run)
        await check(tmp_path, url, run, ["3", "4"])
        assert "was denied: not now" in server.asked[1].text
        assert len(server.asked) == 3


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_unknown_outcome_waits_for_a_person_and_the_model_hears_what_they_found(
    url: str, tmp_path: Path
) -> None:
    """Killed in the middle of an effect nobody can ask about; a read and an approval of the same answer go on."""
    uses = [use("lab-shout", name="s-free"), use("lab-append", name="p"), use("lab-look")]
    with LlmServer(turns(Answer("three at once", uses), conclude(summary="heard it"))) as server:
        run = await start(tmp_path, url)
        assert Life(tmp_path, url, server.url, "effect.after").live()
        whole = Life(tmp_path, url, server.url)
        assert not whole.live()
        async with idle(tmp_path, url) as bot:
            (asked,) = await bot.pending()
            assert (await bot.run(run)).waiting_for.split() == ["unknown:a1.0", f"approval:{asked.id}"]
            await bot.app.service.resolve(run, "a1.0", BOB, True, "I saw it")
        assert not whole.live()
        await answer(tmp_path, url, "p")
        await finish(whole, tmp_path, url, run)
        async with idle(tmp_path, url) as bot:
            assert (await bot.run(run)).conclusion["summary"] == "heard it"
            assert sorted(bot.effects) == [f"{run}:a1.0", f"{run}:a1.1"]
        assert "lab.shout is done" in server.asked[1].results[0]
        assert len(server.asked) == 2
