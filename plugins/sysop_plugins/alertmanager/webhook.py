"""Alertmanager's webhooks (payload version 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sysop.api import Alert, Delivery
from sysop_plugins.incoming import Sent, SentAlert, link, milliseconds, read, tell_of_cut


class _Webhook(Sent):
    """One delivery: the alerts of a group, firing or resolved, but not those that `max_alerts` cuts off."""

    version: Literal["4"]
    alerts: list[SentAlert]
    truncatedAlerts: int = 0


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alerts of one delivery. Raises ValueError naming each wrong field and what is wrong with it."""
    webhook = read(_Webhook, delivery.json, "an Alertmanager webhook")
    tell_of_cut("Alertmanager", webhook.truncatedAlerts)
    return [_alert(sent) for sent in webhook.alerts]


def _alert(sent: SentAlert) -> Alert:
    ended = sent.ended_at
    return Alert(
        source="alertmanager",
        fingerprint=sent.fingerprint,
        starts_at=milliseconds(sent.startsAt),
        ends_at=milliseconds(ended) if ended else None,
        labels=sent.labels,
        annotations=sent.annotations,
        url=link(sent.generatorURL),
    )
