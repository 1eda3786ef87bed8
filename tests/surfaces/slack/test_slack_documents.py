"""What messages show, read from the rows of real runs, approvals and incidents on either database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slack_payloads as payloads
from slack_payloads import texts
from test_slack_blocks_answer import chunks

import bench
from gate.kit import ANN, Attack, Calls
from sysop import blockkit
from sysop.gate.approvals import Counted
from sysop.inventory import Inventory, Service
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import parse
from sysop.model import Actor, Alert, Approval, Change, ChangeKind, Origin, Request
from sysop.store import changes, conversations, members, runs
from sysop.store.conversations import Conversation
from sysop.surfaces.slack import documents, keys, stretches
from sysop.surfaces.slack.blocks.home import PluginState
from sysop.surfaces.slack.blocks.plan import PlanDocument, fallback
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.look import Look

USERS = {"person:ann": "U0ASKER", "person:bob": "U0ONCALL", "person:cat": "U0LEAD"}
PAGE = parse(
    "---\ntitle: A service fails\nalerts: [High]\nservices: ['*']\n---\n# A service fails\n\nRead on.\n",
    "runbooks/x.md",
)
SHOP = {"checkout": {"owner": "team shop"}, "gateway": {"depends_on": ["checkout"]}}


class Desk(Attack):
    """A Sysop with members of one workspace, and what its messages show."""

    def look(self, **more: Any) -> Look:
        values: dict[str, Any] = {
            "links": Links(("example.com",)),
            "actions": self.app.host.actions,
            "inventory": Inventory({"checkout": Service("checkout", owner="team shop")}),
            "index": Index({PAGE.path: PAGE}),
            "runbooks_at": "https://example.com/ops/",
            "plugins": [PluginState("lab", "1")],
            "holding": self.app.people.holding,
        }
        return Look(**{**values, **more})

    async def people(self) -> None:
        def unit(tx: Any) -> None:
            for actor, user in USERS.items():
                members.save(tx, f"slack:T1.{user}", actor=actor, name=actor, human=True, roles=())

        await self.app.store.write(unit)
        await self.app.people.refresh()

    async def talk(self, text: str, **more: Any) -> tuple[Conversation, str]:
        """Begin a conversation with a run in it, as a person of the workspace would."""

        def begin(tx: Any) -> Conversation:
            place = {"surface": "slack", "team": "T1", "channel": "C1", "root": "1.000001"}
            made = conversations.create(tx, **place, owner=ANN.id, title="a title")
            conversations.add_turn(tx, made.id, "1.000001", ANN.id, text)
            return made

        made = await self.app.store.write(begin)
        request = Request(ANN, Origin.ASKED, "slack", text=text, conversation=made.id, **more)
        run = await self.app.service.submit(request)
        await self.app.store.write(lambda tx: conversations.set_run(tx, made.id, run))
        return made, run

    async def show(self, key: str, *, late_ms: int = 0, **more: Any) -> Shown | PlanDocument | None:
        now = await self.app.store.now() + late_ms
        return await self.app.store.read(lambda conn: documents.document(conn, key, now, self.look(**more)))

    async def card(self, key: str, **more: Any) -> str:
        shown = await self.show(key, **more)
        assert isinstance(shown, Shown)
        payloads.takes(shown)
        return texts(shown.blocks).replace("\n", "")

    async def plan(self, run: str, stretch: int = 1) -> PlanDocument:
        found = await self.show(keys.plan(run, stretch))
        assert isinstance(found, PlanDocument)
        assert blockkit.check_chunks(chunks(found)) == []
        return found

    async def answer(self, approval: Approval, by: Actor, approve: bool = True, reason: str = "") -> Counted:
        return await self.vote(approval, by, approve, reason=reason)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, url, inventory=SHOP, incidents={"quiet_seconds": 0, "triage_after_seconds": 0})
    await made.people()
    yield made
    await made.close()


BOB = Actor("person:bob", frozenset({"approver"}), human=True)
CAT = Actor("person:cat", frozenset({"approver"}), human=True)
TWO = Calls(
    ("look", "lab.look", {"name": "before"}), ("change", "lab.append", {"name": "web"}), ("after", "lab.look", {})
)


async def _asked(desk: Desk) -> tuple[Conversation, str, Approval]:
    """Carry a run of three calls to where its change needs people."""
    desk.app.planners.add("two", lambda: TWO)
    talk, run = await desk.talk("fix the web", planner="two")
    await desk.work()
    return talk, run, await desk.approval(run, "change")


async def test_a_root_shows_who_asked_for_what(desk: Desk) -> None:
    talk, run = await desk.talk("why is web slow? <!channel>")
    seen = await desk.card(keys.root(talk.id))
    assert seen.startswith("<@U0ASKER> asked: why is web slow? <!channel>")
    assert run in seen


async def test_a_card_follows_the_decision_to_its_outcome(desk: Desk) -> None:
    _, run, approval = await _asked(desk)
    seen = await desk.card(keys.approval(approval.id))
    for part in (
        "Approval needed · CHANGE · lab.append",
        "`thing:web`",
        'name = "web"',
        "<@U0ONCALL>",
        "<@U0LEAD>",
        "rule ",
    ):
        assert part in seen, part
    assert "<@U0ASKER>, " not in seen.partition("Who may approve")[2].partition("Votes")[0], "who asks may not approve"
    assert (await desk.answer(approval, BOB)).counted
    assert "Approved by <@U0ONCALL>" in await desk.card(keys.approval(approval.id))
    assert "It runs as soon as" in await desk.card(keys.approval(approval.id))
    await desk.work()
    assert "It was done, once." in await desk.card(keys.approval(approval.id))
    assert (await desk.run(run)).over


async def test_an_approved_card_says_what_a_pause_holds_back_and_until_when(desk: Desk) -> None:
    await desk.app.service.pause(BOB, "moving <!channel> the database")
    _, run, approval = await _asked(desk)
    assert (await desk.answer(approval, CAT)).counted
    await desk.work()
    seen = await desk.card(keys.approval(approval.id))
    for words in ("Changes are paused by ", "<@U0ONCALL>", "the database", "/sysop resume", "approved again"):
        assert words in seen, words
    assert "It runs as soon as" not in seen
    second = await desk.plan(run, 2)
    assert second.status == "suspended"
    (said,) = [text for _, text in second.says]
    assert said.startswith("Changes are paused: moving ")
    assert "/sysop resume" in said
    assert "<!channel>" not in said
    assert "Working on it" not in texts(fallback(second).blocks)
    await desk.app.service.resume(BOB, "moved")
    assert "It runs as soon as" in await desk.card(keys.approval(approval.id))
    await desk.work()
    assert "It was done, once." in await desk.card(keys.approval(approval.id))
    assert (await desk.plan(run, 2)).says == ()


async def test_a_denied_card_tells_the_reason(desk: Desk) -> None:
    _, _, approval = await _asked(desk)
    assert (await desk.answer(approval, BOB, approve=False, reason="not on a Friday")).counted
    seen = await desk.card(keys.approval(approval.id))
    assert "Denied by <@U0ONCALL>" in seen
    assert "said no: not on a Friday" in seen


async def test_a_card_whose_time_is_over_has_no_buttons_even_before_its_row_says_so(desk: Desk) -> None:
    _, _, approval = await _asked(desk)
    assert "Approve" in await desk.card(keys.approval(approval.id))
    seen = await desk.card(keys.approval(approval.id), late_ms=31 * 60_000)
    assert "⌛ Expired" in seen
    assert "View all" not in seen


async def test_a_plan_is_cut_by_the_approval(desk: Desk) -> None:
    _, run, approval = await _asked(desk)
    first = await desk.plan(run)
    assert [(t.id, t.status) for t in first.entries] == [("look", "complete"), (f"ask:{approval.id}", "complete")]
    assert (first.status, first.ended, first.recipient) == ("suspended", False, ("T1", "U0ASKER"))
    assert await desk.show(keys.plan(run, 2)) is None
    await desk.answer(approval, BOB)
    before = await desk.plan(run)
    assert (before.status, before.ended, before.entries) == ("processing", True, first.entries)
    assert await desk.app.store.read(lambda conn: stretches.current(conn, run)) == 2
    await desk.work()
    second = await desk.plan(run, 2)
    assert [(t.id, t.status) for t in second.entries] == [("change", "complete"), ("after", "complete")]
    assert (second.status, second.ended) == ("active", True)
    assert second.answer is not None
    payloads.takes(second.answer)
    assert (await desk.plan(run)).answer is None
    assert (await desk.plan(run)).entries == first.entries, "what was told stays as it was"


async def test_what_is_said_and_begun_is_in_the_plan(desk: Desk) -> None:
    _, run = await desk.talk("look around")
    claimed = await desk.app.store.write(lambda tx: runs.claim(tx, run, "tester"))
    assert claimed is not None

    def unit(tx: Any) -> None:
        runs.say(tx, run, claimed.fence, "runbook", "Following [x](https://evil.com) <!here>")
        runs.say(tx, run, claimed.fence, "ratio.start", "ratio: read the error ratio")
        runs.say(tx, run, claimed.fence, "other.start", "other: read more")
        runs.say(tx, run, claimed.fence, "other.failed", "other: it failed")

    await desk.app.store.write(unit)
    found = await desk.plan(run)
    assert [(t.id, t.status) for t in found.entries] == [("ratio", "in_progress")]
    assert found.says[0] == ("runbook", "Following x (`https://evil.com`) <\u200b!here>")
    assert [id for id, _ in found.says] == ["runbook", "other.failed"]
    assert found.status == "processing"


def _alert(service: str, ends_at: int | None = None) -> Alert:
    labels = {"alertname": "High", "service": service, "severity": "critical"}
    return Alert("test", f"High-{service}", 1_700_000_000_000, ends_at, labels, {}, "https://example.com/alert")


async def test_the_card_has_what_was_changed_shortly_before(desk: Desk) -> None:
    at = 1_700_000_000_000 - 180_000
    deploy = Change(ChangeKind.DEPLOY, "checkout", source="ci", id="b1", at=at, after="1.4.2", by="<!channel>")
    old = replace(deploy, id="b2", at=at - 3_600_000, after="1.4.1")
    await desk.app.store.write(lambda tx: changes.take(tx, [deploy, old], changes.Told.ASKED))
    await bench.take(desk.app, [_alert("checkout")])
    [incident] = await desk.app.store.read(lambda conn: documents.incidents.listed(conn))
    seen = await desk.card(keys.incident(incident.id))
    assert "Changed in the 30 minutes before" in seen
    assert "checkout 1.4.2 was deployed 3 minutes before by " in seen
    assert "1.4.1" not in seen


async def test_an_incident_is_told_from_its_opening_to_its_end(desk: Desk) -> None:
    await bench.take(desk.app, [_alert("checkout"), _alert("gateway")])
    [incident] = await desk.app.store.read(lambda conn: documents.incidents.listed(conn))
    key = keys.incident(incident.id)
    seen = await desk.card(key)
    for part in (
        "🔴 Open · High on checkout",
        "2 alerts, 2 firing",
        "gateway calls checkout",
        "team shop",
        "runbooks/x.md",
        "A service fails",
    ):
        assert part in seen, part
    assert "Run triage" not in seen, "a run looks into it already"
    await desk.app.lifecycle.acknowledge(incident.id, BOB)
    seen = await desk.card(key)
    assert "<@U0ONCALL>" in seen.partition("Acknowledged by")[2]
    await desk.work()
    assert "Run triage" in await desk.card(key)
    assert "triage ended" in await desk.card(key)
    await bench.take(desk.app, [_alert("checkout", 1_700_000_060_000), _alert("gateway", 1_700_000_060_000)])
    await desk.app.lifecycle.tick()
    seen = await desk.card(key)
    assert "🟢 Resolved · High on checkout" in seen
    assert "Sysop changed nothing for it." in seen
    summary = await desk.app.store.read(lambda conn: documents.incident_summary(conn, incident.id, desk.look()))
    payloads.takes(summary)
    assert summary.text.startswith("🟢 Resolved after ")


async def test_home_shows_each_member_what_they_may_decide(desk: Desk) -> None:
    _, _, approval = await _asked(desk)
    seen = {}
    for actor, user in USERS.items():
        now = await desk.app.store.now()

        def read(conn: Any, user: str = user, now: int = now) -> Any:
            member = members.get(conn, f"slack:T1.{user}")
            assert member is not None
            return documents.home(conn, member, now, desk.look())

        view = await desk.app.store.read(read)
        payloads.takes_view(view)
        seen[actor] = texts(view["blocks"])
    assert "lab.append on thing:web" in seen["person:bob"]
    assert "Nothing needs your decision" in seen["person:ann"], "who asks for a change cannot approve it"
    assert "1 approval waits for other people" in seen["person:ann"]
    await desk.app.service.pause(BOB, "freeze")
    await desk.answer(approval, BOB)
    view = await desk.app.store.read(
        lambda conn: documents.home(conn, members.get(conn, "slack:T1.U0ONCALL"), 0, desk.look())  # type: ignore[arg-type]
    )
    assert "⏸ Changes are paused" in texts(view["blocks"])
    assert "Nothing needs your decision" in texts(view["blocks"])


@pytest.mark.parametrize(
    "key", ["root:conv-0", "incident:inc-0", "approval:apr-0", "plan:run-0#1", "home:T1.U1", "demo:x", ""]
)
async def test_what_is_gone_shows_nothing(desk: Desk, key: str) -> None:
    assert await desk.show(key) is None


def test_what_every_process_imports_needs_no_slack_package() -> None:
    light = (
        "documents",
        "project",
        "keys",
        "text",
        "markdown",
        "look",
        "blocks.forms",
        "blocks.listings",
        "blocks.home",
    )
    names = ", ".join(f"sysop.surfaces.slack.{name}" for name in light)
    code = f"import {names}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"slack_sdk", "slack_bolt", "aiohttp"}.isdisjoint(done.stdout.split())
