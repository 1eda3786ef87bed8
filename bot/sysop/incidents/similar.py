"""Past incidents like one: by the alerts they share, where they began and what they were called, newer ones more.

An alert that fires in every incident says little: it counts by inverse document frequency, as words do in text search.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from sysop.incidents.words import call, day, lasted, of_alert
from sysop.model import Incident, IncidentState
from sysop.store import past
from sysop.store.past import Helped, Past

Symptom = tuple[str, str]
"""An alert rule's name and a service, empty where it names none."""
FEW: Final = 5
LEAST: Final = 0.2
MOST_SYMPTOMS: Final = 50
_SHORTLIST: Final = 50
_AS_IF: Final = 20
"""So many incidents without the symptom are added in thought: out of two, two say nothing about a rule."""
_ELSEWHERE: Final = 0.4
"""How much an alert counts that has fired on another service then."""
_WEIGHTS: Final = {"alerts": 0.65, "origin": 0.2, "title": 0.15}
_OLD: Final = 0.6
"""What is left of the score of one that is very old."""
_HALF_MS: Final = 90 * 86_400_000
_DAY_MS: Final = 86_400_000
_WORD: Final = re.compile(r"[^\W_]{3,}")


@dataclass(frozen=True, slots=True)
class Similar:
    """A past incident with how alike it is, from 0 to 1, the reasons in words, and the calls that helped then."""

    incident: str
    title: str
    state: IncidentState
    opened_at: int
    mitigated_at: int | None
    score: float
    reasons: tuple[str, ...]
    helped: tuple[Helped, ...] = ()

    @property
    def words(self) -> str:
        """Return it in one sentence."""
        return f"{day(self.opened_at)}: {'; '.join((*self.reasons, self.ended))}"

    @property
    def ended(self) -> str:
        """Return how it ended, and what helped where a post-check has shown it."""
        told = [f"{call(one.action, one.target)} helped" for one in self.helped]
        if self.mitigated_at is not None:
            told.append(f"mitigated after {lasted(self.mitigated_at - self.opened_at)}")
        return ", ".join(told or [f"it is {self.state}, nothing is known to have helped"])


def similar(conn: Connection, incident: Incident, limit: int = FEW) -> tuple[Similar, ...]:
    """Return the past incidents most like one, the likest first; none that have little in common with it."""
    older = past.before(conn, incident.id, incident.opened_at)
    if not older:
        return ()
    mine = _symptoms(incident)
    since = older[-1].opened_at - _DAY_MS  # an alert may have started long before its incident was opened
    names = sorted({name for name, _ in mine})
    seen = past.sightings(conn, names, since) if names else []
    like = _Likeness(incident, mine, older, seen)
    shortlist = like.shortlist()
    sizes = past.widths(conn, [one.id for one in shortlist])
    scored = {one.id: like.score(one, sizes[one.id]) for one in shortlist}
    likest = sorted(shortlist, key=lambda one: (-scored[one.id], one.id))
    best = [one for one in likest if scored[one.id] >= LEAST][:limit]
    helped = past.helped(conn, [one.id for one in best])
    return tuple(_similar(one, scored[one.id], like.reasons(one), helped[one.id]) for one in best)


def _similar(one: Past, score: float, reasons: Sequence[str], helped: Sequence[Helped]) -> Similar:
    return Similar(
        incident=one.id,
        title=one.title,
        state=one.state,
        opened_at=one.opened_at,
        mitigated_at=one.mitigated_at,
        score=round(score, 3),
        reasons=tuple(reasons),
        helped=tuple(helped),
    )


def _symptoms(incident: Incident) -> tuple[Symptom, ...]:
    return tuple(dict.fromkeys((alert.name, alert.service or "") for alert in incident.alerts))[:MOST_SYMPTOMS]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


class _Likeness:
    """Compares one incident with those before it, all in memory."""

    def __init__(
        self,
        incident: Incident,
        mine: Sequence[Symptom],
        older: Sequence[Past],
        seen: Iterable[tuple[str, str, str]],
    ) -> None:
        self._incident = incident
        self._mine = mine
        self._older = older
        self._origin = str(incident.origins[0].get("service") or "") if incident.origins else ""
        known = {one.id for one in older}
        self._theirs: dict[str, set[Symptom]] = defaultdict(set)
        for id, name, service in seen:
            if id in known:
                self._theirs[id].add((name, service))
        self._in = Counter(symptom for symptoms in self._theirs.values() for symptom in symptoms)
        self._rules_in = Counter(name for symptoms in self._theirs.values() for name in {name for name, _ in symptoms})
        self._rare = {symptom: self._rarity(self._in[symptom]) for symptom in mine}
        self._rare_rule = {name: self._rarity(self._rules_in[name]) for name, _ in mine}
        title = _words(incident.title)
        self._titles = {one.id: _words(one.title) & title for one in older}
        words_in = Counter(word for shared in self._titles.values() for word in shared)
        self._rare_word = {word: self._rarity(words_in[word]) for word in title}

    def shortlist(self) -> list[Past]:
        """Return the few that may be alike, by what is known of all without reading their other alerts."""
        scored = [(self.score(one, 1), one) for one in self._older]
        likely = sorted((one for one in scored if one[0] > 0), key=lambda one: (-one[0], one[1].id))
        return [one for _, one in likely[:_SHORTLIST]]

    def score(self, one: Past, width: int) -> float:
        """Return how alike one of the others is, which had `width` different alerts."""
        parts = {"title": self._of_title(one)}
        if self._mine:
            parts["alerts"] = self._of_alerts(one, width)
        if self._origin:
            parts["origin"] = float(one.origin == self._origin)
        whole = sum(_WEIGHTS[part] for part in parts)
        likeness = sum(_WEIGHTS[part] * value for part, value in parts.items()) / whole
        age = max(0, self._incident.opened_at - one.opened_at)
        return likeness * (_OLD + (1 - _OLD) * math.exp2(-age / _HALF_MS))

    def reasons(self, one: Past) -> list[str]:
        """Return why one of the others is alike: the most telling alert, the origin, else the title."""
        shared = self._shared(one)
        found = []
        if shared:
            best = min(
                shared, key=lambda symptom: (-shared[symptom] * self._telling(symptom, shared[symptom]), symptom)
            )
            found.append(self._reason(best, shared[best], len(shared) - 1))
        if self._origin and one.origin == self._origin:
            found.append(f"same probable origin {self._origin}")
        return found or [f"a title with {', '.join(sorted(self._titles[one.id]))} in it too"]

    def _of_title(self, one: Past) -> float:
        whole = sum(self._rare_word.values())
        return sum(self._rare_word[word] for word in self._titles[one.id]) / whole if whole else 0.0

    def _of_alerts(self, one: Past, width: int) -> float:
        """Return how far the alerts of both are the same ones, times how sure those that are tell anything."""
        shared = self._shared(one)
        telling = [fit * self._telling(symptom, fit) for symptom, fit in shared.items()]
        if not any(telling):
            return 0.0
        ours = sum(telling) / sum(self._rare.values())
        theirs = min(1.0, sum(shared.values()) / max(width, len(self._theirs[one.id])))
        return 2 * ours * theirs / (ours + theirs) * (1 - math.prod(1 - part for part in telling))

    def _shared(self, one: Past) -> dict[Symptom, float]:
        """Return which of our alerts one of the others had, and how well each fits."""
        theirs = self._theirs.get(one.id)
        if not theirs:
            return {}
        rules = {name for name, _ in theirs}
        return {
            symptom: 1.0 if symptom in theirs else _ELSEWHERE
            for symptom in self._mine
            if symptom in theirs or symptom[0] in rules
        }

    def _telling(self, symptom: Symptom, fit: float) -> float:
        return self._rare[symptom] if fit == 1.0 else self._rare_rule[symptom[0]]

    def _reason(self, symptom: Symptom, fit: float, more: int) -> str:
        name, service = symptom
        had = self._in[symptom] if fit == 1.0 else self._rules_in[name]
        what = of_alert(name, service or None) if fit == 1.0 else name
        others = f" and {more} more alert{'s' if more > 1 else ''}" if more else ""
        where = "" if fit == 1.0 else f", on {'other services' if more else 'another service'} then"
        return f"same {what}{others}{where} (in {had} of {len(self._older)} past incidents)"

    def _rarity(self, seen: int) -> float:
        """Return the inverse document frequency of what was seen in some of all, as a part of the largest: 0 to 1."""
        every = len(self._older) + _AS_IF + 1
        return max(0.0, math.log(every / (max(seen, 1) + 0.5)) / math.log(every / 1.5))
