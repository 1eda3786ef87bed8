"""All that happened in an incident, in one list, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gate.kit import ANN
from incidents.lived import Lived, alert
from sysop.incidents.timeline import MOST, MOST_MESSAGES, Timeline, timeline
from sysop.model import Incident
from sysop.store import audit


@pytest.fixture
async def lived(url: str, tmp_path: Path) -> AsyncIterator[Lived]:
    made = Lived(tmp_path, url)
    yield made
    await made.close()


async def of(lived: Lived, incident: Incident, most: int = MOST) -> Timeline:
    return await lived.app.store.read(lambda conn: timeline(conn, incident, most))


async def test_alerts_calls_votes_and_messages_are_one_ordered_list_and_each_says_where_it_is_written(
    lived: Lived,
) -> None:
    incident = await lived.live_through()
    found = await of(lived, incident)
    told = [(one.kind, one.actor, one.words) for one in found.moments]
    fix = "lab.checked thing:web"
    expected = [
        ("alert", None, "HighErrorRate on checkout started"),
        ("alert", None, "Slow on gateway started"),
        ("incident", None, "opened: HighErrorRate on checkout (critical)"),
        ("incident", "person:ann", "looks after it"),
        ("message", "person:ann", "said: is it the release?"),
        ("approval", None, f"approval asked for: {fix} (the new version fails)"),
        ("approval", "person:bob", f"voted yes: {fix} (looks right)"),
        ("approval", None, f"approved: {fix}"),
        ("call", None, f"{fix} was done, and it helped: healthy"),
        ("approval", None, "approval asked for: lab.append thing:cache (to be sure)"),
        ("approval", "person:ann", "voted no: lab.append thing:cache (not the cache)"),
        ("run", None, f"{incident.run} ended: The new version was taken back."),
        ("alert", None, "Slow on gateway ended"),
        ("incident", None, "mitigated: no alert fires any more"),
    ]
    at = [told.index(one) for one in expected]
    assert at == sorted(at)
    assert ("alert", None, "HighErrorRate on checkout joined: fits g") in told
    assert not any("Watchdog" in words for _, _, words in told), "an alert that was held back is no part of it"
    assert [one.at for one in found.moments] == sorted(one.at for one in found.moments)
    assert found.left_out == 0
    evidence = {one.words: one.evidence for one in found.moments}
    assert evidence[f"{fix} was done, and it helped: healthy"] == f"{incident.run}:fix"
    assert evidence["looks after it"].startswith("audit:")
    assert evidence["said: is it the release?"] == f"conv-{incident.id}:1.000002"
    assert evidence["Slow on gateway started"] == "test/Slow-gateway"


async def test_every_evidence_of_the_audit_log_leads_to_the_entry_it_names(lived: Lived) -> None:
    incident = await lived.live_through()
    entries = {entry.id: entry for entry in await lived.app.store.read(lambda conn: audit.newest(conn, 1000))}
    cited = [one for one in (await of(lived, incident)).moments if one.evidence.startswith("audit:")]
    assert len(cited) > 10
    for one in cited:
        entry = entries[int(one.evidence.removeprefix("audit:"))]
        assert (entry.ts, entry.kind.partition(".")[0].replace("effect", "run")) == (
            one.at,
            "incident" if one.kind == "alert" else one.kind,
        )


async def test_a_merge_and_a_split_are_told_with_what_the_other_incident_went_through(lived: Lived) -> None:
    now = await lived.app.store.now()
    a, b, c = alert("A", "checkout", now), alert("B", "gateway", now), alert("C", "blog", now)
    await lived.place({"g": [a, b], "h": [c]})
    first, second = sorted(await lived.all(), key=lambda one: -len(one.alerts))
    await lived.app.lifecycle.acknowledge(second.id, ANN)
    await lived.app.regroup.merge(second.id, first.id, ANN)
    merged = await of(lived, await lived.load(first.id))
    told = [(one.actor, one.words) for one in merged.moments]
    assert ("person:ann", f"{second.id} merged into it") in told
    assert ("person:ann", f"{second.id}: looks after it") in told
    assert not any(" left" in words for _, words in told), "the merge says so for all of them"
    assert ("person:ann", f"C on blog joined: ann merged {second.id} into this incident") in told
    made = await lived.app.regroup.split(first.id, ["B-gateway"], ANN)
    told = [(one.actor, one.words) for one in (await of(lived, await lived.load(first.id))).moments]
    assert ("person:ann", f"1 of its alerts became {made}") in told
    assert ("person:ann", f"B on gateway left for {made}: ann split it off {first.id}") in told


async def test_what_correlation_merges_says_where_alerts_went_once_and_in_the_order_it_was_written(
    lived: Lived,
) -> None:
    now = await lived.app.store.now()
    a, b, c = alert("A", "checkout", now), alert("B", "gateway", now), alert("C", "blog", now)
    await lived.place({"g": [a, b], "h": [c]})
    first, second = sorted(await lived.all(), key=lambda one: -len(one.alerts))
    await lived.place({"g": [a, b, c]})
    found = (await of(lived, await lived.load(first.id))).moments
    assert f"{second.id}: C on blog left for {first.id}" in [one.words for one in found]
    assert f"{second.id}: resolved: it is part of {first.id}" in [one.words for one in found]
    audited = [one for one in found if one.entry]
    assert audited == sorted(audited, key=lambda one: one.entry)


async def test_alerts_that_name_no_service_are_told_apart_by_where_they_are(lived: Lived) -> None:
    now = await lived.app.store.now()
    pods = [alert("NotReady", None, now + at, labels={"pod": f"web-{at}"}, fingerprint=f"f{at}") for at in range(2)]
    node = alert("NodeDown", None, now + 2, labels={"instance": "10.0.0.7:9100", "cluster": "one"})
    await lived.place({"g": [*pods, node]})
    (incident,) = await lived.all()
    told = [one.words for one in (await of(lived, incident)).moments]
    assert incident.title == "NotReady on web-0"
    for words in ("NotReady on web-1 started", "NotReady on web-1 joined: fits g", "NodeDown on 10.0.0.7:9100 started"):
        assert words in told


async def test_a_storm_leaves_alerts_out_first_keeps_both_ends_and_counts_the_rest(lived: Lived) -> None:
    now = await lived.app.store.now()
    storm = [alert("High", "checkout", now + at, fingerprint=f"f{at}") for at in range(60)]
    await lived.place({"g": storm})
    (incident,) = await lived.all()
    await lived.app.lifecycle.acknowledge(incident.id, ANN)
    await lived.end(*storm, at=now + 1000)
    incident = await lived.load(incident.id)
    whole = await of(lived, incident)
    assert whole.left_out == 0
    assert len([one for one in whole.moments if one.kind == "alert"]) == 3 * len(storm)
    short = await of(lived, incident, 20)
    assert (len(short.moments), short.left_out) == (20, len(whole.moments) - 20)
    assert [one for one in short.moments if one.kind != "alert"] == [
        one for one in whole.moments if one.kind != "alert"
    ]
    assert short.moments[0] == whole.moments[0]
    assert {"started", "ended"} <= {one.words.split()[-1] for one in short.moments if one.kind == "alert"}
    tiny = await of(lived, incident, 2)
    assert (len(tiny.moments), tiny.left_out) == (2, len(whole.moments) - 2)


async def test_an_incident_opened_by_hand_begins_with_who_did_and_what_was_noted(lived: Lived) -> None:
    opened = await lived.app.lifecycle.open_by_hand(ANN, "Web is odd", "error", [], delivery="1", note="since noon")
    found = await of(lived, await lived.load(opened))
    assert [(one.actor, one.words) for one in found.moments] == [
        ("person:ann", "opened: Web is odd (error)"),
        ("person:ann", "noted: since noon"),
    ]


async def test_of_many_messages_the_newest_are_told_and_the_others_counted(lived: Lived) -> None:
    opened = await lived.app.lifecycle.open_by_hand(ANN, "Web is odd", "error", [], delivery="1")
    await lived.say(opened, *(f"message {number}" for number in range(MOST_MESSAGES + 5)))
    found = await of(lived, await lived.load(opened))
    told = [one.words for one in found.moments if one.kind == "message"]
    assert told == [f"said: message {number}" for number in range(5, MOST_MESSAGES + 5)]
    assert found.left_out == 5
