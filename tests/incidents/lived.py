"""Incidents that were lived through: real alerts, runs, votes and messages in a real database, and raw pasts beside."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from gate.kit import ANN, BOB, Attack
from sysop.errors import ActionRefused
from sysop.extension import Toolbox
from sysop.incidents.placements import Explained, Found, Placements
from sysop.model import Alert, Claim, Conclusion, Incident, Run
from sysop.sections import IncidentSettings
from sysop.store import alerts, conversations, incidents
from sysop.store import tables as t
from sysop.store.alerts import key_of
from sysop.store.store import Store
from sysop.store.writer import Tx

DAY = 86_400_000
SERVICES = {"checkout": {"owner": "team shop"}, "gateway": {"owner": "team edge", "depends_on": ["checkout"]}}


def alert(name: str, service: str | None, at: int, **more: Any) -> Alert:
    labels = {"alertname": name, **({"service": service} if service else {}), **more.pop("labels", {})}
    return Alert("test", more.pop("fingerprint", f"{name}-{service}"), at, more.pop("ends_at", None), labels, {})


class Repairs:
    """A planner that looks, changes two things, and says what it has not looked at."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        looked = await toolbox.call("look", "lab.look", {})
        await toolbox.call("fix", "lab.checked", {"name": "web"}, reason="the new version fails")
        with contextlib.suppress(ActionRefused):
            await toolbox.call("wipe", "lab.append", {"name": "cache"}, reason="to be sure")
        return Conclusion(
            "The new version was taken back.",
            resolved=True,
            cause="the release of 14:00",
            confidence="medium",
            basis="errors began with it",
            claims=[Claim("there were no effects", (looked.evidence,))],
            not_checked=["whether payments lost orders"],
        )


class Lived(Attack):
    """A Sysop in which an incident can be lived through."""

    def __init__(self, folder: Path, url: str, **more: Any) -> None:
        super().__init__(folder, url, inventory=SERVICES, planners={"repairs": Repairs}, **more)
        self.placements = Placements(IncidentSettings(triage_after_seconds=0), lambda _request: "repairs")

    async def place(
        self,
        groups: Mapping[str, Sequence[Alert]],
        held: Sequence[Alert] = (),
        origins: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Take alerts in and place them as one round of correlation would."""
        every = [one for some in groups.values() for one in some] + list(held)
        await self.app.lifecycle.take(every)
        moved = {key_of(one): Explained(group, f"fits {group}") for group, some in groups.items() for one in some}
        moved.update({key_of(one): Explained(None, "it stands alone") for one in held})
        found = Found(moved, {group: [key_of(one) for one in some] for group, some in groups.items()}, origins or {})

        def unit(tx: Tx) -> None:
            incidents.lock(tx)
            self.placements.write(tx, found)

        await self.app.store.write(unit)

    async def end(self, *some: Alert, at: int) -> None:
        ended = [Alert(a.source, a.fingerprint, a.starts_at, at, a.labels, a.annotations) for a in some]
        await self.app.lifecycle.take(ended)
        await self.app.lifecycle.settle()

    async def all(self) -> list[Incident]:
        found = await self.app.store.read(incidents.listed)
        return sorted(found, key=lambda one: (one.opened_at, one.id))

    async def load(self, incident: str) -> Incident:
        return await self.app.store.read(lambda conn: incidents.load(conn, incident))

    async def say(self, incident: str, *texts: str) -> None:
        """Write into the thread of an incident, as ann."""

        def unit(tx: Tx) -> None:
            place = {"surface": "slack", "team": "T1", "channel": "C1", "root": f"1.{incident}"}
            made = conversations.ensure(tx, f"conv-{incident}", **place, owner="", title="a title", incident=incident)
            for number, text in enumerate(texts, 2):
                conversations.add_turn(tx, made.id, f"1.{number:06}", ANN.id, text)

        await self.app.store.write(unit)

    async def live_through(self) -> Incident:
        """Live through an incident from its first alert to the last, with a change that helped and one denied."""
        now = await self.app.store.now()
        errors = alert("HighErrorRate", "checkout", now - 60_000, labels={"severity": "critical"})
        slow = alert("Slow", "gateway", now - 50_000)
        origin = {
            "alert": f"test/HighErrorRate-checkout@{now - 60_000}",
            "service": "checkout",
            "weight": 0.72,
            "reason": "it was first",
        }
        await self.place({"g": [errors, slow]}, held=[alert("Watchdog", None, now - 55_000)], origins={"g": [origin]})
        incident = (await self.all())[-1]
        await self.app.lifecycle.acknowledge(incident.id, ANN)
        await self.say(incident.id, "is it the release?")
        (self.folder / "healthy").write_text("yes")
        run = str(incident.run)
        await self.work()
        assert (await self.vote(await self.approval(run, "fix"), BOB, reason="looks right")).counted
        await self.work()
        assert (await self.vote(await self.approval(run, "wipe"), ANN, False, reason="not the cache")).counted
        await self.work()
        await self.end(errors, slow, at=await self.app.store.now())
        return await self.load(incident.id)


async def add_past(store: Store, *many: Mapping[str, Any]) -> None:
    """Insert incidents as rows, each with `at` and its `alerts` as (name, service) or (name, service, minutes)."""

    def unit(tx: Tx) -> None:
        for number, one in enumerate(many):
            values = _incident(number, dict(one))
            placed = values.pop("alerts")
            tx.conn.execute(insert(t.incident).values(**values))
            rows = [alert(*pair, values["opened_at"] + at, fingerprint=f"{values['id']}-{at}") for at, pair in placed]
            alerts.add(tx, rows, {})
            for row in rows:
                alerts.place(tx, key_of(row), values["id"], "it fits", [], values["opened_at"])

    await store.write(unit)


def _incident(number: int, one: dict[str, Any]) -> dict[str, Any]:
    at, pairs = one.pop("at"), one.pop("alerts", ())
    name, service = pairs[0] if pairs else ("Odd", None)
    after = {key: at + one.pop(key) for key in ("acknowledged_at", "mitigated_at", "resolved_at") if key in one}
    return {
        "id": f"inc-past{number:06}",
        "state": "resolved" if "resolved_at" in after else "open",
        "title": f"{name} on {service}",
        "severity": "warning",
        "services": list(dict.fromkeys(service for _, service in pairs if service)),
        "opened_at": at,
        "changed_at": at,
        "origins": [],
        "alerts": list(enumerate(pairs)),
        **after,
        **one,
    }
