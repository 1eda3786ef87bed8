"""From single judgements to findings: one opens when it lasts, and ends when it has been calm for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace

CALM_BELOW = 0.7
"""Normal again takes a smaller distance than abnormal did, so that a value on the edge does not flap."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a departure must last and must be over, in samples; `gone` is how long a series may be silent."""

    lasts: int
    calm: int
    gone: int


@dataclass(frozen=True, slots=True)
class Track:
    """Where one series stands. Slots are numbers of samples.

    `abnormal` is the first of the abnormal samples that may become a finding, `start` where the departure began;
    `opened` says that there is a finding. `calm` is the first normal sample since, `seen` the newest judged one.
    """

    abnormal: int | None = None
    start: int | None = None
    opened: bool = False
    calm: int | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A finding opened, at the slot where the departure began, or ended, at its first normal slot."""

    opened: bool
    slot: int


def step(track: Track, slot: int, departure: float | None, since: int, rule: Rule) -> tuple[Track, Change | None]:
    """Return where a series stands after one more sample, and what that means for its finding.

    From a `departure` of 1 on a sample is abnormal. None is one of which nothing can be said: it neither opens nor
    calms, but a finding whose series stays silent ends. `since` is the slot where the departure began, if it is one.
    """
    if departure is None:
        return _silent(track, slot, rule)
    track = replace(track, seen=slot)
    if track.opened:
        return _open(track, slot, departure, rule)
    if departure < 1:
        return Track(seen=slot), None
    first = slot if track.abnormal is None else track.abnormal
    begun = since if track.start is None else track.start
    if slot - first < rule.lasts:
        return replace(track, abnormal=first, start=begun), None
    return Track(start=begun, opened=True, seen=slot), Change(True, begun)


def _open(track: Track, slot: int, departure: float, rule: Rule) -> tuple[Track, Change | None]:
    if departure >= CALM_BELOW:
        return replace(track, calm=None), None
    calm = slot if track.calm is None else track.calm
    if slot - calm < rule.calm:
        return replace(track, calm=calm), None
    return Track(seen=slot), Change(False, calm)


def _silent(track: Track, slot: int, rule: Rule) -> tuple[Track, Change | None]:
    if not track.opened:
        return track, None
    last = slot if track.seen is None else track.seen
    if slot - last < rule.gone:
        return replace(track, seen=last), None
    return Track(), Change(False, last + 1)
