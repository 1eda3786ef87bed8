"""Freezes: times in which changes are forbidden but for a few, and what those few need then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from sysop.gate.question import Question
from sysop.gate.windows import in_window
from sysop.model import Decision, Risk, Verdict
from sysop.policy_sections import Freeze, Window

_AHEAD = 9
"""Days looked ahead for the next edge of a recurring window: they repeat every week."""


def answer(freeze: Freeze, question: Question, decision: Decision) -> Decision | None:
    """Return what a freeze says of a call, None where it does not hold. `decision` is what the rules say."""
    if question.risk is Risk.READ or not about(freeze, question) or not holds(freeze, question.now):
        return None
    why = words(freeze, question.now)
    count = _needed(freeze, question)
    if count is None:
        return Decision(Verdict.FORBID, _rule(freeze), f"{why}{_who_may(freeze)}")
    people = "one person" if count == 1 else f"{count} different people"
    asks = f"{why} and asks {people} with role {' or '.join(decision.roles) or 'approver'}"
    return replace(
        decision, verdict=Verdict.APPROVE, rule=_rule(freeze), reason=asks, roles=(), count=count, notes=(why,)
    )


def about(freeze: Freeze, question: Question) -> bool:
    """Tell whether a call is one of those that a freeze is for, whatever the time."""
    targets = [f"service:{name}" for name in freeze.service]
    return (
        (not targets or _any(targets, question.target))
        and (not freeze.environment or question.environment in freeze.environment)
        and (not freeze.action or _any(freeze.action, question.action))
    )


def _needed(freeze: Freeze, question: Question) -> int | None:
    """Return how many people must approve the call, None where it is forbidden."""
    if _any(freeze.approve, question.action):
        return 1
    return freeze.count if question.roles & set(freeze.exempt) else None


def holds(freeze: Freeze, now: int) -> bool:
    """Tell whether a freeze is in force."""
    begin, over = (None if moment is None else _ms(moment) for moment in freeze.moments())
    if (begin is not None and now < begin) or (over is not None and now >= over):
        return False
    return freeze.window is None or in_window(freeze.window, now)


def ends(freeze: Freeze, now: int) -> int | None:
    """Return when a freeze that holds is over, None where nothing ends it."""
    return next((edge for edge in _edges(freeze, now) if not holds(freeze, edge)), None)


def begins(freeze: Freeze, now: int) -> int | None:
    """Return when a freeze that does not hold begins next, None where it never does again."""
    return next((edge for edge in _edges(freeze, now) if holds(freeze, edge)), None)


def words(freeze: Freeze, now: int) -> str:
    """Say which freeze holds, why and how long. The same words as long as it lasts: people approve them."""
    over = ends(freeze, now)
    why = f" ({freeze.reason})" if freeze.reason else ""
    return f"freeze {freeze.name!r}{why} holds {f'until {told(freeze, over)}' if over is not None else 'for good'}"


def told(freeze: Freeze, at: int) -> str:
    """Return a time as the people who wrote the freeze know it."""
    zone = freeze.window.timezone if freeze.window is not None else freeze.timezone
    return f"{datetime.fromtimestamp(at / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _rule(freeze: Freeze) -> str:
    return f"freeze: {freeze.name}"


def _who_may(freeze: Freeze) -> str:
    if not freeze.exempt:
        return ""
    return f"; people with role {' or '.join(freeze.exempt)} may ask, and {freeze.count} people must approve"


def _edges(freeze: Freeze, now: int) -> list[int]:
    """Return the times after now at which a freeze may begin or end, in order."""
    moments = [_ms(moment) for moment in freeze.moments() if moment is not None]
    found = set(moments)
    if freeze.window is not None:
        for base in (now, *moments):
            found |= set(_window_edges(freeze.window, base))
    return sorted(edge for edge in found if edge > now)


def _window_edges(window: Window, base: int) -> Iterator[int]:
    zone = ZoneInfo(window.timezone)
    first = datetime.fromtimestamp(base / 1000, zone).date() - timedelta(days=1)
    days = [first + timedelta(days=days) for days in range(_AHEAD + 1)]
    for day in days:
        for clock in {window.start, window.end, time()}:
            for fold in (0, 1):  # an hour that comes twice has two such edges
                yield _ms(datetime.combine(day, clock, zone).replace(fold=fold))
    begin, end = (_ms(datetime.combine(day, time(), zone)) for day in (days[0], days[-1]))
    if _offset(begin, zone) != _offset(end, zone):
        yield _leap(begin, end, zone)


def _leap(begin: int, end: int, zone: ZoneInfo) -> int:
    """Return when the clocks are changed between two times: an edge may lie in an hour that does not come."""
    while end - begin > 1:
        middle = (begin + end) // 2
        begin, end = (middle, end) if _offset(middle, zone) == _offset(begin, zone) else (begin, middle)
    return end


def _offset(at: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at / 1000, zone).utcoffset()


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
