"""Senders that do not say when what has ended began: in whatever order they tell it, the alert ends."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import bodies
import pytest
from bodies import changed

import bench
from sysop.api import Delivery
from sysop.host import load
from sysop.store import alerts

LATER = "2026-03-02T09:24:07Z"
AT = 1772443447000
SENT = {"sentry-hook-timestamp": str(AT // 1000)}
STRUCTURED = {"content-type": "application/cloudevents+json"}
RESOLVED = changed(changed(bodies.PAGERDUTY, "event.event_type", "incident.resolved"), "event.occurred_at", LATER)

STORIES: dict[str, list[tuple[dict[str, str], Any]]] = {
    "datadog": [({}, bodies.DATADOG), ({}, {**bodies.DATADOG, "transition": "Recovered", "date": str(AT)})],
    "pagerduty": [({}, bodies.PAGERDUTY), ({}, changed(RESOLVED, "event.data.status", "resolved"))],
    "sentry": [
        ({"sentry-hook-resource": "event_alert", **SENT}, bodies.SENTRY_EVENT),
        ({"sentry-hook-resource": "issue", **SENT}, changed(bodies.SENTRY_ISSUE, "action", "resolved")),
    ],
    "cloudevents": [
        (STRUCTURED, bodies.CLOUDEVENT),
        (STRUCTURED, {**bodies.CLOUDEVENT, "data": {"status": "resolved", "endsAt": LATER}}),
    ],
}


@pytest.mark.parametrize("name", STORIES)
async def test_an_alert_ends_in_whatever_order_and_however_often_it_is_told(
    tmp_path: Path, migrated_file: Path, name: str
) -> None:
    source = load({}).alert_sources()[name]
    told = [alert for headers, body in STORIES[name] for alert in source.parse(Delivery(headers, b"", body))]
    found = []
    for number, order in enumerate(sorted({*itertools.permutations([0, 1, 0, 1])})):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(migrated_file, folder / "sysop.db")
        app = bench.build(folder, f"sqlite:///{folder / 'sysop.db'}")
        for which in order:
            await app.lifecycle.take([told[which]])
        found.append([row.alert for row in await app.store.read(alerts.listed)])
        await app.close()
    (alert,) = found[0]
    assert (alert.fingerprint, alert.starts_at, alert.ends_at) == (told[0].fingerprint, told[0].starts_at, AT)
    assert all(rows == found[0] for rows in found)
