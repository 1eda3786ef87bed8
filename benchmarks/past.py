"""What looking back costs with 10,000 past incidents: similar ones, figures of a year, the report, medians of five."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import common
from sqlalchemy import Connection, Table, insert

from sysop.incidents.figures import figures
from sysop.incidents.report import draft
from sysop.incidents.similar import similar
from sysop.incidents.timeline import timeline
from sysop.inventory import Inventory
from sysop.store import incidents
from sysop.store import tables as t
from sysop.store.store import Store
from sysop.store.writer import Tx

INCIDENTS = 10_000
YEAR_MS = 365 * 86_400_000
RUNS = 5
RULES, SERVICES = [f"Rule{number}" for number in range(150)], [f"service-{number}" for number in range(60)]


def main() -> None:
    """Measure on both databases."""
    with common.databases("sqlite", "postgres") as found:
        for kind, url, _folder in found:
            asyncio.run(measure(kind, url))


async def measure(kind: str, url: str) -> None:
    """Fill a database and print the milliseconds of each look."""
    store = Store.open(url)
    now = await store.now()
    alerts = await fill(store, now)
    newest, inventory = _id(INCIDENTS - 1), Inventory()
    looks: dict[str, Callable[[Connection], Any]] = {
        "similar": lambda conn: similar(conn, incidents.load(conn, newest)),
        "figures of a year by service": lambda conn: figures(conn, inventory, now - YEAR_MS, now + 1, "service"),
        "timeline": lambda conn: timeline(conn, incidents.load(conn, newest)),
        "report": lambda conn: draft(conn, inventory, newest),
    }
    for name, look in looks.items():
        print(f"{kind}: {name} among {INCIDENTS:,} incidents of {alerts:,} alerts: {await timed(store, look):.0f} ms")
    await store.close()


async def timed(store: Store, look: Callable[[Connection], Any]) -> float:
    """Return the median milliseconds of a read, after one that warms up."""
    took = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        assert await store.read(look)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[1:])


async def fill(store: Store, now: int) -> int:
    """Insert incidents of a year with one to nine alerts and a run that helped each; return how many alerts."""
    dice = random.Random(1)
    rows: dict[Table, list[dict[str, Any]]] = {t.incident: [], t.alert: [], t.run: [], t.effect: []}
    for number in range(INCIDENTS):
        at, service = now - YEAR_MS + YEAR_MS * number // INCIDENTS, dice.choice(SERVICES)
        rows[t.incident].append(_incident(number, at, service, dice.choice(RULES)))
        rows[t.alert] += _alerts(number, at, service, dice)
        rows[t.run].append(_run(number, at))
        rows[t.effect].append(_effect(number, at, service))

    def unit(tx: Tx) -> None:
        for table, values in rows.items():
            for start in range(0, len(values), 2000):
                tx.conn.execute(insert(table), values[start : start + 2000])
        for number in range(0, INCIDENTS, 2):
            tx.audit(incidents.chain(_id(number)), "incident.acknowledged", "person:ann")

    await store.write(unit)
    return len(rows[t.alert])


def _id(number: int) -> str:
    return f"inc-{number:010}"


def _incident(number: int, at: int, service: str, rule: str) -> dict[str, Any]:
    seen = {"acknowledged_at": at + 60_000, "acknowledged_by": "person:ann"} if number % 2 == 0 else {}
    return {
        "id": _id(number),
        "state": "resolved",
        "title": f"{rule} on {service}",
        "severity": "warning",
        "services": [service],
        "opened_at": at,
        "changed_at": at,
        "mitigated_at": at + 600_000,
        "resolved_at": at + 900_000,
        "origins": [{"service": service, "alert": "a", "weight": 0.7, "reason": "it was first"}],
        "acknowledged_at": None,
        "acknowledged_by": None,
        **seen,
    }


def _alerts(number: int, at: int, service: str, dice: random.Random) -> Iterator[dict[str, Any]]:
    for place in range(dice.randint(1, 9)):
        name = "Watchdog" if place == 0 else dice.choice(RULES)
        labels = {"alertname": name, "service": service if place < 3 else dice.choice(SERVICES), "cluster": "c1"}
        yield {
            "source": "bench",
            "fingerprint": f"{number}-{place}",
            "starts_at": at + place,
            "ends_at": at + 600_000,
            "labels": {**labels, "severity": "warning", "namespace": "shop"},
            "annotations": {"summary": "x" * 200, "description": "y" * 200},
            "url": "",
            "incident": _id(number),
            "reason": "it fits",
            "received_at": at,
            "placed": at,
        }


def _run(number: int, at: int) -> dict[str, Any]:
    return {
        "id": f"run-{number:010}",
        "state": "done",
        "origin": "alert",
        "place": f"incident:{_id(number)}",
        "text": "",
        "requesters": [],
        "roles": [],
        "incident": _id(number),
        "planner": "runbook",
        "request": {},
        "history": b"z" * 3000,
        "plan": {},
        "usage": {},
        "created_at": at,
        "finished_at": at + 300_000,
    }


def _effect(number: int, at: int, service: str) -> dict[str, Any]:
    return {
        "run": f"run-{number:010}",
        "call": "fix",
        "action": "cicd.rollback",
        "risk": "change",
        "plugin_version": "1",
        "args": "{}",
        "call_digest": "d",
        "target": f"service:{service}",
        "environment": "production",
        "state": "done",
        "idem_key": f"key-{number}",
        "fence": 0,
        "verified": True,
        "verification": "recovered",
        "created_at": at,
        "finished_at": at + 300_000,
    }


if __name__ == "__main__":
    main()
