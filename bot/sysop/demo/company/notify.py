"""Webhooks as Alertmanager sends them: payload version 4, grouped by alertname and service."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from sysop.demo.company import wire
from sysop.demo.company.alerts import Alert

GROUP_WAIT_SECONDS = 1.0
GROUP_INTERVAL_SECONDS = 2.0
REPEAT_SECONDS = 3600.0
POST_SECONDS = 10.0
BACKOFF_SECONDS = (0.5, 0.75, 1.1, 1.7, 2.5, 3.8)

RECEIVER = "bot"
NEVER = "0001-01-01T00:00:00Z"
"""Alertmanager's `endsAt` of an alert that still fires."""

_FNV_OFFSET, _FNV_PRIME, _FNV_MASK = 14695981039346656037, 1099511628211, (1 << 64) - 1

log = logging.getLogger("notify")


@dataclass(frozen=True)
class Receiver:
    """Where webhooks go. The token is read from its file at each attempt, so it may be written later or change."""

    url: str
    token_file: Path | None


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set: FNV-1a over names and values, each ended by byte 255."""
    value = _FNV_OFFSET
    for name, label in sorted(labels.items()):
        for byte in (*name.encode(), 255, *label.encode(), 255):
            value = ((value ^ byte) * _FNV_PRIME) & _FNV_MASK
    return f"{value:016x}"


def timestamp(at: float) -> str:
    """Return a time as Go's RFC3339Nano writes milliseconds: without trailing zeros."""
    moment = datetime.fromtimestamp(round(at * 1000) // 1000, UTC)
    fraction = f"{round(at * 1000) % 1000:03d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}Z"


def payload(alert: Alert, source: str) -> dict[str, Any]:
    """Return the webhook body for the group of one alert.

    Grouping by alertname and service leaves one alert a group, since no rule tells alerts apart by anything else.
    """
    labels, status = alert.labels, "firing" if alert.firing else "resolved"
    group = {"alertname": labels["alertname"], "service": labels["service"]}
    assert alert.fired_at is not None
    item = {
        "status": status,
        "labels": labels,
        "annotations": alert.annotations,
        "startsAt": timestamp(alert.fired_at),
        "endsAt": NEVER if alert.resolved_at is None else timestamp(alert.resolved_at),
        "generatorURL": f"{source}/graph?g0.expr={quote_plus(alert.rule.expression)}&g0.tab=1",
        "fingerprint": fingerprint(labels),
    }
    return {
        "receiver": RECEIVER,
        "status": status,
        "alerts": [item],
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": alert.annotations,
        "externalURL": source,
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in group.items()) + "}",
        "truncatedAlerts": 0,
    }


class Notifier:
    """Tells one receiver about alerts: after the group wait, at each group interval with news, again until 2xx."""

    def __init__(self, receiver: Receiver, source: str) -> None:
        self._receiver = receiver
        self._source = source
        self._latest: dict[str, Alert] = {}
        self._groups: dict[str, asyncio.Task[None]] = {}

    def receive(self, alerts: Iterable[Alert]) -> None:
        """Take what fires or has just resolved; delivery goes on in the background."""
        for alert in alerts:
            key = fingerprint(alert.labels)
            self._latest[key] = alert
            if key not in self._groups:
                self._groups[key] = asyncio.create_task(self._follow(key))

    async def _follow(self, key: str) -> None:
        told: Alert | None = None
        told_at, failures = 0.0, 0
        await asyncio.sleep(GROUP_WAIT_SECONDS)
        while not _settled(alert := self._latest[key], told):
            if not _news(alert, told, told_at):
                await asyncio.sleep(GROUP_INTERVAL_SECONDS)
            elif await self._post(alert):
                told, told_at, failures = alert, time.monotonic(), 0
                await asyncio.sleep(GROUP_INTERVAL_SECONDS)
            else:
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
        del self._groups[key], self._latest[key]

    async def _post(self, alert: Alert) -> bool:
        """Send the state of an alert once; say whether it was accepted."""
        state = f"{alert.rule.name} {alert.service} {'firing' if alert.firing else 'resolved'}"
        try:
            answer = await wire.fetch(
                self._receiver.url,
                method="POST",
                body=json.dumps(payload(alert, self._source)).encode(),
                headers=self._headers(),
                timeout=POST_SECONDS,
            )
        except OSError as problem:
            log.warning("%s not delivered: %s", state, problem or type(problem).__name__)
            return False
        log.info("%s answered %d", state, answer.status)
        return answer.ok

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "company-watcher"}
        if self._receiver.token_file is not None:
            headers["Authorization"] = f"Bearer {self._receiver.token_file.read_text().strip()}"
        return headers


def _settled(alert: Alert, told: Alert | None) -> bool:
    """Say whether an alert is over and the receiver knows, or never heard of it."""
    return not alert.firing and (told is None or not told.firing)


def _news(alert: Alert, told: Alert | None, told_at: float) -> bool:
    if told is None or alert.firing != told.firing:
        return True
    return time.monotonic() - told_at >= REPEAT_SECONDS
