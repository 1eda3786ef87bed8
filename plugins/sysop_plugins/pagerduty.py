"""PagerDuty: understand webhooks of version 3. Its incident is an alert from when it was triggered or reopened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sysop.api import Alert, AlertSource, Delivery, hookimpl, signed
from sysop_plugins.incoming import Id, Sent, Text, Time, link, milliseconds, read, with_text

_WHAT = "a PagerDuty webhook of version 3"
_PRIORITIES = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info", "P5": "info"}
_URGENCIES = {"high": "critical", "low": "warning"}


class Settings(BaseModel):
    """Which of ours a PagerDuty service is, by its name there; one that is not named is called the same here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


class _Reference(Sent):
    """Something else in PagerDuty. `summary` is its name."""

    summary: str | None = None


class _Incident(Sent):
    id: Id
    status: Literal["triggered", "acknowledged", "resolved"]
    title: Text
    created_at: Time
    reopened_at: Time | None = None
    html_url: str = ""
    incident_key: str | None = None
    service: _Reference
    teams: list[_Reference] = Field(default_factory=list)
    priority: _Reference | None = None
    urgency: str | None = None


class _Event(Sent):
    event_type: Text
    occurred_at: Time
    data: Any = None


class _Webhook(Sent):
    event: _Event


class _IncidentEvent(Sent):
    data: _Incident


class _IncidentWebhook(Sent):
    event: _IncidentEvent


def parse(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return the alert an event tells of, or nothing. Raises ValueError naming each wrong field.

    An incident that is resolved ends with every start it had: PagerDuty does not tell which one this was.
    """
    event = read(_Webhook, delivery.json, _WHAT).event
    if not event.event_type.startswith("incident.") or _is_beside(event.data):
        return []
    incident = read(_IncidentWebhook, delivery.json, _WHAT).event.data
    if event.event_type == "incident.resolved":
        return [_alert(incident, services, event.occurred_at, ended=True)]
    if incident.status == "resolved":  # a change to what has ended already
        return []
    reopened = event.occurred_at if event.event_type == "incident.reopened" else None
    return [_alert(incident, services, incident.reopened_at or reopened or incident.created_at, ended=False)]


def _is_beside(data: Any) -> bool:
    """Tell whether an event is of something beside an incident, such as a note."""
    return isinstance(data, dict) and data.get("type", "incident") != "incident"


def _alert(incident: _Incident, services: Mapping[str, str], at: datetime, *, ended: bool) -> Alert:
    service = incident.service.summary or ""
    priority = incident.priority.summary if incident.priority else None
    teams = ", ".join(team.summary for team in incident.teams if team.summary)
    return Alert(
        source="pagerduty",
        fingerprint=incident.id,
        starts_at=milliseconds(at),
        ends_at=milliseconds(at) if ended else None,
        labels=with_text(
            {"alertname": incident.title, "service": services.get(service, service)},
            {"severity": _PRIORITIES.get(priority or "") or _URGENCIES.get(incident.urgency or "")},
            {"priority": priority, "team": teams},
        ),
        annotations=with_text({"summary": incident.title, "incident_key": incident.incident_key}),
        url=link(incident.html_url),
        ending=ended,
    )


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which of ours each PagerDuty service is."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/pagerduty`, signed with the secret of the webhook subscription."""
    proves = signed("X-PagerDuty-Signature", prefix="v1=")
    return [AlertSource("pagerduty", lambda delivery: parse(delivery, settings.services), proves)]
