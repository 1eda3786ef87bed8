"""Grafana: understand the webhooks of its alerting contact points (payload version 1)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Literal

from sysop.api import Alert, AlertSource, Delivery, basic, bearer, either, hookimpl, signed
from sysop_plugins.incoming import Sent, SentAlert, link, milliseconds, read, tell_of_cut, with_text

_SIGNATURE = "x-grafana-alerting-signature"
_TIMESTAMP = "x-grafana-alerting-timestamp"


class _Alert(SentAlert):
    """One alert instance. `values` are those of the rule's queries when it changed its state."""

    silenceURL: str = ""
    dashboardURL: str = ""
    panelURL: str = ""
    values: dict[str, float | None] | None = None
    valueString: str = ""


class _Webhook(Sent):
    """One delivery: the alerts of a group, firing or resolved."""

    version: Literal["1"]
    alerts: list[_Alert]
    truncatedAlerts: int = 0


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alerts of one delivery. Raises ValueError naming each wrong field and what is wrong with it."""
    webhook = read(_Webhook, delivery.json, "a Grafana alerting webhook")
    tell_of_cut("Grafana", webhook.truncatedAlerts)
    return [_alert(sent) for sent in webhook.alerts]


def _alert(sent: _Alert) -> Alert:
    ended = sent.ended_at
    return Alert(
        source="grafana",
        fingerprint=sent.fingerprint,
        starts_at=milliseconds(sent.startsAt),
        ends_at=milliseconds(ended) if ended else None,
        labels=sent.labels,
        annotations=with_text(
            {
                "values": _values(sent.values) or sent.valueString,
                "dashboard": link(sent.panelURL) or link(sent.dashboardURL),
                "silence": link(sent.silenceURL),
            },
            sent.annotations,
        ),
        url=link(sent.generatorURL),
    )


def _values(values: Mapping[str, float | None] | None) -> str:
    known = sorted((name, value) for name, value in (values or {}).items() if value is not None)
    return ", ".join(f"{name}={value:g}" for name, value in known)


def signed_with_time(delivery: Delivery, token: str) -> bool:
    """Tell whether the signature fits the time of sending and the body, as it is with a timestamp header."""
    time = delivery.headers.get(_TIMESTAMP, "").encode("latin-1", "backslashreplace")
    expected = hmac.new(token.encode(), time + b":" + delivery.body, "sha256").hexdigest()
    given = delivery.headers.get(_SIGNATURE, "")
    return hmac.compare_digest(given.encode("latin-1", "backslashreplace"), expected.encode())


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/grafana`, with the token in `Authorization` or as the key of a signature."""
    return [AlertSource("grafana", parse, either(bearer, basic, signed(_SIGNATURE), signed_with_time))]
