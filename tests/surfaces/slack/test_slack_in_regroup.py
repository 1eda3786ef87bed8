"""What people know better than correlation, said at an incident's card: split, merge, and what its thread tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import in_kit
import pytest
from in_kit import Rig

from sysop.errors import InvalidRequest
from sysop.incidents.placements import Explained, Found, Placements
from sysop.model import Alert, Incident, IncidentState
from sysop.sections import IncidentSettings
from sysop.store import alerts, corrections, incidents, outbox, runs
from sysop.store.alerts import key_of
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.actions.incident import check_may_open
from sysop.surfaces.slack.desk import ONLY_ROLES

AT = 1_700_000_000_000
QUIET: Any = {"triage": False, "quiet_seconds": 3600}


@pytest.fixture(params=[("sqlite", "socket"), ("postgres", "http")], ids=["socket", "http"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    services: Any = {"checkout": {"owner": "shop"}, "payments": {}, "blog": {}}
    async with in_kit.started(request, tmp_path, inventory=services, incidents=QUIET, incidents_channel=True) as made:
        yield made


def alert(name: str, service: str) -> Alert:
    labels = {"alertname": name, "service": service, "severity": "critical"}
    return Alert("test", f"{name}-{service}", AT + len(name), None, labels, {})


async def together(rig: Rig, *some: Alert, origin: str = "") -> str:
    """Let these alerts be an incident, as correlation would find it, and return its id."""
    reasons = {key_of(one): Explained("g", f"{one.name} fits {some[0].name}") for one in some}
    found = Found(reasons, {"g": [key_of(one) for one in some]})
    placements = Placements(IncidentSettings(**QUIET), lambda _request: "runbook")

    def unit(tx: Tx) -> str:
        incidents.lock(tx)
        alerts.add(tx, some, {})
        placements.write(tx, found)
        placed = alerts.find(tx.conn, [key_of(some[0])])[key_of(some[0])]
        assert placed.incident is not None
        if origin:
            reason = {"alert": "x", "service": origin, "weight": 1.0, "reason": "it failed first"}
            incidents.change(tx, placed.incident, origins=[reason])
        return placed.incident

    return await rig.store.write(unit)


async def load(rig: Rig, incident: str) -> Incident:
    return await rig.store.read(lambda conn: incidents.load(conn, incident))


async def seen(rig: Rig, card: outbox.Message, words: str) -> str:
    """Wait until these words stand on a card, and return all of it."""

    async def look() -> str | None:
        shown = [in_kit.flat(one) for one in await rig.messages("incidents", "lead") if one["ts"] == card.ts]
        return shown[0] if shown and words in shown[0] else None

    found: str = await in_kit.until(look, words)
    return found


async def replied(rig: Rig, card: outbox.Message, words: str) -> str:
    """Wait until somebody says these words in the thread of a card."""

    async def look() -> str | None:
        every = [in_kit.flat(one) for one in await rig.messages("incidents", "lead", thread=card.ts)]
        return next((one for one in every if words in one), None)

    found: str = await in_kit.until(look, words)
    return found


async def choose(rig: Rig, card: outbox.Message, what: str, incident: str, user: str = "lead") -> Any:
    chosen = {"value": f"{what}:{incident}"}
    return await rig.click(card, "incident.more", user, selected_option=chosen)


async def test_alerts_that_do_not_belong_are_split_off_and_it_is_learnt(rig: Rig) -> None:
    incident = await together(rig, alert("Errors", "checkout"), alert("Latency", "checkout"), alert("Posts", "blog"))
    card = await rig.card(keys.incident(incident))
    await choose(rig, card, "split", incident)
    view = await rig.view("lead", "form.split")
    options = view["blocks"][1]["element"]["options"]
    assert [one["text"]["text"] for one in options] == ["Posts on blog", "Errors on checkout", "Latency on checkout"]
    state = {"alerts": {"text": {"selected_options": options}}}
    refused = await rig.do("view_submit", "lead", view_id=view["id"], state=state)
    assert "leave at least one" in refused["errors"]["alerts"]
    state = {"alerts": {"text": {"selected_options": options[:1]}}}
    await rig.did("view_submit", "lead", view_id=view["id"], state=state)
    told = in_kit.flat(await rig.whispered("is an incident of its own now", user="lead", channel="incidents"))
    made = next(word for word in told.split() if word.startswith("inc-"))
    assert [one.name for one in (await load(rig, made)).alerts] == ["Posts"]
    assert (await load(rig, incident)).services == ("checkout",)
    assert "opened for alerts" in await seen(rig, card, "2 alerts, 2 firing")
    assert "opened it" in await seen(rig, await rig.card(keys.incident(made)), "Posts on blog"), "a person did"
    await replied(rig, card, f"split off alerts of this, 1 in number: {made}")
    learnt = await rig.store.read(corrections.listed)
    assert {(*pair[1:3], pair[3]) for pair in learnt} == {
        (("Posts", "blog"), ("Errors", "checkout"), False),
        (("Posts", "blog"), ("Latency", "checkout"), False),
    }


async def test_an_incident_is_made_part_of_another_and_its_card_leads_there(rig: Rig) -> None:
    one = await together(rig, alert("Errors", "checkout"))
    other = await together(rig, alert("Latency", "payments"), origin="payments")
    card, target = await rig.card(keys.incident(one)), await rig.card(keys.incident(other))
    await choose(rig, card, "merge", one)
    view = await rig.view("lead", "form.merge")
    options = view["blocks"][1]["element"]["options"]
    assert [option["value"] for option in options] == [other]
    assert "Latency on payments" in options[0]["text"]["text"]
    state = {"into": {"text": {"selected_option": options[0]}}}
    await rig.did("view_submit", "lead", view_id=view["id"], state=state)
    await rig.whispered(f"is part of {other} now", user="lead", channel="incidents")
    gone = await load(rig, one)
    assert (gone.state, gone.merged_into, gone.alerts) == (IncidentState.RESOLVED, other, ())
    text = await seen(rig, card, f"🔗 Part of {other}")
    assert f"/archives/{target.channel}/p{target.ts.replace('.', '')}" in str(
        [message for message in await rig.messages("incidents", "lead") if message["ts"] == card.ts]
    )
    assert "Resolved" not in text
    await replied(rig, card, f"🔗 Ended here: it is part of {other}")
    await replied(rig, target, f"🔗 made {one} part of this")
    whole = await seen(rig, target, "2 alerts, 2 firing")
    assert "Likely began at payments: it failed first" in whole
    assert "merged" in whole, "the reason why it belongs there"
    await rig.say("what fires still?", channel="incidents", thread_ts=card.ts)
    words = f"{one} is part of {other} by now; I go by that one."
    await rig.whispered(words, channel="incidents", thread=card.ts)
    asked = (await rig.store.read(runs.newest))[0]
    assert (asked.incident, asked.text) == (other, "what fires still?")


async def test_only_people_with_a_role_regroup(rig: Rig) -> None:
    incident = await together(rig, alert("Errors", "checkout"), alert("Latency", "checkout"))
    card = await rig.card(keys.incident(incident))
    for what in ("split", "merge"):
        await choose(rig, card, what, incident, "requester")
        await rig.whispered(ONLY_ROLES, channel="incidents")
    assert (await rig.see("state", "requester")).get("views") in (None, [])
    assert await rig.store.read(corrections.listed) == []


async def test_with_no_other_incident_there_is_nothing_to_merge_into(rig: Rig) -> None:
    incident = await together(rig, alert("Errors", "checkout"))
    card = await rig.card(keys.incident(incident))
    await choose(rig, card, "merge", incident)
    await rig.whispered("there is no other open incident", user="lead", channel="incidents")


async def test_what_has_changed_while_the_form_was_open_is_told(rig: Rig) -> None:
    one = await together(rig, alert("Errors", "checkout"))
    other = await together(rig, alert("Latency", "payments"))
    card = await rig.card(keys.incident(one))
    await choose(rig, card, "merge", one)
    view = await rig.view("lead", "form.merge")
    cat = rig.app.people.by_name("cat")
    await rig.app.lifecycle.resolve(other, cat)
    state = {"into": {"text": {"selected_option": view["blocks"][1]["element"]["options"][0]}}}
    await rig.did("view_submit", "lead", view_id=view["id"], state=state)
    await rig.whispered(f"incident {other} is resolved", user="lead", channel="incidents")
    assert (await load(rig, one)).state is IncidentState.OPEN


async def test_an_old_card_tells_why_its_form_does_not_open(rig: Rig) -> None:
    """The workspace lets nobody click what a card shows no more; Slack does, for as long as it takes to redraw it."""
    one = await together(rig, alert("Errors", "checkout"))
    other = await together(rig, alert("Latency", "payments"))

    async def refused(what: str) -> str:
        with pytest.raises(InvalidRequest) as found:
            await rig.store.read(lambda conn: check_may_open(conn, what, one))
        return str(found.value)

    assert await refused("split") == f"{one} has not more than one alert; there is nothing to split off"
    await rig.app.regroup.merge(one, other, rig.app.people.by_name("cat"))
    for what in ("split", "merge"):
        assert await refused(what) == f"{one} is part of {other} by now; nothing was done"


async def test_two_people_who_split_off_the_same_alert_do_it_once(rig: Rig) -> None:
    incident = await together(rig, alert("Errors", "checkout"), alert("Latency", "checkout"), alert("Posts", "blog"))
    card = await rig.card(keys.incident(incident))
    views = {}
    for user in ("lead", "on-call"):
        await choose(rig, card, "split", incident, user)
        views[user] = await rig.view(user, "form.split")
    for user, view in views.items():
        options = view["blocks"][1]["element"]["options"]
        answer = await rig.do(
            "view_submit", user, view_id=view["id"], state={"alerts": {"text": {"selected_options": options[:1]}}}
        )
        if user == "lead":
            await rig.whispered("is an incident of its own now", user="lead", channel="incidents")
    assert "Posts on blog is not in this incident any more" in answer["errors"]["alerts"]
    assert len(await rig.store.read(incidents.unresolved)) == 2


async def test_two_people_who_merge_the_same_at_once_are_both_told_that_it_is_done(rig: Rig) -> None:
    one = await together(rig, alert("Errors", "checkout"))
    other = await together(rig, alert("Latency", "payments"))
    card = await rig.card(keys.incident(one))
    views = {}
    for user in ("lead", "on-call"):
        await choose(rig, card, "merge", one, user)
        views[user] = await rig.view(user, "form.merge")
    for user, view in views.items():
        state = {"into": {"text": {"selected_option": view["blocks"][1]["element"]["options"][0]}}}
        await rig.did("view_submit", user, view_id=view["id"], state=state)
        await rig.whispered(f"{one} is part of {other} now", user=user, channel="incidents")
    assert len((await load(rig, other)).alerts) == 2


async def test_what_is_held_back_is_counted_in_the_home_and_the_status(rig: Rig) -> None:
    now = await rig.store.now()
    some = [Alert("test", str(n), now - n, None, {"alertname": f"A{n}"}, {}) for n in range(5)]
    why = [{"kind": "noise", "words": "", "weight": 0.0, "other": None}]

    def unit(tx: Tx) -> None:
        incidents.lock(tx)
        alerts.add(tx, some, {})
        for one in some[:4]:
            alerts.place(tx, key_of(one), None, "it says nothing", why[:1], tx.now())
        alerts.place(tx, key_of(some[4]), None, "alone", [{**why[0], "kind": "alone"}], tx.now())

    await rig.store.write(unit)
    told = "5 alerts held back in the last 24 hours: 4 no problem by their own severity, 1 with nothing else that fits"
    await rig.command("/sysop status")
    assert told in in_kit.flat(await rig.whispered("All is quiet"))
    await rig.did("open_home")

    async def home() -> bool:
        return told in in_kit.flat((await rig.see("state", "requester"))["home"] or {})

    await in_kit.until(home, told)


async def test_anybody_who_reads_the_thread_can_have_the_report_in_it(rig: Rig) -> None:
    incident = await together(rig, alert("Errors", "checkout"), alert("Latency", "checkout"))
    card = await rig.card(keys.incident(incident))
    await choose(rig, card, "report", incident, "requester")
    await rig.whispered("The report comes as a file", channel="incidents")

    async def files() -> list[Any]:
        every = await rig.messages("incidents", "lead", thread=card.ts)
        return [file for one in every for file in one.get("files") or ()]

    (file,) = await in_kit.until(files, "the file")
    assert file["name"].startswith(f"{incident}-report")
    assert "Post-incident report" in file["title"]
    await rig.app.lifecycle.resolve(incident, rig.app.people.by_name("cat"))
    await seen(rig, card, "Resolved after")
    await rig.click(card, "incident.report", "requester")

    async def two() -> bool:
        return len(await files()) == 2

    await in_kit.until(two, "the second file")
