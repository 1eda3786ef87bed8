"""`sysop alerts export`: one's own history as a recording that replays to the same incidents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from terminal import SETTINGS, Shell

import bench
import recordings
from recordings import Fired
from sysop.cli.alerts_export import DAY_MS
from sysop.model import Alert
from sysop.store.writer import host_clock

SERVICES = """
inventory:
  web: {depends_on: [cart, search]}
  cart: {depends_on: [payments]}
  payments: {depends_on: [ledger]}
  ledger: {depends_on: [db]}
  db: {}
  search: {}
  batch: {environment: testing}
"""


def stored(one: Fired, now: int) -> Alert:
    """Return an alert as the webhook stores it; the recording began four hours ago."""
    began = now - 4 * 3_600_000
    labels = one.sent(resolved=False)["labels"]
    return Alert("alertmanager", one.fingerprint, began + int(one.at * 1000), began + int(one.ended * 1000), labels, {})


@pytest.fixture
def used(shell: Shell) -> Shell:
    """Return a shell with a morning of alerts in its store, one of them from two months ago."""
    shell.write(SETTINGS + SERVICES)
    shell("db", "upgrade")
    asyncio.run(take(shell))
    return shell


async def take(shell: Shell) -> None:
    now, folder = host_clock(), shell.folder / ".sysop"
    alerts = [stored(one, now) for one in recordings.fired(5)]
    alerts.append(stored(Fired("Old", "db", -60 * DAY_MS / 1000, 0.0), now))
    inventory = yaml.safe_load(SERVICES)["inventory"]
    app = bench.build(folder, f"sqlite:///{folder / 'sysop.db'}", inventory=inventory)
    await bench.take(app, alerts)
    await app.close()


def keys(deliveries: Iterable[dict[str, Any]]) -> set[str]:
    return {f"{a['fingerprint']}@{a['startsAt']}" for one in deliveries for a in one["body"]["alerts"]}


def test_what_is_exported_can_be_replayed_with_the_inventory_as_topology(used: Shell) -> None:
    said = used("alerts", "export", "history.jsonl", "--topology", "topology.json")
    exported = [json.loads(line) for line in (used.folder / "history.jsonl").read_text().splitlines()]
    assert said.err == f"{len(exported)} alerts in history.jsonl\n"
    told = used("alerts", "replay", "history.jsonl", "--topology", "topology.json", "--json").json
    assert told["occurrences"] == len(exported) == len(recordings.fired(5))
    assert {alert for one in told["incidents"] for alert in one["alerts"]} <= keys(exported)
    assert len(told["incidents"]) > 2
    topology = json.loads((used.folder / "topology.json").read_text())
    assert ["web", "cart"] in topology["edges"]
    assert topology["services"]["batch"] == {"environment": "testing", "name": "batch"}
    assert topology["scope_defaults"] == {"environment": "production"}


def test_a_replay_of_the_history_has_the_incidents_of_the_live_store(used: Shell) -> None:
    used("alerts", "export", "history.jsonl", "--topology", "topology.json")
    told = used("alerts", "replay", "history.jsonl", "--topology", "topology.json", "--json").json
    replayed = {frozenset(one["alerts"]) for one in told["incidents"]}
    live: dict[str, set[str]] = {}
    for one in used("alerts", "--json", "--limit", "1000").json:
        if one["incident"] and one["labels"]["alertname"] != "Old":
            started = datetime.fromtimestamp(one["starts_at"] / 1000, UTC).isoformat(timespec="milliseconds")
            key = f"{one['fingerprint']}@{started.replace('+00:00', 'Z')}"
            live.setdefault(one["incident"], set()).add(key)
    assert {frozenset(alerts) for alerts in live.values()} == replayed


def test_lines_are_in_the_order_alerts_came_and_say_what_ended(used: Shell) -> None:
    lines = [json.loads(line) for line in used("alerts", "export").out.splitlines()]
    came = [datetime.fromisoformat(one["received_at"]) for one in lines]
    assert came == sorted(came)
    assert {one["body"]["status"] for one in lines} == {"resolved"}
    first = lines[0]["body"]["alerts"][0]
    assert first["startsAt"] < first["endsAt"]
    assert first["labels"]["alertname"]


def test_days_say_how_far_back_it_goes(used: Shell) -> None:
    every = len(used("alerts", "export", "--days", "90").out.splitlines())
    assert every == len(used("alerts", "export").out.splitlines()) + 1


def test_a_limit_takes_the_newest(used: Shell) -> None:
    every = used("alerts", "export").out.splitlines()
    few = used("alerts", "export", "--limit", "10").out.splitlines()
    started = [json.loads(line)["body"]["alerts"][0]["startsAt"] for line in every]
    assert {json.loads(line)["body"]["alerts"][0]["startsAt"] for line in few} == set(sorted(started)[-10:])


def test_without_a_database_it_says_so_and_writes_nothing(shell: Shell) -> None:
    said = shell("alerts", "export", "history.jsonl")
    assert (said.code, "there is no database" in said.err) == (1, True)
    assert not (shell.folder / "history.jsonl").exists()


def test_history_and_topology_go_into_two_files(used: Shell) -> None:
    said = used("alerts", "export", "both.json", "--topology", "./both.json")
    assert (said.code, "name two files" in said.err) == (2, True), said
    assert not (used.folder / "both.json").exists()
