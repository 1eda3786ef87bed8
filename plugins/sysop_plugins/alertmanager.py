"""Alertmanager: understand its webhooks (payload version 4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sysop.api import Alert, AlertSource, hookimpl

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_PROBLEMS = 3


def _only_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time as text, such as 2026-11-23T15:52:22.189Z")
    return value


_Time = Annotated[AwareDatetime, BeforeValidator(_only_text)]


class _Sent(BaseModel):
    """One alert as it is sent. Keys we do not need may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: _Time
    endsAt: _Time
    generatorURL: str = ""
    fingerprint: str = Field(min_length=1, max_length=200)


class _Webhook(BaseModel):
    """One delivery: every alert of a group, firing or resolved."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal["4"]
    alerts: list[_Sent]


def parse(payload: Any) -> Iterable[Alert]:
    """Return the alerts of one delivery. Raises ValueError naming each wrong field and what is wrong with it."""
    try:
        return [_alert(sent) for sent in _Webhook.model_validate(payload).alerts]
    except ValidationError as wrong:
        raise ValueError(f"not an Alertmanager webhook: {_problems(wrong)}") from wrong


def _alert(sent: _Sent) -> Alert:
    ended = sent.status == "resolved" and sent.endsAt.year > 1  # Go's zero time stands for "not yet"
    return Alert(
        source="alertmanager",
        fingerprint=sent.fingerprint,
        starts_at=_milliseconds(sent.startsAt),
        ends_at=_milliseconds(sent.endsAt) if ended else None,
        labels=sent.labels,
        annotations=sent.annotations,
        url=_link(sent.generatorURL),
    )


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _link(url: str) -> str:
    """Keep web links only: the sender chose this text, and people will click it."""
    return url if url.startswith(("http://", "https://")) else ""


def _problems(wrong: ValidationError) -> str:
    found = wrong.errors(include_url=False, include_context=False, include_input=False)
    shown = "; ".join(f"{_path(e['loc'])}: {e['msg']}" for e in found[:_SHOWN_PROBLEMS])
    left = len(found) - _SHOWN_PROBLEMS
    return f"{shown}; and {left} more" if left > 0 else shown


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


@hookimpl
def register_alert_sources() -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/alertmanager`."""
    return [AlertSource("alertmanager", parse)]
