"""Kinds of fields that bodies of several vendors hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999


class Sent(BaseModel):
    """A part of a body as it was sent. Keys we do not need may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _only_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time as text, such as 2026-11-23T15:52:22.189Z")
    return value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Time = Annotated[AwareDatetime, BeforeValidator(_only_text)]
"""A time as text in the form of ISO 8601, with its offset."""

Text = Annotated[str, Field(min_length=1)]
"""Text that is not empty."""

Id = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=200)]
"""What a source calls a thing, as text or as a whole number; short enough to be a fingerprint."""


Milliseconds = Annotated[int, Field(ge=0, le=_LATEST_MS)]
"""A time in milliseconds since the epoch, until the year 9999; a whole number, or its digits as text."""


def milliseconds(time: datetime) -> int:
    """Return a time in milliseconds since the epoch.

    An offset may carry the first or last day there is beyond the years 1 to 9999 in UTC, where nothing could show it:
    then it is the nearest time within.
    """
    return max(_EARLIEST_MS, min((time - _EPOCH) // timedelta(milliseconds=1), _LATEST_MS))


def link(url: str | None) -> str:
    """Keep web links only: the sender chose this text, and people will click it."""
    return url if url and url.startswith(("http://", "https://")) else ""


def with_text(*parts: Mapping[str, str | None] | Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return labels or annotations, without those that are empty. Of equal names the later part counts."""
    return {name: text for part in parts for name, text in dict(part).items() if name and text}


class SentAlert(Sent):
    """One alert of a group as Alertmanager writes it, and as Grafana does after it."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    startsAt: Time
    endsAt: Time
    generatorURL: str = ""
    fingerprint: Id

    @property
    def ended_at(self) -> datetime | None:
        """Return when it ended; Go's zero time stands for "not yet"."""
        return self.endsAt if self.status == "resolved" and self.endsAt.year > 1 else None
