"""What was changed shortly before an incident: for people, for planners and for correlation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from sysop.incidents.correlation import Changed
from sysop.inventory import Inventory
from sysop.model import Change, ChangeState, Incident
from sysop.store import changes

BEFORE_MS = 30 * 60_000
MOST = 20


def begin_of(incident: Incident) -> int:
    """Return when an incident's first alert started, else when it was opened, in milliseconds."""
    return min((alert.starts_at for alert in incident.alerts), default=incident.opened_at)


def before(conn: Connection, incident: Incident, inventory: Inventory) -> list[Change]:
    """Return the changes of the half hour before an incident to its services and all they call, the newest first.

    Of everything, where it names no service; those under way when it began are among them.
    """
    begin = begin_of(incident)
    services = with_dependencies(inventory, incident.services) or None
    return changes.between(conn, begin - BEFORE_MS, begin, services, MOST)


def with_dependencies(inventory: Inventory, services: Iterable[str]) -> tuple[str, ...]:
    """Return services and those they call, directly or through others."""
    found = list(dict.fromkeys(services))
    edge = list(found)
    while edge:
        called = [name for one in edge if (it := inventory.services.get(one)) for name in it.depends_on]
        edge = [name for name in dict.fromkeys(called) if name not in found]
        found += edge
    return tuple(found)


def as_json(found: Sequence[Change], begin: int) -> list[dict[str, Any]]:
    """Return changes for machines and planners, with words for each."""
    return [{**asdict(one), "words": sentence(one, begin)} for one in found]


def sentence(one: Change, begin: int) -> str:
    """Return one line on a change: what, how long before, and by whom."""
    by = f" by {one.by}" if one.by else ""
    title = f": {one.title}" if one.title and one.service else ""
    return f"{one.words} {one.when(begin)}{by}{title}"


def for_correlation(found: Iterable[Change]) -> list[Changed]:
    """Return the changes of services as correlation sees them; what was cancelled has changed nothing."""
    return [
        Changed(
            service=one.service,
            began_at=one.began_at / 1000,
            at=one.at / 1000,
            words=one.words,
            environment=one.environment,
            by=one.by,
        )
        for one in found
        if one.service and one.state is not ChangeState.CANCELLED
    ]
