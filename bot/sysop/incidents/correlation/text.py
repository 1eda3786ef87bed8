"""How alike two rules read: words weighted by how few rules use them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sysop.incidents.correlation.state import Kind

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TEXTS = ("summary", "description", "message", "title")
MOST_WORDS, SHORTEST, MOST_RULES = 40, 3, 5000
GAIN = 1.0  # two rules of the same words are twice as likely to share a cause as the topology's silence has it


def words_of(name: str, annotations: Mapping[str, str], labels: Mapping[str, str]) -> frozenset[str]:
    """Return the words of a rule's name and texts, without those its template filled in from the labels."""
    filled = {word for value in labels.values() for word in _split(value)} if annotations else set()
    said = [word for text in _TEXTS if text in annotations for word in _split(annotations[text]) if word not in filled]
    return frozenset([*_split(name), *said][:MOST_WORDS])


def _split(text: str) -> list[str]:
    return [word for part in _WORD.findall(text[:1000]) if len(word := part.lower()) >= SHORTEST]


class Texts:
    """The rules met so far, in order of start. The first alert of a rule speaks for it."""

    def __init__(self) -> None:
        self._rules: dict[str, frozenset[str]] = {}
        self._used: dict[str, int] = {}
        self._factors: dict[tuple[str, str], float] = {}

    def meet(self, kind: Kind) -> bool:
        """Take note of a rule; return whether it is new, then `unmeet` takes it back."""
        if kind.name in self._rules or len(self._rules) >= MOST_RULES:
            return False
        self._rules[kind.name] = words = kind.rule.words
        for word in words:
            self._used[word] = self._used.get(word, 0) + 1
        self._factors.clear()
        return True

    def unmeet(self, kind: Kind) -> None:
        """Take back the rule met last."""
        for word in self._rules.pop(kind.name):
            self._used[word] -= 1
            if not self._used[word]:
                del self._used[word]
        self._factors.clear()

    def factor(self, one: Kind, other: Kind) -> float:
        """Return 1 for rules with no word in common, up to 2 for rules of the same words."""
        pair = (one.name, other.name)
        found = self._factors.get(pair)
        if found is None:
            found = self._factors[pair] = 1 + GAIN * self._alike(one.name, other.name)
        return found

    def _alike(self, one: str, other: str) -> float:
        first, second = self._rules.get(one, frozenset()), self._rules.get(other, frozenset())
        total = self._weight(first | second)
        return self._weight(first & second) / total if total else 0.0

    def _weight(self, words: frozenset[str]) -> float:
        rules = len(self._rules)
        return math.fsum(math.log(1 + rules / self._used[word]) for word in words if self._used.get(word))
