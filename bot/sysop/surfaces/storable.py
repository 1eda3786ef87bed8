"""Which alerts a database can keep as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sysop.model import Alert
from sysop.redact import UNSTORABLE

MAX_FINGERPRINT = 200
_EARLIEST, _LATEST = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999 in UTC, in milliseconds; others could never be shown."""


def check(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts as they are kept. Raises ValueError for one that no database can keep: it would come for ever.

    By fingerprint and times alerts are told apart, so these stay as they are. A label with a NUL or half a surrogate
    pair gets a mark in its place, as notes and links do: refused, it would take all alerts of its delivery with it.
    """
    checked = list(alerts)
    for number, alert in enumerate(checked):
        for field, fault in _faults(alert):
            raise ValueError(f"alerts[{number}].{field}: {fault}")
    return [_mended(alert) for alert in checked]


def _faults(alert: Alert) -> Iterator[tuple[str, str]]:
    if not 0 < len(alert.fingerprint) <= MAX_FINGERPRINT:
        yield "fingerprint", f"must have 1 to {MAX_FINGERPRINT} characters"
    if UNSTORABLE.search(alert.fingerprint):
        yield "fingerprint", "holds a NUL or half a surrogate pair, which cannot be stored; make it of other characters"
    for field, time in (("starts_at", alert.starts_at), ("ends_at", alert.ends_at or 0)):
        if not _EARLIEST <= time <= _LATEST:
            yield field, "is no time of the years 1 to 9999 in UTC; milliseconds since 1970 are meant"


def _mended(alert: Alert) -> Alert:
    labels = alert.labels.items()
    if not any(UNSTORABLE.search(text) for label in labels for text in label):
        return alert
    return replace(alert, labels={_marked(name): _marked(text) for name, text in labels})


def _marked(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)
