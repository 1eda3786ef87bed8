"""The front matter of pages that people write: what it says of title, alerts and owner, whatever else it holds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sysop import yamlsafe
from sysop.errors import RunbookError

STRICT: Final = frozenset({"title", "alerts", "services", "environments", "owner", "reviewed", "autonomy"})
"""The keys of a runbook."""
_TOML_BYTES: Final = 64 * 1024
_MANY: Final = 200


@dataclass(frozen=True, slots=True)
class Front:
    """What front matter says. The page goes on at the line `body`, from 0; `wrong` is what could not be read."""

    body: int = 0
    keys: frozenset[str] = frozenset()
    title: str = ""
    alerts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    owner: str = ""
    reviewed: date | None = None
    url: str = ""
    wrong: str = ""


def front(lines: list[str], path: str) -> Front:
    """Return the front matter of a page. What cannot be read is left in the text, and `wrong` says so."""
    mark = lines[0].rstrip() if lines else ""
    if mark not in ("---", "+++"):
        return Front()
    ends = ("---", "...") if mark == "---" else ("+++",)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ends), None)
    if end is None:
        # a page may begin with a rule; only what looks like `key: value` was meant as front matter
        meant = len(lines) > 1 and re.match(r"\w+\s*[:=]", lines[1])
        return Front(wrong=f"{path}:1: the front matter does not end; put a line `{mark}` after it" if meant else "")
    text = "\n".join(lines[1:end])
    try:
        values = _yaml(text, path) if mark == "---" else _toml(text, path)
    except RunbookError as bad:
        return Front(wrong=str(bad))
    return _front(values, end + 1, path)


def _yaml(text: str, path: str) -> Mapping[str, Any]:
    value = yamlsafe.load(text, name=path, error=RunbookError, first_line=2)
    if value is not None and not isinstance(value, dict):
        raise RunbookError(f"{path}:2: front matter holds `key: value` lines, not a list or text")
    return value or {}


def _toml(text: str, path: str) -> Mapping[str, Any]:
    if len(text) > _TOML_BYTES:
        raise RunbookError(f"{path}:2: {len(text)} characters of front matter are too much; {_TOML_BYTES} are allowed")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as bad:
        raise RunbookError(f"{path}:2: not valid TOML: {bad}; mend it") from None
    except RecursionError:
        raise RunbookError(f"{path}:2: front matter nested too deep; flatten it") from None


def _front(values: Mapping[str, Any], body: int, path: str) -> Front:
    reviewed, wrong = _day(values.get("reviewed"), path)
    url = _text(values.get("url"))
    return Front(
        body=body,
        keys=frozenset(values),
        title=_text(values.get("title")),
        alerts=_texts(values.get("alerts", values.get("alert"))),
        services=_texts(values.get("services", values.get("service"))),
        environments=_texts(values.get("environments", values.get("environment"))),
        owner=_text(values.get("owner")),
        reviewed=reviewed,
        url=url if url.startswith(("https://", "http://")) else "",
        wrong=wrong,
    )


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts, also of one that is written as text with commas."""
    many = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(dict.fromkeys(text for one in many[:_MANY] if (text := _text(one))))


def _day(value: Any, path: str) -> tuple[date | None, str]:
    if value is None or value == "":
        return None, ""
    if type(value) is date:
        return value, ""
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return date.fromisoformat(value), ""
    except ValueError:
        pass
    return None, f"{path}: reviewed: {str(value)[:40]!r} is not a date; write it as 2026-11-23"
