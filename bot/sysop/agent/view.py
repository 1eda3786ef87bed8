"""An incident as the expressions of a runbook see it: every field is there, whatever the run was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_ALERTS: Final = 100
_TEXTS: Final = ("summary", "description", "message")
_SAID: Final = 5
_WORDS: Final = 2000


def incident_view(incident: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the incident as expressions see it, every field there, at most `MAX_ALERTS` alerts."""
    given = incident or {}
    alerts = [alert_view(a) for a in list(given.get("alerts") or ())[:MAX_ALERTS]]
    services = [str(s) for s in given.get("services") or dict.fromkeys(a["service"] for a in alerts if a["service"])]
    return {
        "id": str(given.get("id") or ""),
        "title": str(given.get("title") or ""),
        "severity": str(given.get("severity") or ""),
        "service": services[0] if services else "",
        "services": services,
        "alerts": alerts,
        "opened_at": int(given.get("opened_at") or 0),
    }


def alert_view(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert as expressions see it, every field there."""
    labels = {str(k): str(v) for k, v in (alert.get("labels") or {}).items()}
    return {
        "name": str(alert.get("name") or labels.get("alertname", "")),
        "service": str(alert.get("service") or labels.get("service", "")),
        "labels": labels,
        "annotations": {str(k): str(v) for k, v in (alert.get("annotations") or {}).items()},
        "firing": bool(alert.get("firing", alert.get("ends_at") is None)),
    }


def words_of(seen: Mapping[str, Any]) -> str:
    """Return what the alerts of a view say is wrong, to look for a page by."""
    said = [
        text for alert in seen["alerts"][:_SAID] for text in (alert["name"], *map(alert["annotations"].get, _TEXTS))
    ]
    return " ".join(dict.fromkeys(text for text in (seen["title"], *said) if text))[:_WORDS]


def page_urls(seen: Mapping[str, Any]) -> list[str]:
    """Return where the alerts of a view say that their runbook is, in their order."""
    return [url for alert in seen["alerts"] if (url := alert["annotations"].get("runbook_url", "").strip())]
