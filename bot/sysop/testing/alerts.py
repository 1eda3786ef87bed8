"""Alerts as Alertmanager sends them: one that ends names when it began."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class Alerts:
    """Knows since when which alerts fire."""

    def __init__(self) -> None:
        self._since: dict[str, str] = {}

    def delivery(self, labels: Mapping[str, str], annotations: Mapping[str, str], *, firing: bool) -> Mapping[str, Any]:
        """Return the body of a webhook that tells of one alert, known by its labels."""
        fingerprint = " ".join(f"{key}={value}" for key, value in sorted(labels.items()))[:200]
        now = datetime.now(UTC).isoformat()
        sent = {
            "status": "firing" if firing else "resolved",
            "labels": dict(labels),
            "annotations": dict(annotations),
            "startsAt": self._since.setdefault(fingerprint, now),
            "endsAt": "0001-01-01T00:00:00Z" if firing else now,
            "fingerprint": fingerprint,
        }
        if not firing:
            del self._since[fingerprint]
        return {"version": "4", "alerts": [sent]}
