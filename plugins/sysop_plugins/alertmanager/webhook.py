"""Alertmanager's webhooks (payload version 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from sysop.api import Alert, Delivery
from sysop_plugins.incoming import Id, Sent, Time, link, milliseconds, read, tell_of_cut


class _Alert(Sent):
    """One alert of a group."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: Time
    endsAt: Time
    generatorURL: str = ""
    fingerprint: Id


class _Webhook(Sent):
    """One delivery: the alerts of a group, firing or resolved, but not those that `max_alerts` cuts off."""

    version: Literal["4"]
    alerts: list[_Alert]
    truncatedAlerts: int = 0


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alerts of one delivery. Raises ValueError naming each wrong field and what is wrong with it."""
    webhook = read(_Webhook, delivery.json, "an Alertmanager webhook")
    tell_of_cut("Alertmanager", webhook.truncatedAlerts)
    return [_alert(sent) for sent in webhook.alerts]


def _alert(sent: _Alert) -> Alert:
    ended = sent.status == "resolved" and sent.endsAt.year > 1  # Go's zero time stands for "not yet"
    return Alert(
        source="alertmanager",
        fingerprint=sent.fingerprint,
        starts_at=milliseconds(sent.startsAt),
        ends_at=milliseconds(sent.endsAt) if ended else None,
        labels=sent.labels,
        annotations=sent.annotations,
        url=link(sent.generatorURL),
    )
