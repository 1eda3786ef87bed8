"""Recorded webhook deliveries: lines of JSON, plain or gzipped, read one at a time and strictly."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from sysop.errors import InvalidRequest
from sysop.incidents.correlation import Occurrence
from sysop.model import Alert

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one delivery, unzipped. Alertmanager sends a whole group at once, and Sysop takes less than this."""
_GZIP: Final = b"\x1f\x8b"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NOT_YET: Final = "0001-01-01T00:00:00Z"
_SHOWN: Final = 60


class BadLine(InvalidRequest):
    """A line of the stream is not a delivery; names line, field and fix."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One webhook call as it was kept. `at` is the text of `received_at`, `clock` the same time in seconds."""

    line: int
    at: str
    clock: float
    occurrences: tuple[Occurrence, ...]


class _Wrong(ValueError):
    """A field is not as it must be. The text says where and what would be right."""


def unzipped(source: io.BufferedIOBase) -> io.BufferedIOBase:
    """Return a stream of plain lines, whatever the file is called: what is gzipped says so in its first bytes."""
    plain = source if isinstance(source, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", source))
    return gzip.GzipFile(fileobj=plain) if plain.peek(2)[:2] == _GZIP else plain


def read(source: io.BufferedIOBase) -> Iterator[Recorded]:
    """Yield the deliveries of a stream in its order, one line in memory at a time; blank lines are passed over.

    Raises BadLine, also where the stream ends in the middle of what was zipped.
    """
    number = 0
    while line := _line(source, number + 1):
        number += 1
        if not line.isspace():
            yield delivery(line, number)


def line(received_at: int, alert: Alert) -> str:
    """Return the line of a recording, without its end, that brings a stored alert; times in milliseconds."""
    sent = {
        "status": "firing" if alert.firing else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _written(alert.starts_at),
        "endsAt": _NOT_YET if alert.ends_at is None else _written(alert.ends_at),
        "generatorURL": alert.url,
        "fingerprint": alert.fingerprint,
    }
    body = {"version": "4", "receiver": alert.source, "status": sent["status"], "alerts": [sent]}
    return json.dumps({"received_at": _written(received_at), "body": body})


def _written(ms: int) -> str:
    return (_EPOCH + ms * _MILLISECOND).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _line(source: io.BufferedIOBase, number: int) -> bytes:
    try:
        line = source.readline(MAX_LINE + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as bad:
        raise BadLine(f"line {number}: the file is damaged or cut off ({bad}); copy it here again") from bad
    if len(line) > MAX_LINE:
        raise BadLine(f"line {number}: longer than {MAX_LINE} bytes; write one delivery a line")
    return line


def delivery(line: bytes, number: int) -> Recorded:
    """Return the delivery that a line holds. Raises BadLine."""
    try:
        whole = _object(_json(line), "the line", 'such as {"received_at": …, "body": {…}}')
        at = _text(whole, "", "received_at")
        clock = _seconds(at, "received_at")
        body = _object(whole.get("body"), "body", "an Alertmanager webhook message")
        alerts = body.get("alerts")
        if not isinstance(alerts, list):
            raise _Wrong(f"body.alerts: must be the list of an Alertmanager webhook message, not {_kind(alerts)}")
        found = tuple(_occurrence(alert, f"body.alerts[{place}]") for place, alert in enumerate(alerts))
    except _Wrong as wrong:
        raise BadLine(f"line {number}: {wrong}") from wrong
    return Recorded(number, at, clock, found)


def _json(line: bytes) -> Any:
    try:
        found = json.loads(line.decode("utf-8-sig"))
        if b"\\ud" in line or b"\\uD" in line:  # half of a surrogate pair is no text: it could not be written out
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeError as bad:
        raise _Wrong(f"is not text in UTF-8 ({bad.reason if isinstance(bad, UnicodeDecodeError) else bad})") from bad
    except (ValueError, RecursionError) as bad:
        raise _Wrong(f"is not JSON ({bad}); write one delivery a line") from bad
    return found


def _occurrence(alert: Any, where: str) -> Occurrence:
    sent = _object(alert, where, "an alert with labels, startsAt and fingerprint")
    fingerprint = _text(sent, where, "fingerprint")
    started = _text(sent, where, "startsAt")
    seconds = _seconds(started, f"{where}.startsAt")
    labels = _texts(sent.get("labels"), f"{where}.labels")
    annotations = _texts(sent.get("annotations") or {}, f"{where}.annotations")
    return Occurrence(f"{fingerprint}@{started}", fingerprint, seconds, labels, annotations)


def _object(value: Any, where: str, fix: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where}: must be an object, {fix}, not {_kind(value)}")
    return value


def _text(value: Mapping[str, Any], where: str, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise _Wrong(f"{where}{'.' if where else ''}{name}: must be text that is not empty, not {_kind(found)}")
    return found


def _texts(value: Any, where: str) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where}: must be an object of texts, not {_kind(value)}")
    for name, text in value.items():
        if not isinstance(text, str):
            raise _Wrong(f"{where}.{name}: must be text, not {_kind(text)}")
    return value


def _seconds(text: str, where: str) -> float:
    """Return a time in seconds, to the millisecond as the store keeps it."""
    fix = "write it like 2026-11-23T15:52:22.189Z"
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise _Wrong(f"{where}: {text[:_SHOWN]!r} has no time zone; {fix}")
        return ((found - _EPOCH) // _MILLISECOND) / 1000
    except _Wrong:
        raise
    except (ValueError, OverflowError):
        raise _Wrong(f"{where}: {text[:_SHOWN]!r} is not a time; {fix}") from None


def _kind(value: Any) -> str:
    """Return what a value is, in the words of JSON."""
    if value is None:
        return "missing or null"
    if value == "":
        return "empty"
    names: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")
