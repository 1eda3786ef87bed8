"""The first facts of a report: what an incident is, from when to when it was felt, each with where it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from sysop.incidents.inert import code, names, table, text
from sysop.incidents.moves import severity_of
from sysop.incidents.words import lasted, person, titled, when
from sysop.model import Alert, Incident, IncidentState
from sysop.store import incidents, records
from sysop.store.records import Entry

MOST_SHOWN: Final = 5
"""So many alerts are cited for one fact at most."""
PEOPLE: Final = "_For people to write: Sysop has nothing to say here._"
_STEPS: Final = 200
_KIND_OF: Final = {
    IncidentState.MITIGATED: "incident.mitigated",
    IncidentState.RESOLVED: "incident.resolved",
}
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """An incident, those that were merged into it, who owns its services, and where its newest steps are written."""

    incident: Incident
    parts: Sequence[str]
    owners: Sequence[str]
    steps: Mapping[str, Entry]
    now: int

    def summary(self) -> list[str]:
        """Return a table of what there is to know at a glance."""
        one = self.incident
        rows: list[Row] = [
            ("Incident", code(one.id), ""),
            ("State", f"{one.state}{f', part of {code(one.merged_into)}' if one.merged_into else ''}", self._state()),
            ("Severity", text(one.severity), self._severity()),
            ("Services", names(one.services) or "none named", self._services()),
            ("Owner", names(self.owners) or "none in the inventory", "the inventory"),
            ("Opened", f"{when(one.opened_at)} by {_who(one.opened_by) or 'alerts'}", self._step("incident.opened")),
            ("Looked after", self._looked_after(), self._step("incident.acknowledged")),
            ("Mitigated", self._since(one.mitigated_at) or "not yet", self._step("incident.mitigated")),
            ("Resolved", self._resolved() or "not yet", self._step("incident.resolved")),
            ("Alerts", f"{len(one.alerts)}, {one.firing} of them firing still", _cited(one.alerts)),
        ]
        if self.parts:
            rows.append(("Merged into it", ", ".join(map(code, self.parts)), ""))
        return table(("", "", "evidence"), rows)

    def impact(self) -> list[str]:
        """Return from when to when its alerts fired: the only measure of impact that Sysop has."""
        alerts = self.incident.alerts
        if not alerts:
            return ["No alert belongs to it, so Sysop cannot say from when to when anybody felt it.", "", PEOPLE]
        first = min(alerts, key=lambda alert: alert.starts_at)
        return [
            f"Alerts fired from {when(first.starts_at)} until {self._until(first.starts_at)}."
            f" The first was {text(titled(first))} ({cite(first)}).",
            "",
            "Who felt it, and how: " + PEOPLE,
        ]

    def _until(self, begin: int) -> str:
        if self.incident.firing:
            return f"now, {lasted(self.now - begin)} so far"
        last = max(self.incident.alerts, key=lambda alert: alert.ends_at or 0)
        end = last.ends_at or begin
        return f"{when(end)}, {lasted(end - begin)} ({cite(last)})"

    def _looked_after(self) -> str:
        one = self.incident
        return self._since(one.acknowledged_at, one.acknowledged_by) or "nobody said so"

    def _resolved(self) -> str:
        entry = self.steps.get("incident.resolved")
        why = f": {text(str(entry.body.get('reason') or ''))}" if entry and entry.body.get("reason") else ""
        by = entry.actor if entry and person(entry.actor) else None
        since = self._since(self.incident.resolved_at, by)
        return f"{since}{why}" if since else ""

    def _since(self, at: int | None, by: str | None = None) -> str:
        if at is None:
            return ""
        who = f" by {_who(by)}" if by else ""
        return f"{when(at)}{who}, {lasted(at - self.incident.opened_at)} after it was opened"

    def _step(self, kind: str) -> str:
        done = {
            "incident.acknowledged": self.incident.acknowledged_at,
            "incident.mitigated": self.incident.mitigated_at,
            "incident.resolved": self.incident.resolved_at,
        }
        return code(self.steps[kind].evidence) if kind in self.steps and done.get(kind, 0) is not None else ""

    def _state(self) -> str:
        kind = _KIND_OF.get(self.incident.state)
        kind = kind or ("incident.reopened" if "incident.reopened" in self.steps else "incident.opened")
        return self._step(kind)

    def _severity(self) -> str:
        worst = [alert for alert in self.incident.alerts if severity_of(alert) == self.incident.severity]
        return cite(worst[0]) if worst else self._step("incident.opened")

    def _services(self) -> str:
        first: dict[str, Alert] = {}
        for alert in self.incident.alerts:
            if alert.service in self.incident.services:
                first.setdefault(alert.service or "", alert)
        by_hand = self.incident.services and not first
        return self._step("incident.opened") if by_hand else _cited(first.values())


def facts(conn: Connection, incident: Incident, owners: Sequence[str], now: int) -> Facts:
    """Return the facts of an incident as it stands now."""
    kinds = ("opened", "acknowledged", "mitigated", "reopened", "resolved")
    wanted = [f"incident.{kind}" for kind in kinds]
    found = records.entries(conn, incidents.chain(incident.id), _STEPS, kinds=wanted)
    steps = {entry.kind: entry for entry in found}
    return Facts(incident, records.parts_of(conn, incident.id), owners, steps, now)


def cite(alert: Alert) -> str:
    """Return where an alert is written down; its fingerprint is its sender's, and may be anything."""
    return text(f"{alert.source}/{alert.fingerprint}")


def _cited(alerts: Iterable[Alert]) -> str:
    every = list(dict.fromkeys(map(cite, alerts)))
    more = f" and {len(every) - MOST_SHOWN} more" if len(every) > MOST_SHOWN else ""
    return f"{', '.join(every[:MOST_SHOWN])}{more}"


def _who(actor: str | None) -> str:
    return text(person(actor) or actor) if actor else ""
