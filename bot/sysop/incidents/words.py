"""How incidents are put into words: how long, when, which call, whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sysop.inventory import Inventory
from sysop.model import Actor, Alert, Incident

_PLACES: Final = (
    *("pod", "deployment", "statefulset", "daemonset", "service_name", "destination_service", "app", "container"),
    *("node", "host", "hostname", "instance", "namespace", "cluster"),
)
"""Labels that say where an alert is that names no service, from near to far."""
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_UNITS: Final = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", _SECOND, "s"))


def lasted(ms: float) -> str:
    """Return a duration in its two largest units, such as `1 h 5 min`; above ten minutes seconds are left out."""
    whole = max(0, round(ms / _SECOND)) * _SECOND
    for unit, name, small, small_name in _UNITS:
        if whole >= unit:
            big, rest = divmod(whole, unit)
            part = 0 if unit == _MINUTE and big >= 10 else rest // small
            return f"{big} {name} {part} {small_name}" if part else f"{big} {name}"
    return f"{whole // _SECOND} s"


def when(ms: int) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(ms: int) -> str:
    """Return a date in UTC as people say it, such as `3 Nov 2026`."""
    date = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{date.day} {date.strftime('%b %Y')}"


def call(action: str, target: str) -> str:
    """Return a call in short; where it has no target of its own, the action's name stands for it."""
    return f"{action} {target}" if target and target != action.rpartition(".")[2] else action


def of_alert(name: str, service: str | None) -> str:
    """Return an alert in short."""
    return f"{name} on {service}" if service else name


def titled(alert: Alert) -> str:
    """Return an alert in short: its rule, and where it is."""
    return of_alert(alert.name, place(alert))


def place(alert: Alert) -> str | None:
    """Return the service that an alert names, else where it is otherwise, None where it says nothing of that."""
    return alert.service or next(filter(None, map(alert.labels.get, _PLACES)), None)


def origins_of(incident: Incident) -> list[Mapping[str, Any]]:
    """Return the probable origins that are among its alerts still: a person may have put one elsewhere."""
    here = {f"{alert.source}/{alert.fingerprint}@{alert.starts_at}" for alert in incident.alerts}
    return [origin for origin in incident.origins if origin.get("alert") in here]


def person(actor: str) -> str | None:
    """Return the name behind an actor's id, None for a part of Sysop."""
    return None if actor.startswith("service:") else Actor(actor).name


def owners(inventory: Inventory, services: Iterable[str]) -> tuple[str, ...]:
    """Return who owns services, by the inventory."""
    known = [inventory.services[name] for name in services if name in inventory.services]
    return tuple(dict.fromkeys(service.owner for service in known if service.owner))
