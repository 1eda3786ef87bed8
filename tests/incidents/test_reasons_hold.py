"""Why an alert is where it is stays true while incidents change: what speaks for it is in the same incident."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

import bench
import recordings
from sysop.model import Alert
from sysop.store import alerts

SERVICES: dict[str, dict[str, list[str]]] = {
    **{name: {} for name in (*recordings.ASIDE, *recordings.CHAIN)},
    **{caller: {"depends_on": [callee]} for caller, callee in pairwise(recordings.CHAIN)},
}
T0 = 1_700_000_000_000


def taken(one: recordings.Fired) -> Alert:
    labels = {"alertname": one.rule, "service": one.service, "severity": one.severity}
    return Alert("test", one.fingerprint, T0 + int(one.at * 1000), None, labels, {})


def chance(seed: int) -> list[recordings.Fired]:
    """Return forty alerts of an hour that have nothing to do with each other: some meet for a while, and part again."""
    luck, everywhere = random.Random(seed), (*recordings.ASIDE, *recordings.CHAIN)
    found = [
        recordings.Fired(
            luck.choice(recordings.RULES),
            luck.choice(everywhere),
            luck.uniform(0, 3600),
            0,
            luck.choice(("warning", "critical")),
        )
        for _ in range(40)
    ]
    return sorted(found, key=lambda one: one.at)


@pytest.mark.parametrize("seed", [1, 5, 10])
async def test_the_alerts_that_a_reason_names_are_in_the_same_incident(tmp_path: Path, url: str, seed: int) -> None:
    app = bench.build(tmp_path, url, inventory=SERVICES, incidents={"quiet_seconds": 600, "triage": False})
    every = [taken(one) for one in chance(seed)]
    for start in range(0, len(every), 3):
        await bench.take(app, every[start : start + 3])
    found = {
        f"{one.alert.source}/{one.alert.fingerprint}@{one.alert.starts_at}": one
        for one in await app.store.read(lambda conn: alerts.listed(conn, limit=1000))
    }
    await app.close()
    wrong = {
        name: why["words"]
        for name, one in found.items()
        for why in one.why
        if one.incident and why.get("other") and found[why["other"]].incident != one.incident
    }
    assert not wrong
    assert sum(len(one.why) for one in found.values()) > 20
