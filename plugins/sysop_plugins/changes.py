"""Changes: what was deployed, configured, scaled or switched lately; and word of it from systems without a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from sysop.api import (
    Action,
    AlertSource,
    Change,
    ChangeKind,
    ChangeState,
    Context,
    Delivery,
    Risk,
    ServiceName,
    action,
    basic,
    bearer,
    either,
    hookimpl,
)
from sysop_plugins.incoming import Id, Sent, Text, Time, link, milliseconds, read, refuse

_WHAT = "a change"
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_LONGEST = 60 * 24 * 90


class Entry(BaseModel):
    """One change. `at` is in milliseconds since the epoch, `minutes_before` from the end of the time asked for.

    `run` is the run of ours that made it, null where others did; `words` say what was done.
    """

    model_config = ConfigDict(frozen=True)

    kind: ChangeKind
    service: str | None
    environment: str
    state: ChangeState
    before: str
    after: str
    at: int
    minutes_before: float
    by: str
    title: str
    url: str
    source: str
    id: str
    run: str | None
    words: str


class Changes(BaseModel):
    """The changes of a time, the newest first, at most 100. `services` are those that were looked at, none for all."""

    model_config = ConfigDict(frozen=True)

    services: tuple[str, ...]
    minutes: int
    until: int
    changes: tuple[Entry, ...]
    latest: Entry | None
    count: int


@action(risk=Risk.READ)
async def recent(
    ctx: Context,
    service: ServiceName | None = None,
    minutes: Annotated[int, Field(ge=1, le=_LONGEST)] = 30,
    before: Annotated[int | None, Field(ge=0, description="Milliseconds since the epoch; now, if left out")] = None,
) -> Changes:
    """List what was changed in the minutes before a time: to a service and all that it calls, or to anything."""
    until = ctx.now() if before is None else before
    looked_at = _with_dependencies(ctx, service) if service is not None else ()
    found = await ctx.changes(until - minutes * 60_000, until, looked_at or None)
    entries = tuple(_entry(one, until) for one in found)
    latest = entries[0] if entries else None
    return Changes(services=looked_at, minutes=minutes, until=until, changes=entries, latest=latest, count=len(entries))


def _with_dependencies(ctx: Context, service: str) -> tuple[str, ...]:
    """Return the service and those it calls, directly or through others."""
    found, edge = [service], [service]
    while edge:
        called = [name for one in edge if (it := ctx.inventory.services.get(one)) for name in it.depends_on]
        edge = [name for name in dict.fromkeys(called) if name not in found]
        found += edge
    return tuple(found)


def _entry(one: Change, until: int) -> Entry:
    return Entry(
        kind=one.kind,
        service=one.service,
        environment=one.environment,
        state=one.state,
        before=one.before,
        after=one.after,
        at=one.at,
        minutes_before=round((until - (one.at if one.at <= until else one.began_at)) / 60_000, 1),
        by=one.by,
        title=one.title,
        url=one.url,
        source=one.source,
        id=one.id,
        run=one.run,
        words=one.words,
    )


class _Sent(Sent):
    """A change as others tell it. `from` and `to` are versions, sizes or values."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, coerce_numbers_to_str=True)

    id: Id | None = None
    source: Text | None = None
    kind: ChangeKind = ChangeKind.OTHER
    service: str | None = None
    environment: str = ""
    before: str = Field(default="", alias="from")
    after: str = Field(default="", alias="to")
    at: Time | None = None
    state: ChangeState = ChangeState.DONE
    by: str = ""
    title: str = ""
    url: str = ""


class _List(Sent):
    changes: list[_Sent]


class _Event(Sent):
    """A CloudEvent around a change; what the change leaves open is taken from it."""

    id: Text
    source: Text
    type: Text
    subject: str | None = None
    time: Time | None = None
    data: _Sent


class _Batch(Sent):
    events: list[_Event]


def told(delivery: Delivery) -> Iterable[Change]:
    """Return the changes of one delivery. Raises ValueError naming each wrong field."""
    kind = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _BATCH:
        events = read(_Batch, {"events": delivery.json}, _WHAT).events
        return [_of_event(event, f"events[{number}].") for number, event in enumerate(events)]
    if kind == _STRUCTURED:
        return [_of_event(read(_Event, delivery.json, _WHAT), "")]
    if "ce-specversion" in delivery.headers:
        return [_of_event(read(_Event, _binary(delivery), _WHAT), "")]
    if isinstance(delivery.json, dict) and "changes" in delivery.json:
        several = read(_List, delivery.json, _WHAT).changes
        return [_change(one, f"changes[{number}].") for number, one in enumerate(several)]
    return [_change(read(_Sent, delivery.json, _WHAT), "")]


def _binary(delivery: Delivery) -> dict[str, Any]:
    attributes: Mapping[str, str] = {
        name.removeprefix("ce-"): unquote(value) for name, value in delivery.headers.items() if name.startswith("ce-")
    }
    return {**attributes, "data": delivery.json}


def _of_event(event: _Event, place: str) -> Change:
    named = {
        "id": event.data.id or event.id,
        "source": event.data.source or event.source,
        "at": event.data.at or event.time,
        "title": event.data.title or event.type,
        "service": event.data.service or event.subject,
    }
    return _change(event.data.model_copy(update=named), place)


def _change(sent: _Sent, place: str) -> Change:
    if sent.id is None:
        refuse(_WHAT, f"{place}id", "is missing; by it a change that is told twice is known")
    if sent.at is None:
        refuse(_WHAT, f"{place}at", "is missing; a time such as 2026-11-23T15:52:22Z")
    return Change(
        sent.kind,
        sent.service,
        source=sent.source or "changes",
        id=sent.id,
        at=milliseconds(sent.at),
        state=sent.state,
        environment=sent.environment,
        before=sent.before,
        after=sent.after,
        by=sent.by,
        title=sent.title,
        url=link(sent.url),
    )


@hookimpl
def register_actions() -> Iterable[Action]:
    """Offer the look at recent changes."""
    return [recent]


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept changes at `/webhooks/changes`, as JSON or as CloudEvents; they are no alerts."""
    return [AlertSource("changes", lambda delivery: (), either(bearer, basic), changes=told)]
