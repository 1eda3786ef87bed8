"""Silences and regrouping as Slack takes them, whatever stands in labels, comments and titles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st

from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Incident, IncidentState
from sysop.store.silences import Matcher, Silence
from sysop.surfaces.slack.blocks import parts, regroup, silences
from sysop.surfaces.slack.blocks.inputs import Wrong
from sysop.surfaces.slack.blocks.silences import Given, Listed

NEW = parts.button("Silence alerts", "form.open", "silence:new")
matchers = st.builds(Matcher, st.just("label"), st.sampled_from(["=", "!="]), nouns.words)
made = st.builds(
    Silence,
    st.just("sil-7k2m9qxd4w"),
    st.lists(matchers, min_size=1, max_size=10).map(tuple),
    nouns.times,
    nouns.times,
    nouns.words,
    nouns.actors,
    nouns.times,
)
mirrored = st.builds(Mirrored, st.just("set"), nouns.words.filter(bool))
listed = st.builds(Listed, made, st.integers(0, 10**6), mirrored)


def numbered(found: list[Listed]) -> list[Listed]:
    """Return silences that have ids of their own."""
    every = [{name: getattr(one.silence, name) for name in Silence.__slots__} for one in found]
    return [
        Listed(Silence(**{**values, "id": f"sil-{n}"}), one.alerts, one.mirrored)
        for n, (one, values) in enumerate(zip(found, every, strict=True))
    ]


@nouns.SOME
@given(st.lists(listed, max_size=3).map(lambda some: numbered(some * 6)), nouns.times, st.booleans())
def test_slack_takes_every_list_of_silences(found: list[Listed], now: int, may_end: bool) -> None:
    shown = silences.listed(found, now, nouns.NAMES, nouns.LINKS, may_end=may_end, new=NEW)
    payloads.takes(shown)
    ends = sum(block.get("block_id", "").startswith("silence:") for block in shown.blocks)
    assert ends == (min(len(found), silences.MOST) if may_end else 0)


@nouns.SOME
@given(made, mirrored, nouns.times)
def test_slack_takes_what_is_told_of_every_silence(one: Silence, where: Mirrored, now: int) -> None:
    payloads.takes(silences.told(one, where, now, nouns.LINKS))


@nouns.SOME
@given(nouns.incidents)
def test_slack_takes_every_form_about_an_incident(incident: Incident) -> None:
    payloads.takes_view(silences.form(silences.about(incident), "{}"))
    if len({alert.fingerprint for alert in incident.alerts}) > 1:
        payloads.takes_view(regroup.split(incident, "{}"))
    payloads.takes_view(regroup.merge(incident, [incident] * 3, "{}"))


@nouns.SOME
@given(nouns.incidents)
def test_what_the_form_begins_with_covers_the_services_of_the_incident(incident: Incident) -> None:
    for text in silences.about(incident).conditions:
        condition = matcher(text)
        named = "service" if condition.name == "service" else "alertname"
        every = incident.services if named == "service" else [alert.name for alert in incident.alerts]
        assert any(condition.matches({named: name}) for name in every)
        assert not condition.matches({named: "another"})


@nouns.SOME
@given(st.lists(hostile.some, min_size=4, max_size=4))
def test_whatever_is_filled_in_is_a_wish_or_wrong_by_its_block(texts: list[str]) -> None:
    blocks = ("conditions", "length", "begins", "comment")
    state: Any = {block: {"text": {"value": text}} for block, text in zip(blocks, texts, strict=True)}
    found = silences.wished(state)
    assert isinstance(found, Wish) or set(found.errors) <= set(blocks)


def test_what_is_given_is_what_comes_back() -> None:
    given = Given(['service="checkout"', "pod=~web-.*"], "2h", "30m", "a fair")
    form = silences.form(given, "{}")
    state = {
        block["block_id"]: {"text": {"value": block["element"]["initial_value"]}}
        for block in form["blocks"]
        if block["type"] == "input"
    }
    wish = Wish((matcher("service=checkout"), matcher("pod=~web-.*")), 7200, "a fair", 1800)
    assert silences.wished(state) == wish


def test_a_form_that_does_not_cover_every_service_of_an_incident_says_so() -> None:
    whole = nouns.incident(services=("a", "b"))
    assert "Not among them" not in str(silences.form(silences.about(whole), "{}"))
    many = replace(whole, services=tuple(f"s{n}" for n in range(12)))
    assert "Not among them: 7 more services of the incident." in str(silences.form(silences.about(many), "{}"))
    long = replace(whole, services=tuple(f"{n}{'.' * 79}" for n in range(5)))
    (condition,) = silences.about(long).conditions
    assert matcher(condition).matches({"service": long.services[0]})
    assert silences.about(long).left == 2


RIGHT = {"conditions": "service=checkout", "length": "2h", "begins": "", "comment": "a fair"}


@pytest.mark.parametrize(
    ("block", "text", "why"),
    [
        ("conditions", "service=~.*", "nearly all"),
        ("conditions", "a=b\n" * 11, "11 conditions are more than 10"),
        ("conditions", "token=xoxb-123456789012-abcdefghijklmnop", "credential"),
        ("length", "0s", "from one second to 30 days"),
        ("begins", "31d", "now or within 30 days"),
        ("comment", "x" * 501, "501 characters"),
        ("comment", "password=hunter2hunter2", "credential"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field_it_is_about(block: str, text: str, why: str) -> None:
    found = silences.wished({name: {"text": {"value": value}} for name, value in {**RIGHT, block: text}.items()})
    assert isinstance(found, Wrong)
    assert list(found.errors) == [block]
    assert why in found.errors[block]


def options_of(incident: Incident) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = regroup.split(incident, "{}")["blocks"][1]["element"]["options"]
    return options


def choice(*options: Mapping[str, Any]) -> dict[str, Any]:
    return {"alerts": {"text": {"selected_options": list(options)}}}


def fault(incident: Incident, *options: Mapping[str, Any]) -> str:
    found = regroup.chosen(incident, choice(*options))
    assert isinstance(found, Wrong)
    return found.errors["alerts"]


def pods(count: int, services: int = 1) -> Incident:
    some = [nouns.alert("Down", f"s{n % services}") for n in range(count)]
    labels = [{"alertname": "Down", "service": f"s{n % services}", "pod": f"pod-{n}"} for n in range(count)]
    made = [replace(one, fingerprint=f"print-{n}", labels=labels[n]) for n, one in enumerate(some)]
    return nouns.incident(alerts=tuple(made), reasons=("",) * count)


def test_alerts_are_split_off_by_their_fingerprints() -> None:
    incident = nouns.incident()
    options = options_of(incident)
    assert regroup.chosen(incident, choice(options[0])) == (incident.alerts[0].fingerprint,)
    assert fault(incident, *options) == "These are all of them; leave at least one where it is."
    assert fault(incident) == "Choose at least one."


def test_alerts_of_one_kind_are_told_apart_by_where_they_are() -> None:
    incident = pods(3)
    twin = replace(incident.alerts[0], fingerprint="print-twin")
    alone = nouns.alert("Slow", "s0")
    names = [one["text"]["text"] for one in options_of(replace(incident, alerts=(*incident.alerts, twin, alone)))]
    assert names == [
        *("Down on s0 · print-0", "Down on s0 · pod-1", "Down on s0 · pod-2"),
        *("Down on s0 · print-twin", "Slow on s0"),
    ]


def test_of_very_many_alerts_whole_kinds_are_split_off() -> None:
    incident = pods(5000, services=50)
    options = options_of(incident)
    assert [one["text"]["text"] for one in options][:2] == ["Down on s0, 100 alerts", "Down on s1, 100 alerts"]
    assert len(options) == 50
    found = regroup.chosen(incident, choice(options[0], options[3]))
    assert set(found) == {f"print-{n}" for n in range(5000) if n % 50 in (0, 3)}
    payloads.takes_view(regroup.split(pods(300, services=300), "{}"))
    assert "the first 100 of 300 kinds" in str(regroup.split(pods(300, services=300), "{}"))


def test_a_choice_holds_when_so_many_alerts_join_that_the_form_would_show_kinds() -> None:
    small, large = pods(99), pods(150)
    assert regroup.chosen(large, choice(options_of(small)[5])) == ("print-5",)


def test_who_chose_what_is_not_there_any_more_is_told_and_nothing_else_is_split_off() -> None:
    before, now = pods(5), pods(4)
    assert fault(now, *options_of(before)[3:]) == "Down on s0 · pod-4 is not in this incident any more; leave it out."
    over = replace(now, state=IncidentState.RESOLVED)
    assert fault(over, options_of(now)[0]) == f"{over.id} is resolved by now."
    gone = replace(over, alerts=(), reasons=(), merged_into="inc-8r2k4v6m0x")
    assert fault(gone, options_of(now)[0]) == f"{over.id} is part of inc-8r2k4v6m0x by now."
