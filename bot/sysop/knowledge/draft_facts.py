"""What the rows of an incident that is over tell to the draft of a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from sysop.errors import InvalidRequest
from sysop.inventory import Inventory
from sysop.knowledge.draft import Call, Facts
from sysop.knowledge.memory.lesson import lesson
from sysop.model import EffectState, Incident, IncidentState, Risk
from sysop.redact import redact, redact_value
from sysop.store import bygone, effects, incidents, notes, records, runs
from sysop.store.bygone import Bygone
from sysop.store.effects import Effect

_UNNAMED: Final = "alert"
_BEGUN: Final = ".start"
"""Ends the id of what a run that follows a page says as it begins a step; the call has the id before it."""


def facts(conn: Connection, incident: str, inventory: Inventory) -> Facts:
    """Return what is known of an incident, or of the one it was merged into; secrets are taken out.

    Raises NoSuch for an unknown id, and InvalidRequest for an incident that is open, forgotten or was none.
    """
    whole = incidents.standing(conn, incident)
    _check(incidents.head(conn, whole), notes.of(conn, whole).forgotten is not None)
    found = bygone.load_these(conn, [whole])
    if not found:
        raise InvalidRequest(f"{whole} was no incident after all: its alerts were held back; name another one")
    return _facts(found[0], _calls(conn, whole), inventory)


def _check(incident: Incident, forgotten: bool) -> None:
    if incident.state is IncidentState.OPEN:
        raise InvalidRequest(f"{incident.id} is still open; draft a page of it when it is over")
    if forgotten:
        raise InvalidRequest(f"{incident.id} is forgotten; to take that back: sysop incidents remember {incident.id}")


def _facts(one: Bygone, calls: Sequence[tuple[Effect, str]], inventory: Inventory) -> Facts:
    found = lesson(one)
    services = _names((*one.services, *(alert.service for alert in one.alerts)))
    owners = _names(known.owner for name in services if (known := inventory.services.get(name)) is not None)
    correction = one.notes.correction
    return Facts(
        title=redact(one.title),
        alerts=_names(alert.name for alert in one.alerts if alert.name != _UNNAMED),
        services=services,
        environments=_names(alert.environment for alert in one.alerts),
        owner=owners[0] if owners else "",
        summary=_newest(one.found, "summary"),
        cause=correction.text if correction else _newest(one.found, "cause"),
        calls=_distinct(calls),
        minutes=found.lasted,
    )


def _names(some: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, some)))


def _newest(found: Sequence[Any], key: str) -> str:
    """Return what the newest conclusion that knows says."""
    said = (str(one.get(key) or "") for one in reversed(found))
    return redact(next((text for text in said if text and text != "undetermined"), ""))


def _calls(conn: Connection, incident: str) -> list[tuple[Effect, str]]:
    """Return what counts of the calls, looks that answered and changes that have begun, each with why it was made.

    The check that an action makes of itself, written down as `action:verify`, is no call of its own.
    """
    parts = list(notes.wholes(conn, [incident]))
    found: list[tuple[Effect, str]] = []
    for run in (run.id for run in records.runs_of(conn, parts) if not run.read_only):
        why = _whys(conn, run)
        rows = (row for row in effects.of_run(conn, run) if ":" not in row.action)
        found += [(row, why.get(row.call.partition("#")[0], "")) for row in rows if _counts(row)]
    return found


def _whys(conn: Connection, run: str) -> dict[str, str]:
    """Return what the run told people as it began each call, by the call's id."""
    begun = ((id.removesuffix(_BEGUN), text) for id, text, _ in runs.said(conn, run) if id.endswith(_BEGUN))
    return {call: text.partition(": ")[2] for call, text in begun}


def _counts(row: Effect) -> bool:
    return row.state is EffectState.DONE if row.risk is Risk.READ else row.state is not EffectState.INTENT


def _distinct(calls: Sequence[tuple[Effect, str]]) -> tuple[Call, ...]:
    """Return each different call once, where it was first made, with how it ended the last time."""
    found: dict[tuple[str, str], Call] = {}
    for row, why in calls:
        args = redact_value(json.loads(row.args))
        key = row.action, json.dumps(args, sort_keys=True)
        note = found[key].note if key in found else redact(why)
        found[key] = Call(row.action, args, str(row.state), row.verified, note)
    return tuple(found.values())
