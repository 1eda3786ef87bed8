"""The words of correlation as frozen data. Times are seconds; probabilities lie between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One firing of one alert. `key` tells it from every other; a resend or a resolved notice has the same key."""

    key: str
    fingerprint: str
    starts_at: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)


Symptom = tuple[str, str]
"""An alert's name and the name of its service or machine, empty for neither."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A person merged or split two symptoms, each an alert's name and its service, at a moment in seconds."""

    at: float
    one: Symptom
    other: Symptom
    together: bool


@dataclass(frozen=True, slots=True)
class Learnt:
    """From a moment in seconds on it was known that two symptoms fired together in so many of their episodes."""

    at: float
    one: Symptom
    other: Symptom
    together: int
    episodes: int


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of an explanation. `weight` is a probability; `other` the key of the alert it speaks of."""

    kind: str
    words: str
    weight: float
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why an occurrence is where it is: one sentence, and its parts with their weights."""

    sentence: str
    parts: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A service was changed: from when to when, in seconds, and what was done in words, without the time."""

    service: str
    began_at: float
    at: float
    words: str
    environment: str = ""
    by: str = ""


class Witness(Protocol):
    """Whoever can still say why an occurrence is where it is."""

    def grounds(self, key: str) -> Grounds:
        """Return the sentence and the parts."""
        ...


@dataclass(frozen=True)
class Placement:
    """Where an occurrence is shown: a group, or None while it is held back.

    `reason` and `why` are put in words when first read, from the evidence of that moment: read them before the next
    flush.
    """

    key: str
    group: str | None
    witness: Witness = field(repr=False, compare=False)

    @property
    def reason(self) -> str:
        """Return one sentence for a tired engineer."""
        return self._grounds.sentence

    @property
    def why(self) -> tuple[Reason, ...]:
        """Return the parts of the reason, strongest first."""
        return self._grounds.parts

    @cached_property
    def _grounds(self) -> Grounds:
        try:
            return self.witness.grounds(self.key)
        except KeyError:  # placed and forgotten at once: so many newer ones came with it
            words = "it came with more alerts than are remembered, and is forgotten already"
            return Grounds(words, (Reason("old", words, 0.0),))


@dataclass(frozen=True, slots=True)
class Origin:
    """A probable origin of an incident: the member to look at first, its share of the belief, and the reasons."""

    key: str
    service: str
    weight: float
    reasons: tuple[Reason, ...]

    @property
    def words(self) -> str:
        """Return the reasons as one line."""
        return "; ".join(reason.words for reason in self.reasons)
