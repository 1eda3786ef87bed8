"""Judges a drill by what was found; holds nothing but facts, so that planted ones can be judged as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sysop.demo.drilling.record import Change
from sysop.demo.drilling.schema import Answer


class Verdict(StrEnum):
    """How a drill ended."""

    RESOLVED = "resolved"
    ESCALATED = "escalated_rightly"
    WRONG = "wrong"


@dataclass(frozen=True)
class Ended:
    """How one run of Sysop ended: `over` with a conclusion, and whether a person is asked to go on."""

    run: str
    over: bool
    resolved: bool
    handed_over: bool
    summary: str = ""


@dataclass(frozen=True)
class Facts:
    """What was found at the end. `wrong` is what the oracle found, nothing where it held for long enough."""

    answer: Answer
    wrong: Sequence[str]
    incidents: int
    unresolved: int
    runs: Sequence[Ended]
    needless: Sequence[Change] = ()
    unapproved: Sequence[Change] = ()


@dataclass(frozen=True)
class Judged:
    """A verdict and the reason for it."""

    verdict: Verdict
    why: str

    @property
    def right(self) -> bool:
        """Say whether this is as it should be."""
        return self.verdict is not Verdict.WRONG


def judge(facts: Facts) -> Judged:
    """Return the verdict. A change that was not right makes a drill wrong, however well it ended."""
    if facts.unapproved:
        return _wrong(f"changed without an approval: {_told(facts.unapproved)}")
    if facts.needless:
        return _wrong(f"needless: {_told(facts.needless)}")
    if not facts.incidents:
        return _wrong("no alert reached Sysop")
    if not all(run.over for run in facts.runs):
        return _wrong("Sysop was still at work when the time was over")
    return _escalated(facts) if facts.answer == "escalate" else _resolved(facts)


def _escalated(facts: Facts) -> Judged:
    if any(run.handed_over for run in facts.runs):
        return Judged(Verdict.ESCALATED, "handed over to a person, who alone could mend it")
    return _wrong("nobody was called, and only a person could mend it")


def _resolved(facts: Facts) -> Judged:
    if over := next((run for run in facts.runs if run.handed_over), None):
        return _wrong(f"handed over to a person: {over.summary}" if over.summary else "handed over to a person")
    if facts.answer == "fix" and not any(run.resolved for run in facts.runs):
        return _wrong("no run came to the end that it is resolved")
    if facts.wrong:
        return _wrong(f"the company is not well: {facts.wrong[0]}")
    if facts.unresolved:
        return _wrong(f"incidents not resolved: {facts.unresolved}")
    ended = "mended, and well by the company's own count" if facts.answer == "fix" else "nothing was changed, rightly"
    return Judged(Verdict.RESOLVED, ended)


def _wrong(why: str) -> Judged:
    return Judged(Verdict.WRONG, why)


def _told(changes: Sequence[Change]) -> str:
    return ", ".join(change.told() for change in changes)
