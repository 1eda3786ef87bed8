"""Recorded webhook deliveries of a made-up company: incidents along call paths, noise, flapping, repeats, lateness."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

BEGAN = 1_791_244_800.0  # 2026-10-06 00:00 UTC
CHAIN = ("web", "cart", "payments", "ledger", "db")
ASIDE = ("mail", "search", "images", "reports", "batch", "metrics", "auth")
RULES = ("HighErrorRate", "HighLatency", "PodRestarts", "QueueGrows")
TOPOLOGY = {
    "services": {name: {} for name in (*CHAIN, *ASIDE)},
    "edges": [[caller, callee] for caller, callee in pairwise(CHAIN)] + [["web", "search"]],
    "scope_labels": ["cluster"],
}

Delivery = dict[str, Any]


@dataclass(frozen=True)
class Fired:
    """One occurrence of an alert. Times are seconds since the recording began."""

    rule: str
    service: str
    at: float
    ended: float
    severity: str = "warning"

    def sent(self, *, resolved: bool) -> dict[str, Any]:
        labels = {"alertname": self.rule, "service": self.service, "severity": self.severity, "cluster": "one"}
        return {
            "status": "resolved" if resolved else "firing",
            "labels": labels,
            "annotations": {"summary": f"{self.rule} on {self.service}"},
            "startsAt": iso(self.at),
            "endsAt": iso(self.ended) if resolved else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": self.fingerprint,
        }

    @property
    def fingerprint(self) -> str:
        """Return what names all labels, as Prometheus's does."""
        return f"{self.rule}-{self.service}-{self.severity}".lower()

    @property
    def key(self) -> str:
        return f"{self.fingerprint}@{iso(self.at)}"


def iso(seconds: float) -> str:
    """Return a time of the recording as senders write it."""
    return datetime.fromtimestamp(BEGAN + seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call(at: float, alerts: Iterable[dict[str, Any]]) -> Delivery:
    """Return one line of a recording."""
    every = list(alerts)
    body = {"version": "4", "status": every[0]["status"], "receiver": "sysop", "alerts": every, "groupKey": "{}"}
    return {"received_at": iso(at), "body": body}


def fired(seed: int, hours: float = 4.0) -> list[Fired]:
    """Return what fires: an incident up the chain each forty minutes, a flapping alert, and chance alarms between."""
    luck, found = random.Random(seed), []
    for began in range(600, int(hours * 3600) - 900, 2400):
        depth = luck.randrange(2, len(CHAIN))
        for hop, service in enumerate(reversed(CHAIN[: depth + 1])):
            for rule in luck.sample(RULES, 2):
                at = began + hop * 20 + luck.uniform(0, 15)
                found.append(Fired(rule, service, at, at + 600, luck.choice(("warning", "critical"))))
    for began in range(0, int(hours * 3600), 700):
        found.append(Fired("DiskFlaps", "batch", began + luck.uniform(0, 60), began + 300))
    for _ in range(int(hours * 4)):
        at = luck.uniform(0, hours * 3600)
        found.append(Fired(luck.choice(RULES), luck.choice(ASIDE), at, at + 300))
    return found


def recording(seed: int, hours: float = 4.0) -> list[Delivery]:
    """Return deliveries in order of arrival: firing, sent again, resolved; some late, some several in one call."""
    luck, calls = random.Random(seed), []
    for one in fired(seed, hours):
        late = luck.uniform(60, 400) if luck.random() < 0.1 else luck.uniform(0, 10)
        calls.append((one.at + late, one.sent(resolved=False)))
        if luck.random() < 0.2:
            calls.append((one.at + late + 240, one.sent(resolved=False)))
        calls.append((one.ended + luck.uniform(0, 10), one.sent(resolved=True)))
    calls.sort(key=lambda one: one[0])
    deliveries: list[Delivery] = []
    while calls:
        together = 1 + (luck.random() < 0.2)
        batch, calls = calls[:together], calls[together:]
        deliveries.append(call(batch[-1][0], [alert for _, alert in batch]))
    return deliveries


def disturbed(deliveries: Sequence[Delivery], seed: int) -> list[Delivery]:
    """Return the same alerts as a bad network brings them: in any order, some twice, some calls cut into several."""
    luck, found = random.Random(seed), []
    for one in deliveries:
        alerts = one["body"]["alerts"]
        cut = luck.randrange(len(alerts) + 1)
        pieces = [alerts[:cut], alerts[cut:]]
        lines = [{**one, "body": {**one["body"], "alerts": piece}} for piece in pieces if piece]
        found += lines * luck.choice((1, 1, 2))
    luck.shuffle(found)
    return found


def lines(deliveries: Iterable[Delivery]) -> bytes:
    """Return the recording as its file holds it."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in deliveries)


def write(folder: Path, deliveries: Iterable[Delivery], name: str = "deliveries.jsonl") -> Path:
    """Write a recording, zipped if the name says so, with its topology beside it."""
    (folder / "topology.json").write_text(json.dumps(TOPOLOGY))
    file, data = folder / name, lines(deliveries)
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file
