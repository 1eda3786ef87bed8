"""The sections of the settings that say who may do what, when, and how often."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import time as clock_time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from sysop.model import Origin, Risk, Verdict
from sysop.sections import Section, TimeZone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(Section):
    """A recurring time window; `from` > `to` runs over midnight."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: tuple[Day, ...] = Field(DAYS, description="days on which the window begins")
    start: clock_time = Field(clock_time(0, 0), alias="from", description="first minute, HH:MM")
    end: clock_time = Field(clock_time(0, 0), alias="to", description="first minute after it, HH:MM; 00:00 is midnight")
    timezone: TimeZone = Field("UTC", description="an IANA time zone")


class Match(Section):
    """When a rule applies: every key given must match, a key left out matches all."""

    risk: tuple[Risk, ...] = Field((), description="read, change, destructive")
    action: tuple[str, ...] = Field((), description="action names; * stands for anything")
    environment: tuple[str, ...] = Field((), description="environments")
    target: tuple[str, ...] = Field((), description="targets such as service:checkout; * stands for anything")
    role: tuple[str, ...] = Field((), description="roles the requester holds")
    origin: tuple[Origin, ...] = Field((), description="asked, alert, schedule")
    window: Window | None = Field(None, description="a time window")


class Rule(Section):
    """One policy rule."""

    name: str = Field(description="how `sysop policy explain` and the audit log call the rule", min_length=1)
    match: Match = Field(default_factory=lambda: Match(), description="when it applies")
    then: Verdict = Field(description="allow, approve or forbid")
    roles: tuple[str, ...] = Field(("approver",), description="for approve: who may, any of these roles")
    count: int = Field(1, ge=1, le=10, description="for approve: how many different people")
    approve_within_minutes: int = Field(30, ge=1, le=1440, description="for approve: time to answer")
    execute_within_minutes: int = Field(10, ge=1, le=240, description="for approve: time to begin after the answer")


def _moment(given: Any) -> Any:
    if isinstance(given, str) and not re.match(r"\d{4}-\d\d-\d\d", given):
        raise ValueError("write a day and a time, such as 2026-12-20 18:00")
    return given


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Freeze(Section):
    """A time in which changes are forbidden, but for those named here. Reads go on."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(description="how refusals, cards and the audit log call it", min_length=1, max_length=100)
    reason: str = Field("", description="why, for whoever is refused", max_length=300)
    start: Moment | None = Field(None, alias="from", description="when it begins, such as 2026-12-20 18:00")
    end: Moment | None = Field(None, alias="to", description="when it is over, such as 2027-01-04 08:00")
    timezone: TimeZone = Field("UTC", description="the IANA time zone of `from` and `to`")
    window: Window | None = Field(None, description="a recurring time; between `from` and `to` where they are given")
    service: tuple[str, ...] = Field((), description="services it holds for; * stands for anything; empty is all")
    environment: tuple[str, ...] = Field((), description="environments it holds for; empty is all")
    action: tuple[str, ...] = Field((), description="actions it holds for; * stands for anything; empty is all")
    approve: tuple[str, ...] = Field(
        ("*.rollback", "*.rollout_undo", "*.uncordon", "*.cancel", "*silence"),
        description="actions that need an approval instead of being forbidden: to take a bad change back",
    )
    exempt: tuple[str, ...] = Field((), description="roles whose holders may ask for any change")
    count: int = Field(2, ge=1, le=10, description="how many different people must approve what these roles ask for")

    @model_validator(mode="after")
    def _has_a_time(self) -> Freeze:
        begin, over = self.moments()
        if self.window is None and (begin is None or over is None):
            raise ValueError("say when: `from` and `to`, or `window`")
        if begin is not None and over is not None and begin >= over:
            raise ValueError(f"to: {self.end} is not after {self.start}")
        return self

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """Return `from` and `to` with their time zone; None where they are not given."""
        return self._aware(self.start), self._aware(self.end)

    def _aware(self, moment: datetime | None) -> datetime | None:
        if moment is None or moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=ZoneInfo(self.timezone))


class PolicySettings(Section):
    """Who may do what. Forbid wins, else the first rule that matches, else it is denied."""

    defaults: bool = Field(True, description="end with: read allow, change one approver, destructive two approvers")
    rules: tuple[Rule, ...] = Field((), description="rules in order")
    freezes: tuple[Freeze, ...] = Field((), description="times in which changes are forbidden")


class BudgetSettings(Section):
    """How many effects may start in an hour, for each environment, and when failures call for a person."""

    change: int = Field(10, ge=0, description="changes an hour")
    destructive: int = Field(3, ge=0, description="destructive actions an hour")
    failures: int = Field(
        3, ge=1, le=100, description="so many changes of one target that failed or did not help: people decide on more"
    )
    failures_within_minutes: int = Field(60, ge=1, le=1440, description="so far back failures count")
