"""Sentry: understand the webhooks of its integration platform: issue alerts, metric alerts, and issues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sysop.api import Alert, AlertSource, Delivery, hookimpl, signed
from sysop_plugins.incoming import Id, Sent, Text, Time, link, milliseconds, read, refuse, with_text

_EVENT = "an issue alert of Sentry"
_METRIC = "a metric alert of Sentry"
_ISSUE = "an issue webhook of Sentry"
_SEVERITIES = {"fatal": "critical", "error": "error", "warning": "warning", "info": "info", "debug": "info"}
_TAGS = {"environment": "environment", "release": "version", "server_name": "host"}
_PROJECT = re.compile(r"/projects/[^/]+/([^/]+)/")
_SENT_AT = TypeAdapter(int)
_LATEST_S = 253_402_300_799  # the year 9999


class Settings(BaseModel):
    """Which service a Sentry project is, by the project's slug; one that is not named is called the same here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)


class _Event(Sent):
    issue_id: Id
    title: Text
    datetime: Time
    level: str | None = None
    culprit: str | None = None
    url: str = ""
    web_url: str = ""
    tags: list[tuple[str, str | None]] = Field(default_factory=list)


class _EventData(Sent):
    event: _Event
    triggered_rule: str = ""


class _EventAlert(Sent):
    data: _EventData


class _Rule(Sent):
    id: Id
    name: Text
    aggregate: str | None = None
    query: str | None = None
    environment: str | None = None


class _Metric(Sent):
    alert_rule: _Rule
    date_started: Time
    date_closed: Time | None = None
    projects: list[str] = Field(default_factory=list)


class _MetricData(Sent):
    metric_alert: _Metric
    description_text: str = ""
    description_title: str = ""
    web_url: str = ""


class _MetricAlert(Sent):
    action: Literal["critical", "warning", "resolved"]
    data: _MetricData


class _Project(Sent):
    slug: Text


class _Issue(Sent):
    id: Id
    title: Text
    project: _Project
    firstSeen: Time
    level: str | None = None
    culprit: str | None = None
    permalink: str | None = None
    web_url: str | None = None


class _IssueData(Sent):
    issue: _Issue


class _IssueWebhook(Sent):
    action: Text
    data: _IssueData


def parse(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return the alert a webhook tells of, or nothing. Raises ValueError naming each wrong field or header."""
    resource = delivery.headers.get("sentry-hook-resource")
    if not resource:
        refuse("a webhook of Sentry's integration platform", "Sentry-Hook-Resource", "the header is missing")
    reader = _READERS.get(resource)
    return reader(delivery, services) if reader else []


def _event_alert(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return an event that met an alert rule. It begins with the event; the issue ends it."""
    data = read(_EventAlert, delivery.json, _EVENT).data
    event, project = data.event, _PROJECT.search(data.event.url)
    return [
        Alert(
            source="sentry",
            fingerprint=f"issue {event.issue_id}",
            starts_at=milliseconds(event.datetime),
            ends_at=None,
            labels=with_text(
                {label: dict(event.tags).get(tag) for tag, label in _TAGS.items()},
                {"alertname": event.title, "severity": _severity(event.level)},
                _service(project.group(1) if project else "", services),
            ),
            annotations=with_text({"summary": event.title, "culprit": event.culprit, "rule": data.triggered_rule}),
            url=link(event.web_url),
        )
    ]


def _metric_alert(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return a metric alert, which says itself when it began."""
    sent = read(_MetricAlert, delivery.json, _METRIC)
    data, metric = sent.data, sent.data.metric_alert
    ended = sent.action == "resolved"
    closed = milliseconds(metric.date_closed) if metric.date_closed else None
    return [
        Alert(
            source="sentry",
            fingerprint=f"rule {metric.alert_rule.id}",
            starts_at=milliseconds(metric.date_started),
            ends_at=(closed or _sent_at(delivery, _METRIC)) if ended else None,
            labels=with_text(
                {"alertname": metric.alert_rule.name, "environment": metric.alert_rule.environment},
                {"severity": None if ended else sent.action},
                _service(metric.projects[0] if len(metric.projects) == 1 else "", services),
            ),
            annotations=with_text(
                {"summary": data.description_title, "description": data.description_text},
                {"query": f"{metric.alert_rule.aggregate or ''} {metric.alert_rule.query or ''}".strip()},
            ),
            url=link(data.web_url),
        )
    ]


def _issue(delivery: Delivery, services: Mapping[str, str]) -> Iterable[Alert]:
    """Return an issue that is new or open again; one that is resolved or archived ends whatever fired of it before."""
    sent = read(_IssueWebhook, delivery.json, _ISSUE)
    issue = sent.data.issue
    ended = sent.action in ("resolved", "archived", "ignored")
    if not ended and sent.action not in ("created", "unresolved"):
        return []
    at = milliseconds(issue.firstSeen) if sent.action == "created" else _sent_at(delivery, _ISSUE)
    return [
        Alert(
            source="sentry",
            fingerprint=f"issue {issue.id}",
            starts_at=at,
            ends_at=at if ended else None,
            labels=with_text(
                {"alertname": issue.title, "severity": _severity(issue.level)}, _service(issue.project.slug, services)
            ),
            annotations=with_text({"summary": issue.title, "culprit": issue.culprit}),
            url=link(issue.web_url) or link(issue.permalink),
            ending=ended,
        )
    ]


def _sent_at(delivery: Delivery, what: str) -> int:
    """Return when Sentry sent this, in milliseconds. The header counts seconds."""
    text = delivery.headers.get("sentry-hook-timestamp", "")
    try:
        seconds = _SENT_AT.validate_python(text)
    except ValidationError:
        seconds = -1
    if not 0 < seconds <= _LATEST_S:
        refuse(what, "Sentry-Hook-Timestamp", "must be a time in seconds since 1970")
    return seconds * 1000


def _service(project: str, services: Mapping[str, str]) -> dict[str, str]:
    return {"service": services.get(project, project), "project": project}


def _severity(level: str | None) -> str | None:
    return _SEVERITIES.get(level or "")


_READERS: Mapping[str, Callable[[Delivery, Mapping[str, str]], Iterable[Alert]]] = {
    "event_alert": _event_alert,
    "metric_alert": _metric_alert,
    "issue": _issue,
}


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which service each project is."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/sentry`, signed with the client secret of the integration."""
    proves = signed("Sentry-Hook-Signature")
    return [AlertSource("sentry", lambda delivery: parse(delivery, settings.services), proves)]
