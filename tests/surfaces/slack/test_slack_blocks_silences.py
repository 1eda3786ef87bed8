"""Silences and regrouping as Slack takes them, whatever stands in labels, comments and titles."""

from __future__ import annotations

from typing import Any

import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st

from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Incident
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


def test_alerts_are_split_off_by_their_fingerprints() -> None:
    incident = nouns.incident()
    options = regroup.split(incident, "{}")["blocks"][1]["element"]["options"]
    state = {"alerts": {"text": {"selected_options": options[:1]}}}
    assert regroup.chosen(incident, state) == (incident.alerts[0].fingerprint,)
    assert isinstance(regroup.chosen(incident, {"alerts": {"text": {"selected_options": options}}}), Wrong)
    assert isinstance(regroup.chosen(incident, {"alerts": {"text": {"selected_options": []}}}), Wrong)
    assert isinstance(regroup.chosen(incident, {"alerts": {"text": {"selected_options": [{"value": "x"}]}}}), Wrong)
