"""Questions without a model: answered from what is on record, never at the price of a change, and never longer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from talk_kit import Talks
from test_talk_incidents import PAGE, SERVICES, fire, place, told, triaged

from gate.kit import ANN, BOB, CAT
from sysop.model import Claim, Conclusion, Run
from sysop.runner.bounds import MAX_TEXT, bounded
from sysop.store import approvals

MOST = 8000


@pytest.fixture
async def shop(url: str, tmp_path: Path) -> AsyncIterator[Talks]:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "web.md").write_text(PAGE)
    changes = {"inventory": SERVICES, "runbooks": [str(tmp_path / "pages")], "prefer": "runbook"}
    opened = Talks(tmp_path, url, incidents={"quiet_seconds": 0, "triage_after_seconds": 0}, **changes)
    yield opened
    await opened.close()


async def asked(bot: Talks, text: str) -> str:
    """Ask in a thread of its own, and return the answer."""
    begun = await bot.begin(text, BOB)
    await bot.work()
    return told(await bot.run(str(begun.run)))


async def waiting(bot: Talks) -> list[approvals.Approval]:
    return await bot.app.store.read(lambda conn: approvals.listed(conn, pending_only=True))


async def test_thirty_questions_about_an_incident_stay_as_short_as_the_first(shop: Talks) -> None:
    _, talk, triage = await triaged(shop)
    for number in range(30):
        heard = await shop.hear(talk, f"question {number}: and now?", BOB)
        await shop.work()
        run = await shop.run(str(heard.run))
        assert len(json.dumps(run.conclusion)) < MOST, number
        assert told(run).count(triage.id) == 1
        assert run.conclusion is not None
        assert run.conclusion["cause"] == "the line was missing"


async def test_questions_while_an_approval_waits_stay_short_too(shop: Talks) -> None:
    talk = await place(shop, await fire(shop))
    await shop.work()
    for number in range(12):
        heard = await shop.hear(talk, f"question {number}: and now?", BOB)
        await shop.work()
        run = await shop.run(str(heard.run))
        assert "waits until people decide on lab.append on thing:web" in told(run)
        assert len(json.dumps(run.conclusion)) < MOST, number
    assert len(await waiting(shop)) == 1


async def test_what_is_broken_while_all_is_well(shop: Talks) -> None:
    answer = await asked(shop, "What is broken right now?")
    assert "No incident is open." in answer
    assert "Nothing waits for an approval." in answer
    assert "A person must" not in answer


async def test_what_is_broken_while_an_incident_waits_for_people(shop: Talks) -> None:
    incident = await fire(shop)
    await place(shop, incident)
    await shop.work()
    (one,) = await waiting(shop)
    for question in ("What is broken right now?", "Show the open approvals", "why is web down"):
        answer = await asked(shop, question)
        assert f"{incident}: " in answer
        assert f"(critical, open, 1 alert fires); {one.run} works on it, which waits for {one.id}" in answer
        assert f"{one.id}: lab.append on thing:web" in answer
    assert await waiting(shop) == [one]


@pytest.mark.parametrize("text", ["web is down?", "can you append a line", "why is web down"])
async def test_a_question_that_fits_a_runbook_begins_no_change(shop: Talks, text: str) -> None:
    answer = await asked(shop, text)
    assert "pages/web.md" in answer
    assert "To have something done, open an incident or name the action to run." in answer
    assert await waiting(shop) == []


async def test_a_report_beside_a_run_that_works_on_it_begins_no_second_one(shop: Talks) -> None:
    incident = await fire(shop)
    await place(shop, incident)
    await shop.work()
    (one,) = await waiting(shop)
    answer = await asked(shop, "web is down, append a line")
    assert answer.startswith(f"{one.run} works on {incident} (")
    assert await waiting(shop) == [one]


async def test_a_report_that_fits_well_is_followed_and_a_loose_one_is_not(shop: Talks) -> None:
    answer = await asked(shop, "web line queue append smokes")
    assert "pages/web.md may fit (confidence 0." in answer
    assert await waiting(shop) == []
    begun = await shop.begin("web is down, append a line", ANN)
    await shop.work()
    assert (await shop.vote(await shop.approval(str(begun.run), "append"), CAT)).counted


async def test_a_thing_nobody_knows_is_handed_over_with_what_is_open(shop: Talks) -> None:
    answer = await asked(shop, "the printer smokes")
    assert "No runbook was followed for 'the printer smokes': no runbook fits." in answer
    assert "No incident is open." in answer


class Loud:
    """A planner that concludes with more than anybody can read."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Any) -> Conclusion:
        return Conclusion("x" * 5_000_000, resolved=False, not_checked=["y" * 100] * 100_000, escalate="z" * 5_000_000)


async def test_no_planner_makes_a_conclusion_grow_without_end(url: str, tmp_path: Path) -> None:
    bot = Talks(tmp_path, url, planners={"loud": Loud}, prefer="loud")
    begun = await bot.begin("look", ANN)
    await bot.work()
    run = await bot.run(str(begun.run))
    assert run.conclusion is not None
    assert len(json.dumps(run.conclusion)) < 4 * MAX_TEXT
    assert told(run).endswith(f"[… {5_000_000 - MAX_TEXT} more characters were left out]")
    assert "more entries of this list were left out" in run.conclusion["not_checked"][-1]
    await bot.close()


def test_what_is_short_enough_stays_as_it_is() -> None:
    one = Conclusion("s", True, "c", "high", "b", [Claim("t", ("e:1",))], ["p"], ["n"], "e", "d")
    assert bounded(one) == one
    many = bounded(Conclusion("s", True, claims=[Claim("t" * 5000, ("e:1",))] * 1000, proposed=["p"] * 1000))
    assert (len(many.claims), len(many.proposed)) == (19, 200)
    assert many.not_checked == ["981 more claims were left out", "800 more proposals were left out"]
    assert all(claim.evidence == ("e:1",) for claim in many.claims)
