"""What the rows of an incident tell to the draft of a page: what was done and came to something, and no secret."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gate.kit import ANN
from incidents.lived import Lived, alert
from sysop.errors import InvalidRequest, NoSuch
from sysop.extension import Toolbox
from sysop.inventory import Inventory
from sysop.knowledge.draft import Facts, draft
from sysop.knowledge.draft_facts import facts
from sysop.knowledge.lint import errors, lint
from sysop.knowledge.memory.notebook import Notebook
from sysop.knowledge.runbook import parse
from sysop.model import Conclusion, Origin, Request, Run


@pytest.fixture
async def lived(url: str, tmp_path: Path) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def known(lived: Lived, incident: str) -> Facts:
    return await lived.app.store.read(lambda conn: facts(conn, incident, lived.app.contexts.inventory))


async def test_what_was_done_becomes_a_page_that_a_person_must_finish(lived: Lived) -> None:
    incident = await lived.live_through()
    found = await known(lived, incident.id)
    assert (found.alerts, found.services) == (("HighErrorRate", "Slow"), ("checkout", "gateway"))
    assert (found.owner, found.summary, found.cause) == (
        "team shop",
        "The new version was taken back.",
        "the release of 14:00",
    )
    assert [(call.action, call.args, call.state, call.verified) for call in found.calls] == [
        ("lab.look", {"name": "x"}, "done", None),
        ("lab.checked", {"name": "web"}, "done", True),
    ], "what nobody approved was not done"
    assert found.minutes is not None
    actions = lived.app.host.actions
    page = parse(draft(found, actions), "runbooks/x.md")
    assert [step.action for step in page.steps] == ["lab.look", "lab.checked"]
    (wrong,) = [text for text in errors(lint(page, actions, Inventory())) if "when is always false" in text]
    assert "lab.checked" not in wrong.partition("step ")[0]


async def test_what_a_person_corrected_is_the_cause_and_a_secret_is_taken_out(lived: Lived) -> None:
    incident = await lived.live_through()
    await Notebook(lived.app.store).correct(incident.id, ANN, "the pool was too small, password=hunter22222")
    assert (await known(lived, incident.id)).cause == "the pool was too small, password=[redacted]"


async def test_one_that_is_open_unknown_or_forgotten_has_no_facts(lived: Lived) -> None:
    with pytest.raises(NoSuch):
        await known(lived, "inc-x")
    incident = await lived.live_through()
    await Notebook(lived.app.store).forget(incident.id, ANN, "a game day")
    with pytest.raises(InvalidRequest, match=f"{incident.id} is forgotten"):
        await known(lived, incident.id)


async def test_the_calls_of_its_parts_count_each_once_and_those_of_runs_that_only_read_do_not(lived: Lived) -> None:
    now = await lived.app.store.now()
    slow, down = alert("Slow", "gateway", now - 2000), alert("Down", "checkout", now - 1000)
    await lived.place({"a": [slow]})
    await lived.place({"b": [down]})
    first, second = await lived.all()
    await lived.app.regroup.merge(first.id, second.id, ANN)
    lived.app.planners.add("thrice", Thrice)
    for planner, read_only in (("thrice", False), ("thrice", True)):
        request = Request(ANN, Origin.ASKED, "test", incident=second.id, planner=planner, read_only=read_only)
        await lived.app.service.submit(request)
    await lived.work()
    with pytest.raises(InvalidRequest, match=f"{second.id} is still open"):
        await known(lived, first.id)
    await lived.end(slow, down, at=await lived.app.store.now())
    found = await known(lived, first.id)
    assert (set(found.alerts), set(found.services)) == ({"Slow", "Down"}, {"checkout", "gateway"})
    names = [call.args["name"] for call in found.calls if call.action == "lab.look" and call.args]
    assert names == ["x", "changing"], "x of its own triage"
    assert [call.note for call in found.calls if call.args.get("name") == "changing"] == [
        "Is it there? password=[redacted]"
    ]


class Thrice:
    """A planner that looks again and again for the same."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        for number in range(3):
            name = "reading" if run.read_only else "changing"
            await toolbox.say(f"look{number}.start", f"look{number}: Is it there? password=hunter22222")
            await toolbox.call(f"look{number}#1", "lab.look", {"name": name})
        return Conclusion("Nothing was wrong.", resolved=True)
