"""Datadog: understand its webhooks, with the payload that docs/sources.md gives to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sysop.api import Alert, AlertSource, Delivery, basic, bearer, either, hookimpl
from sysop_plugins.incoming import Id, Milliseconds, Sent, Text, link, read, with_text

_PRIORITIES = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "info", "P5": "info"}
_KINDS = {"error": "error", "warning": "warning", "info": "info"}
_NAMES = {
    "env": "environment",
    "kube_cluster_name": "cluster",
    "kube_namespace": "namespace",
    "kube_node": "node",
    "pod_name": "pod",
}
_BRACKETS = re.compile(r"\A(?:\[[^\]]*\]\s*)+")

_Transition = Annotated[
    Literal["triggered", "re-triggered", "warn", "re-warn", "no data", "re-no data", "renotify", "recovered", "null"],
    BeforeValidator(lambda word: word.lower() if isinstance(word, str) else word),
]


class _Notification(Sent):
    """The payload of our template. A variable that Datadog has no value for is empty."""

    transition: _Transition
    key: Id
    monitor: Id
    date: Milliseconds
    title: Text
    kind: str = ""
    priority: str = ""
    tags: str = ""
    host: str = ""
    scope: str = ""
    status: str = ""
    text: str = Field("", description="the monitor's message")
    url: str = ""


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alert of a monitor that has changed its state, or nothing. Raises ValueError naming each wrong field.

    Reminders tell nothing new. A recovery ends whatever fired of the monitor and scope before: Datadog does not tell
    when that began.
    """
    sent = read(_Notification, delivery.json, "Datadog's webhook with the payload of docs/sources.md")
    if sent.transition == "null" or sent.transition.startswith("re-") or sent.transition == "renotify":
        return []
    recovered = sent.transition == "recovered"
    return [
        Alert(
            source="datadog",
            fingerprint=sent.key,
            starts_at=sent.date,
            ends_at=sent.date if recovered else None,
            labels=with_text(
                _tags(sent.tags),
                {"alertname": _BRACKETS.sub("", sent.title) or sent.title, "severity": _severity(sent)},
                {"host": sent.host, "monitor": sent.monitor},
            ),
            annotations=with_text(
                {"summary": sent.title, "scope": sent.scope, "status": sent.status, "description": sent.text}
            ),
            url=link(sent.url),
            ending=recovered,
        )
    ]


def _severity(sent: _Notification) -> str:
    if sent.transition in ("warn", "no data"):
        return "warning"
    return _PRIORITIES.get(sent.priority) or _KINDS.get(sent.kind) or "error"


def _tags(text: str) -> dict[str, str]:
    """Return tags such as `env:prod, service:checkout` as labels; of several with one name the first counts."""
    labels: dict[str, str] = {}
    for tag in text.split(","):
        name, _, value = tag.strip().partition(":")
        labels.setdefault(_NAMES.get(name, name), value)
    return labels


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/datadog`, with the token in a custom header `Authorization`."""
    return [AlertSource("datadog", parse, either(bearer, basic))]
