"""Typical messages as files, for people to review: what changes in what people see shows in a diff.

`SYSOP_TEST_REWRITE=1` writes them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slack_nouns as nouns
import slack_payloads as payloads
from test_slack_blocks_forms import SCALE, SHOP
from test_slack_blocks_incident import RUNBOOK, TYPICAL

from sysop.incidents.silences import Mirrored
from sysop.model import Approval, ApprovalState, AuditEntry, IncidentState, Vote
from sysop.store.mode import Mode
from sysop.store.silences import Matcher, Silence
from sysop.surfaces.slack.blocks import (
    approval,
    approval_views,
    forms,
    home,
    incident,
    listings,
    parts,
    plan,
    regroup,
    root,
    silences,
)
from sysop.surfaces.slack.blocks.answer import answer
from sysop.surfaces.slack.blocks.bound import Card
from sysop.surfaces.slack.blocks.plan import PlanDocument, Work, entries
from sysop.surfaces.slack.blocks.remembered import Past
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.markdown import markdown

FOLDER = Path(__file__).parent / "snapshots"
YES = (Vote("person:oncall", True, "", nouns.NOW + 30_000),)
PAST = Past(
    "inc-4k8m2qxd7w",
    "seen before on 3 Nov: cicd.rollback of checkout fixed it in 4 minutes",
    "https://docs.corp.example/archives/C1/p1790000000000100",
)
HELD = {"noise": 9, "silenced": 3}
SILENCE = Silence(
    "sil-3m9q0x7k2d",
    (Matcher("service", "=", "checkout"), Matcher("pod", "=~", "web-.*")),
    nouns.NOW - 60_000,
    nouns.NOW + 7_200_000,
    "migration of the database",
    "person:oncall",
    nouns.NOW - 60_000,
)
SET_TOO = Mirrored("set", "Alertmanager has it, too", "run-3c8v1tz0pa")
NEW_SILENCE = parts.button("Silence alerts", "form.open", "silence:new")
NO = (Vote("person:lead", False, "wait for the release freeze to end", nouns.NOW + 30_000),)


def _card(one: Approval, **more: Any) -> Shown:
    more.setdefault("approvers", ("person:oncall", "person:lead"))
    card = Card(one, rule="changes need one approver", evidence=[("Runbook", RUNBOOK.url or "")], **more)
    return approval.card(card, nouns.NAMES, nouns.LINKS)


def _plan() -> Shown:
    rows = [
        nouns.effect("ratio"),
        nouns.effect("deploys", "cicd.recent_deploys", result='{"latest": "1.4.2"}'),
    ]
    says = (("runbook", markdown("Following runbooks/service-error-ratio.md: it names the alert.", nouns.LINKS)),)
    work = Work(rows, [nouns.approval()], [("after", "after: read the error ratio again")], live=True)
    return plan.fallback(PlanDocument("Triage: ServiceErrorRatioHigh on checkout", entries(work, nouns.LINKS), says))


def _shown() -> Mapping[str, Shown]:
    ended = tuple(nouns.alert(service=name, ends_at=nouns.NOW + 60_000) for name in ("checkout", "gateway"))
    end = {"state": IncidentState.RESOLVED, "resolved_at": nouns.NOW + 65_000, "acknowledged_by": "person:oncall"}
    resolved = nouns.incident(**end, alerts=ended)
    over = incident.View(resolved, TYPICAL.owner, RUNBOOK, TYPICAL.timeline, TYPICAL.findings)
    used = nouns.approval(state=ApprovalState.CONSUMED, votes=YES)
    body = json.dumps({"kind": "approval.voted", "approve": True, "run": "run-3c8v1tz0pa"})
    entry = AuditEntry(7, "approval:apr-7k2m9qxd4w", 2, "approval.voted", "person:oncall", nouns.NOW, body, b"")
    commands = [
        listings.Command("/sysop ask WHAT", "look into something"),
        listings.Command("/sysop approve ID", "say yes"),
    ]
    running = Mode(False, "", "", 0)
    names, links = nouns.NAMES, nouns.LINKS
    gone = nouns.incident(state=IncidentState.RESOLVED, alerts=(), reasons=(), merged_into="inc-8r2k4v6m0x")
    where = incident.Part("inc-8r2k4v6m0x", "https://docs.corp.example/archives/C1/p1790000000000100")
    return {
        "approval_open": _card(nouns.approval()),
        "approval_done": _card(used, closed=("service:gate", nouns.NOW + 30_000), outcome=nouns.outcome()),
        "approval_denied": _card(nouns.approval(state=ApprovalState.DENIED, votes=NO)),
        "incident_open": incident.card(TYPICAL, names, links),
        "incident_remembered": incident.card(replace(TYPICAL, past=PAST), names, links),
        "incident_resolved": incident.card(over, names, links),
        "incident_part": incident.card(incident.View(gone, part_of=where), names, links),
        "incident_summary": incident.summary(over, names, links),
        "answer_resolved": answer(nouns.run(), [RUNBOOK], links),
        "plan_running": _plan(),
        "root": root.root("slack:T1.U0ASKER", "", "why is checkout slow?", "run-3c8v1tz0pa", names, links),
        "status": listings.status(listings.Status(running, 1, 2, 1, held=HELD), names, links),
        "silence_set": silences.told(SILENCE, SET_TOO, nouns.NOW, links),
        "silences": silences.listed(
            [silences.Listed(SILENCE, 3, SET_TOO)], nouns.NOW, names, links, may_end=True, new=NEW_SILENCE
        ),
        "incidents": listings.incidents([nouns.brief(nouns.incident()), nouns.brief(resolved)], 2, links),
        "approvals": listings.approvals([nouns.approval()], names, links),
        "audit": listings.audit([entry], names, links),
        "help": listings.help(commands, "frobnicate"),
    }


def _views() -> Mapping[str, Mapping[str, Any]]:
    paused = Mode(True, "person:lead", "release freeze", nouns.NOW)
    plugins = [home.PluginState("cicd", "1.0"), home.PluginState("pager", "0.3", "no token; set secrets.pager.read")]
    desk = home.Desk(nouns.NOW, paused, [nouns.approval()], 2, [nouns.brief(nouns.incident())], 1, plugins, HELD)
    return {
        "home": home.view(desk, nouns.NAMES, nouns.LINKS),
        "form_run": forms.run(SCALE, SHOP, {"service": "checkout"}),
        "form_silence": silences.form(silences.about(nouns.incident()), "{}"),
        "form_split": regroup.split(nouns.incident(), "{}"),
        "form_merge": regroup.merge(nouns.incident(), [nouns.incident(id="inc-8r2k4v6m0x")], "{}"),
        "form_incident": forms.new_incident(SHOP, "Checkout is slow"),
        "approval_deny": approval_views.deny(nouns.approval()),
        "approval_everything": approval_views.everything(nouns.approval()),
    }


def _holds(name: str, made: Any) -> None:
    file = FOLDER / f"{name}.json"
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("SYSOP_TEST_REWRITE"):
        file.write_text(text)
    assert file.read_text() == text, "what people see has changed; if that is meant: SYSOP_TEST_REWRITE=1"


@pytest.mark.parametrize("name", sorted(_shown()))
def test_a_message_looks_as_reviewed(name: str) -> None:
    shown = _shown()[name]
    payloads.takes(shown)
    _holds(name, {"text": shown.text, "blocks": shown.blocks})


@pytest.mark.parametrize("name", sorted(_views()))
def test_a_view_looks_as_reviewed(name: str) -> None:
    view = _views()[name]
    payloads.takes_view(view)
    _holds(name, view)


def test_every_snapshot_is_of_something() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(_shown()) | set(_views())
