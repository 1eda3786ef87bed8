"""CloudEvents 1.0 over HTTP, structured, binary or in batches, with an alert as their data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import Field, field_validator

from sysop.api import Alert, AlertSource, Delivery, basic, bearer, either, hookimpl
from sysop_plugins.incoming import Id, Sent, Text, Time, link, milliseconds, read, refuse, with_text
from sysop_plugins.incoming.builds import identity

_WHAT = "a CloudEvent with an alert as its data"
_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"


class _Data(Sent):
    """An alert, in Alertmanager's words."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: Time | None = None
    endsAt: Time | None = None
    fingerprint: Id | None = None
    generatorURL: str = ""


class _Event(Sent):
    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: str | None = None
    time: Time | None = None
    datacontenttype: str | None = None
    data: _Data

    @field_validator("datacontenttype")
    @classmethod
    def _json(cls, given: str | None) -> str | None:
        kind = _media_type(given or "application/json")
        if kind != "application/json" and not kind.endswith("+json"):
            raise ValueError("must be application/json: an alert is read from JSON only")
        return given


class _Batch(Sent):
    events: list[_Event]


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alerts of one delivery. Raises ValueError naming each wrong field or header."""
    kind = _media_type(delivery.headers.get("content-type", ""))
    if kind == _BATCH:
        events = read(_Batch, {"events": delivery.json}, _WHAT).events
        return [_alert(event, f"events[{number}].") for number, event in enumerate(events)]
    if kind == _STRUCTURED:
        return [_alert(read(_Event, delivery.json, _WHAT), "")]
    if "ce-specversion" in delivery.headers:
        return [_alert(read(_Event, _binary(delivery), _WHAT), "")]
    return refuse(_WHAT, "Content-Type", f"must be {_STRUCTURED} or {_BATCH}, or the attributes stand in ce-… headers")


def _binary(delivery: Delivery) -> dict[str, Any]:
    """Return an event whose attributes are headers, percent-encoded, and whose data is the body."""
    attributes: Mapping[str, Any] = {
        name.removeprefix("ce-"): unquote(value) for name, value in delivery.headers.items() if name.startswith("ce-")
    }
    return {**attributes, "datacontenttype": delivery.headers.get("content-type"), "data": delivery.json}


def _alert(event: _Event, place: str) -> Alert:
    """Return the alert; what its data leaves open is taken from the event around it."""
    data = event.data
    ended = data.status == "resolved"
    start = data.startsAt or (data.endsAt if ended else None) or event.time
    if start is None:
        refuse(_WHAT, f"{place}time", "needed where data.startsAt is missing")
    return Alert(
        source="cloudevents",
        fingerprint=data.fingerprint or identity(event.source, event.type, event.subject or ""),
        starts_at=milliseconds(start),
        ends_at=milliseconds(data.endsAt or event.time or start) if ended else None,
        labels=with_text({"alertname": event.type, "subject": event.subject}, data.labels),
        annotations=data.annotations,
        url=link(data.generatorURL),
        ending=ended and data.startsAt is None,
    )


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/cloudevents`."""
    return [AlertSource("cloudevents", parse, either(bearer, basic))]
