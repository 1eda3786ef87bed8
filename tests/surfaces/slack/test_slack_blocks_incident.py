"""The incident's card and its end: state, alerts with reasons, buttons that make sense, all within Slack's limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st
from slack_payloads import texts

from sysop.model import IncidentState
from sysop.surfaces.slack.blocks import incident, root
from sysop.surfaces.slack.blocks.incident import Cited, Findings, Moment, Part, View
from sysop.surfaces.slack.blocks.remembered import Past, rated

SOME = nouns.SOME
HAND = ("Silence", "Not this incident …", "Merge into …", "Report so far")
RUNBOOK = Cited("runbooks/service-error-ratio.md", "A service fails", "https://docs.corp.example/runbooks/x.md")
TYPICAL = View(
    nouns.incident(),
    owner="team shop",
    runbook=RUNBOOK,
    timeline=(Moment(nouns.NOW, "triage begins"), Moment(nouns.NOW + 5000, "looks after it", "person:oncall")),
    findings=Findings(
        "a timeout introduced in 1.4.2", ("cicd.rollback service:checkout was done",), ("run-3c8v1tz0pa:rollback",)
    ),
)
PLACE = "https://docs.corp.example/archives/C1/p1790000000000100"
cited = st.builds(Cited, hostile.some, nouns.words, st.one_of(st.none(), nouns.urls))
moments = st.builds(Moment, nouns.times, nouns.words, st.one_of(st.none(), nouns.actors))
views = st.builds(
    View,
    nouns.incidents,
    nouns.words,
    st.one_of(st.none(), cited),
    st.lists(moments, max_size=15),
    st.builds(Findings, nouns.words, st.lists(nouns.words, max_size=12), st.lists(hostile.some, max_size=14)),
    st.booleans(),
    st.integers(0, 10**6),
    st.one_of(st.none(), st.builds(Part, st.just("inc-other00000"))),
    st.lists(nouns.words, max_size=12),
    st.one_of(st.none(), st.builds(Past, st.just("inc-past00000"), nouns.words, st.sampled_from(("", PLACE)))),
)


def card(view: View) -> Any:
    return incident.card(view, nouns.NAMES, nouns.LINKS)


def labels(view: View) -> list[str]:
    buttons = incident.buttons(view)
    plain = [button["text"]["text"] for button in buttons if button["type"] == "button"]
    return [*plain, *(one["text"]["text"] for menu in buttons for one in menu.get("options", ()))]


@SOME
@given(views)
def test_slack_takes_every_incident(view: View) -> None:
    payloads.takes(card(view))
    payloads.takes(incident.summary(view, nouns.NAMES, nouns.LINKS))


@given(st.text())
def test_only_a_value_of_ours_rates_a_past_incident(text: str) -> None:
    assert rated(text) is None
    assert rated("memory.wrong:inc-1:inc-2") == ("inc-1", "inc-2", "wrong")
    assert rated("memory.helpful:inc-1:") is None


@SOME
@given(moments)
def test_slack_takes_every_entry_of_a_timeline(moment: Moment) -> None:
    payloads.takes(incident.entry(moment, nouns.NAMES, nouns.LINKS))


@SOME
@given(nouns.actors, nouns.words, nouns.words, st.one_of(st.none(), st.just("run-1")))
def test_slack_takes_every_root(owner: str, title: str, text: str, run: str | None) -> None:
    payloads.takes(root.root(owner, title, text, run, nouns.NAMES, nouns.LINKS))


def test_the_card_tells_what_is_broken_and_why_alerts_are_together() -> None:
    seen = texts(card(TYPICAL).blocks)
    for part in (
        *(
            "🔴 Open · ServiceErrorRatioHigh on checkout",
            "critical",
            "`checkout`, `gateway`",
            "team shop",
            "nobody yet",
        ),
        *("2 alerts, 2 firing", "first alert", "gateway calls checkout, 12 s apart", "runbooks/service-error-ratio.md"),
        *("triage begins", "<@U0ONCALL>", "looks after it", "inc-5n0y6w2kqe"),
    ):
        assert part in seen, part


@pytest.mark.parametrize(
    ("changes", "busy", "expected"),
    [
        ({}, False, ["Acknowledge", "Run triage", "Resolve", *HAND]),
        ({}, True, ["Acknowledge", "Resolve", *HAND]),
        ({"acknowledged_by": "person:oncall"}, False, ["Run triage", "Resolve", *HAND]),
        ({"state": IncidentState.MITIGATED, "acknowledged_by": "person:oncall"}, True, ["Resolve", *HAND]),
        ({"alerts": (nouns.alert(),)}, True, ["Acknowledge", "Resolve", "Silence", "Merge into …", "Report so far"]),
        ({"state": IncidentState.RESOLVED}, False, ["Reopen", "Report"]),
        ({"state": IncidentState.RESOLVED, "alerts": (nouns.alert(ends_at=nouns.NOW),)}, False, ["Report"]),
    ],
)
def test_only_buttons_that_make_sense_are_there(changes: dict[str, Any], busy: bool, expected: list[str]) -> None:
    assert labels(View(nouns.incident(**changes), busy=busy)) == expected


def origin(service: str, reason: str) -> dict[str, Any]:
    return {"alert": f"alertmanager/{service}@1", "service": service, "weight": 1.0, "reason": reason}


def test_the_card_says_where_it_likely_began_and_why() -> None:
    origins = (origin("payments", "checkout calls payments, which failed 12 s before"), origin("db", ""))
    seen = texts(card(View(nouns.incident(origins=origins))).blocks).replace("\n", "")
    assert "Likely began at payments: checkout calls payments, which failed 12 s before; else at db" in seen


def test_the_card_says_when_nobody_knows_where_it_began() -> None:
    assert "Where it began: undetermined" in texts(card(View(nouns.incident())).blocks).replace("\n", "")
    alone = nouns.incident(alerts=(nouns.alert(),), reasons=("first alert",), origins=(origin("checkout", "alone"),))
    assert "began" not in texts(card(View(alone)).blocks), "one alert is where it began"


def test_the_card_says_what_was_changed_shortly_before() -> None:
    lines = [f"checkout 1.4.{number} was deployed 3 minutes before by <!here>" for number in range(7)]
    seen = texts(card(View(nouns.incident(), changed=lines)).blocks)
    assert "Changed in the 30 minutes before" in seen
    assert "checkout 1.4.4 was deployed 3 minutes before" in seen
    assert "checkout 1.4.5" not in seen
    assert "… and 2 changes more" in seen
    assert "Changed in" not in texts(card(TYPICAL).blocks)


@pytest.mark.parametrize("url", ["https://corp.slack.example/archives/C1/p17", ""])
def test_an_incident_that_is_part_of_another_says_so_and_leads_there(url: str) -> None:
    gone = nouns.incident(state=IncidentState.RESOLVED, alerts=(), reasons=(), merged_into="inc-other00000")
    shown = card(View(gone, part_of=Part("inc-other00000", url)))
    seen = texts(shown.blocks).replace("\n", "")
    assert "🔗 Part of inc-other00000 · ServiceErrorRatioHigh on checkout" in seen
    assert f"All of it goes on at {url}inc-other00000." in seen
    assert "Opened by hand" not in seen
    assert "Resolved after" not in seen
    links = [
        e["url"]
        for block in shown.blocks
        for s in block.get("elements", ())
        for e in s.get("elements", ())
        if isinstance(e, dict) and e.get("type") == "link"
    ]
    assert links == ([url] if url else [])
    assert labels(View(gone, part_of=Part("inc-other00000", url))) == []


def test_what_fires_still_is_shown_before_what_is_over() -> None:
    over = [nouns.alert(f"Over{n}", ends_at=nouns.NOW) for n in range(20)]
    alerts = (*over, nouns.alert("Fires"))
    reasons = (*(f"why {n}" for n in range(20)), "it is the one that fires")
    seen = texts(card(View(nouns.incident(alerts=alerts, reasons=reasons))).blocks).replace("\n", "")
    assert seen.index("Fires on checkout fires since") < seen.index("it is the one that fires") < seen.index("Over0")
    assert "why 6" in seen
    assert "… and 13 alerts more" in seen


def test_many_alerts_are_folded_and_counted() -> None:
    many = nouns.incident(alerts=tuple(nouns.alert(f"A{n}") for n in range(40)), reasons=("r",) * 40)
    seen = texts(card(View(many)).blocks)
    assert "40 alerts, 40 firing" in seen
    assert "… and 32 alerts more" in seen


def test_the_end_says_how_long_why_what_and_by_which_evidence() -> None:
    over = replace(TYPICAL, incident=nouns.incident(state=IncidentState.RESOLVED, resolved_at=nouns.NOW + 65_000))
    seen = texts(incident.summary(over, nouns.NAMES, nouns.LINKS).blocks).replace("\n", "")
    for part in (
        "Resolved after 2 min 5 s",
        "Cause: a timeout introduced in 1.4.2",
        "cicd.rollback",
        "run-3c8v1tz0pa:rollback",
    ):
        assert part in seen, part
    assert "Sysop changed nothing" in texts(
        incident.summary(replace(over, findings=Findings()), nouns.NAMES, nouns.LINKS).blocks
    )


def test_one_that_is_resolved_while_alerts_fire_says_so_and_is_not_green() -> None:
    early = replace(TYPICAL, incident=nouns.incident(state=IncidentState.RESOLVED, resolved_at=nouns.NOW + 65_000))
    for shown in (card(early), incident.summary(early, nouns.NAMES, nouns.LINKS)):
        seen = texts(shown.blocks)
        assert "🟢" not in shown.text + seen
        assert "🟡 Resolved" in shown.text
        assert "Resolved after 2 min 5 s, 2 alerts still firing" in seen
    assert "resolved by hand; 2 alerts still firing" in texts(card(early).blocks)


def test_before_it_counts_a_button_says_what_it_means() -> None:
    _, triage, resolve, *_ = incident.buttons(TYPICAL)
    assert "another person has to approve its changes" in triage["confirm"]["text"]["text"]
    assert "2 alerts still firing: this takes a person with a role" in resolve["confirm"]["text"]["text"]
    busy = incident.buttons(replace(TYPICAL, busy=True))[1]
    assert "What Sysop has under way for it is stopped." in busy["confirm"]["text"]["text"]


def test_an_incident_opened_by_hand_says_by_whom() -> None:
    seen = texts(card(View(nouns.incident(alerts=(), reasons=(), opened_by="person:lead"))).blocks)
    assert "Opened by hand by <@U0LEAD>" in seen.replace("\n", "")


def test_a_root_says_who_asked_for_what() -> None:
    made = root.root("slack:T1.U0ASKER", "checkout", "why is checkout slow? <!here>", "run-1", nouns.NAMES, nouns.LINKS)
    assert made.text == "<@U0ASKER> asked: why is checkout slow? &lt;!here&gt;"
