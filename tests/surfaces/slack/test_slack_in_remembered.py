"""A past incident on the card of one like it: what it taught, where it stands, and what people think of that."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import in_kit
import pytest
from in_kit import Rig

import bench
from sysop.knowledge.memory.notebook import Notebook
from sysop.knowledge.memory.recall import recall_these
from sysop.model import Actor, Alert
from sysop.store import audit, inbox, incidents, outbox
from sysop.store.ratings import Rated
from sysop.surfaces.slack import incoming, keys
from sysop.surfaces.slack.desk import ONLY_MEMBERS

ANN = Actor("person:ann", frozenset({"approver"}), human=True)
SETTINGS: Any = {"triage": False, "quiet_seconds": 0}


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    about: Any = {"inventory": {"checkout": {"owner": "shop"}}, "incidents": SETTINGS}
    async with in_kit.started(request, tmp_path, ("sqlite", "socket"), incidents_channel=True, **about) as made:
        yield made


async def fires(rig: Rig) -> tuple[str, Alert]:
    """Have an alert open an incident, and return both."""
    labels = {"alertname": "Errors", "service": "checkout", "severity": "critical"}
    alert = Alert("test", "errors", await rig.store.now(), None, labels, {})
    await bench.take(rig.app, [alert])
    (incident,) = await rig.store.read(incidents.unresolved)
    return incident.id, alert


async def lived(rig: Rig) -> str:
    """Have an incident come and go, and return it."""
    incident, alert = await fires(rig)
    await rig.card(keys.incident(incident))
    ended = Alert("test", "errors", alert.starts_at, await rig.store.now() + 1, alert.labels, {})
    await bench.take(rig.app, [ended])

    async def over() -> bool:
        await rig.app.lifecycle.tick()
        return not await rig.store.read(incidents.unresolved)

    await in_kit.until(over, "the end of the incident")
    return incident


async def shown(rig: Rig, card: outbox.Message, words: str) -> Any:
    """Wait until these words stand on a card, and return it."""

    async def look() -> Any:
        for one in await rig.messages("incidents", "lead"):
            if one["ts"] == card.ts and words in in_kit.flat(one):
                return one
        return None

    return await in_kit.until(look, words)


async def pressed(rig: Rig, message: outbox.Message, value: str) -> None:
    """Put a click into the inbox with a value that no button of this message has."""
    body = {
        "type": "block_actions",
        "trigger_id": f"1.2.{value.replace(':', '-')}",
        "team": {"id": rig.workspace.team_id},
        "user": {"id": rig.workspace.users["lead"], "team_id": rig.workspace.team_id},
        "channel": {"id": message.channel},
        "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
        "message": {"ts": message.ts},
        "actions": [{"type": "feedback_buttons", "action_id": "incident.remembered", "value": value}],
    }
    it = incoming.parse(body)
    assert it is not None
    assert await rig.store.write(lambda tx: inbox.put(tx, it.key, it.kind, it.body, lane=it.lane))


async def test_a_card_tells_of_the_twin_where_it_stands_and_people_say_whether_that_helps(rig: Rig) -> None:
    past = await lived(rig)
    stood = await rig.card(keys.incident(past))
    incident, _ = await fires(rig)
    card = await rig.card(keys.incident(incident))
    assert "Seen before" not in in_kit.flat(await shown(rig, card, "Errors on checkout"))
    await rig.click(card, "incident.triage", "lead")
    seen = await shown(rig, card, "Seen before on ")
    assert f"/archives/{stood.channel}/p{stood.ts.replace('.', '')}" in json.dumps(seen)
    assert "Sysop changed nothing" in in_kit.flat(seen)

    await rig.click(card, "incident.remembered", "lead", value=f"memory.helpful:{incident}:{past}")
    await rig.whispered("It counts more", user="lead", channel="incidents")
    await rig.click(card, "incident.remembered", "requester", value=f"memory.wrong:{incident}:{past}")
    await rig.whispered(f"sysop incidents correct {past}", channel="incidents")
    await rig.click(card, "incident.remembered", "guest", value=f"memory.wrong:{incident}:{past}")
    await rig.whispered(ONLY_MEMBERS, user="guest", channel="incidents")
    (memory,) = await rig.store.read(lambda conn: recall_these(conn, [past]))
    assert memory.rated == Rated(helpful=1, wrong=1)
    kept = await rig.store.read(lambda conn: audit.entries(conn, limit=500))
    said = [json.loads(entry.body) for entry in kept if entry.kind == "incident.rated"]
    assert sorted((one["verdict"], one["shown"]) for one in said) == [
        ("helpful", f"incident/{past}"),
        ("wrong", f"incident/{past}"),
    ]

    await Notebook(rig.store).correct(past, ANN, "the certificate had expired")
    await rig.click(card, "incident.acknowledge", "lead")
    assert "the certificate had expired" in in_kit.flat(await shown(rig, card, "looks after it"))
    await Notebook(rig.store).forget(past, ANN)
    await rig.click(card, "incident.resolve", "lead")
    assert "Seen before" not in in_kit.flat(await shown(rig, card, "Resolved"))


async def test_a_button_counts_on_the_card_that_shows_the_past_incident_and_nowhere_else(rig: Rig) -> None:
    past = await lived(rig)
    incident, _ = await fires(rig)
    card, other = await rig.card(keys.incident(incident)), await rig.card(keys.incident(past))
    await rig.click(card, "incident.triage", "lead")
    await shown(rig, card, "Seen before on ")
    for message, value in (
        (other, f"memory.helpful:{incident}:{past}"),
        (card, f"memory.helpful:{incident}:{incident}"),
        (card, f"memory.great:{incident}:{past}"),
    ):
        await pressed(rig, message, value)
    await rig.whispered("is not the card", user="lead", channel="incidents")
    await rig.whispered("no run has told of", user="lead", channel="incidents")
    await rig.whispered("belongs to no past incident", user="lead", channel="incidents")
    (memory,) = await rig.store.read(lambda conn: recall_these(conn, [past]))
    assert memory.rated == Rated()
