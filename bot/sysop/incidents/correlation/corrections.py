"""What people's merges and splits have taught: symptoms that belong together, and that do not."""

from __future__ import annotations

from collections.abc import Sequence

from sysop.incidents.correlation.model import Correction
from sysop.incidents.correlation.state import Member

STEP, MOST = 8.0, 64.0  # one correction counts as much as a strong relation; two are as far as it goes

Symptom = tuple[str, str]


def symptom_of(member: Member) -> Symptom:
    """Return the alert's name and the name of the service or machine it is about, empty for neither."""
    return member.kind.name, member.place.entity.name


class Corrections:
    """Multiplies the odds of pairs a person has judged before they started."""

    def __init__(self, corrections: Sequence[Correction]) -> None:
        self._said: dict[frozenset[Symptom], list[Correction]] = {}
        for correction in sorted(corrections, key=lambda c: c.at):
            self._said.setdefault(frozenset((correction.one, correction.other)), []).append(correction)

    def __bool__(self) -> bool:
        return bool(self._said)

    def factor(self, earlier: Member, later: Member) -> float:
        """Return what the odds of two occurrences are multiplied by; 1 where nobody has judged such a pair."""
        said = self._said.get(frozenset((symptom_of(earlier), symptom_of(later))))
        if not said:
            return 1.0
        factor = 1.0
        for correction in said:
            if correction.at <= earlier.t:
                factor = min(MOST, max(1 / MOST, factor * (STEP if correction.together else 1 / STEP)))
        return factor
