"""Which incident an alert belongs to, with the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sysop.inventory import Inventory
from sysop.model import Alert, Incident


@dataclass(frozen=True, slots=True)
class Placement:
    """The incident to join, None to open a new one, and why."""

    incident: str | None
    reason: str


class Correlator(Protocol):
    """Places one alert among the incidents that are not resolved. Pure: the same input gives the same answer."""

    def place(self, alert: Alert, incidents: Sequence[Incident]) -> Placement:
        """Return where an alert belongs."""
        ...


class CallPathCorrelator:
    """Joins alerts of one service, or of services on one call path, that start within a time of each other."""

    def __init__(self, inventory: Inventory, within_s: int) -> None:
        self._inventory = inventory
        self._within_ms = within_s * 1000

    def place(self, alert: Alert, incidents: Sequence[Incident]) -> Placement:
        """Return the nearest fitting incident: same service before call path, then the smaller gap in time."""
        found = [fit for incident in incidents if (fit := self._fit(alert, incident))]
        if not found:
            return Placement(None, "nothing that is open shares its service or call path")
        _, _, incident, reason = min(found)
        return Placement(incident, reason)

    def _fit(self, alert: Alert, incident: Incident) -> tuple[int, int, str, str] | None:
        fits = [fit for member in incident.alerts if (fit := self._related(alert, member))]
        if not fits:
            return None
        hops, gap, reason = min(fits)
        return hops, gap, incident.id, reason

    def _related(self, alert: Alert, member: Alert) -> tuple[int, int, str] | None:
        gap = abs(alert.starts_at - member.starts_at)
        if gap > self._within_ms or not alert.service or not member.service:
            return None
        apart = f"{gap / 1000:.0f} s from {member.name}"
        if alert.service == member.service:
            return 0, gap, f"same service {alert.service}, {apart}"
        for caller, callee in ((alert.service, member.service), (member.service, alert.service)):
            if caller in self._inventory.dependents(callee):
                hops = self._inventory.distance(caller, callee) or 1
                how = "calls" if hops == 1 else f"depends, {hops} calls away, on"
                return hops, gap, f"{caller} {how} {callee}, {apart} on {member.service}"
        return None
