"""From a change to what stands in the thread: the real projector, documents and sender against a workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import out_kit as kit
import pytest
from out_kit import Out, Place

import bench
from gate.kit import BOB, Attack
from sysop.model import Alert
from sysop.store import conversations, incidents
from sysop.surfaces.slack.documents import incident_summary
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.project import Projector
from sysop.surfaces.slack.render import Rendered


@pytest.fixture
async def bot(tmp_path: Path, url: str, place: Place) -> AsyncIterator[Attack]:
    attack = Attack(tmp_path, url, incidents={"quiet_seconds": 0, "triage_after_seconds": 0})
    summary = partial(incident_summary, look=Look())
    attack.app.store.project(Projector(place.channel("incidents"), summary=summary))
    yield attack
    await attack.close()


@pytest.fixture
async def out(bot: Attack, place: Place) -> AsyncIterator[Out]:
    look = Look(holding=bot.app.people.holding, actions=bot.app.host.actions)
    async with kit.sending(bot.app.store, place, pages=Rendered(look)) as running:
        yield running


def buttons(message: dict[str, Any]) -> list[str]:
    rows = [block for block in message.get("blocks", ()) if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row["elements"]]


async def test_an_approval_is_asked_decided_and_carried_out_in_one_thread(bot: Attack, out: Out) -> None:
    approval = await bot.ask("append")
    await out.quiet()
    talk = await out.store.read(lambda conn: conversations.of_run(conn, approval.run))
    assert talk is not None
    assert talk.team == out.place.team
    root, _plan, card = await out.thread(talk, "incidents")
    assert "lab.append" in str(root)
    assert buttons(card)[:2] == ["approval.approve", "approval.deny"]
    assert buttons(root) == []
    await bot.vote(approval)
    await bot.advance(approval.run)
    await out.quiet()
    thread = await out.thread(talk, "incidents")
    assert buttons(thread[2]) == []
    assert "rich_text" in str(thread[2]["blocks"])
    assert "Done" in str(thread[3])
    assert len(thread) == 4
    assert out.sender.health.dead == 0


async def test_an_incident_lives_and_ends_in_its_thread(bot: Attack, out: Out) -> None:
    labels = {"alertname": "Down", "service": "web", "severity": "critical"}
    fires = Alert("test", "f", 1_700_000_000_000, None, labels, {})
    await bench.take(bot.app, [fires])
    (incident,) = await out.store.read(incidents.listed)
    await out.quiet()
    talk = await out.store.read(lambda conn: conversations.of_incident(conn, incident.id))
    assert talk is not None
    card = (await out.thread(talk, "incidents"))[0]
    assert "incident.acknowledge" in buttons(card)
    await bot.work()
    await bot.app.lifecycle.acknowledge(incident.id, BOB)
    await bench.take(bot.app, [Alert("test", "f", fires.starts_at, fires.starts_at + 5000, labels, {})])
    await bot.app.lifecycle.tick()
    await out.quiet()
    thread = await out.thread(talk, "incidents")
    assert buttons(thread[0]) == ["incident.report"]
    assert thread[0]["ts"] == card["ts"]
    assert "Resolved after" in str(thread[-1])
    assert any("looks after this" in str(one) for one in thread)
    assert out.sender.health.dead == 0
