"""What a question asks for: its words, each with what else people and pages call the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from sysop.knowledge.retrieval.thesaurus import THESAURUS
from sysop.knowledge.retrieval.words import STOP, TELLING, is_noise, spelled, stem, without_noise

Route = Literal["alert", "chat"]
"""`alert` is the text an alert came with, `chat` a question in somebody's own words."""

MAX_CONCEPTS: Final = 48
"""Of a longer text the first words count: an alert begins with what is wrong."""
MAX_TEXT: Final = 8_000
"""In characters, of a question or an alert: what follows is neither read nor looked at for names."""
_LONGEST: Final = 3


@dataclass(frozen=True, slots=True)
class Concept:
    """One word or phrase of a question. `called` are the stems that mean it, each with how surely (0 to 1).

    A name of several words is a tuple of stems. `small` words count in titles only.
    """

    called: tuple[tuple[tuple[str, ...], float], ...]
    weight: float = 1.0
    small: bool = False


def shortened(text: str) -> str:
    """Return at most the first `MAX_TEXT` characters, cut between two words where there is a space to cut at."""
    if len(text) <= MAX_TEXT:
        return text
    begun = text[:MAX_TEXT]
    return begun if text[MAX_TEXT].isspace() else begun.rpartition(" ")[0] or begun


def concepts(text: str, route: Route) -> tuple[Concept, ...]:
    """Return what a text asks for, each thing once, in its order."""
    words = list(spelled(without_noise(text, labels=route == "chat")))
    times: dict[tuple[str, ...], int] = {}
    small: dict[tuple[str, ...], bool] = {}
    for word, spelling in words:
        if _says_nothing(word, spelling):
            continue
        times[word,] = times.get((word,), 0) + 1
        small[word,] = spelling in STOP
    found = [_concept(name, count, small[name]) for name, count in times.items()]
    return tuple([*_phrases([word for word, _ in words]), *found][:MAX_CONCEPTS])


def _says_nothing(word: str, spelling: str) -> bool:
    if is_noise(spelling):
        return (word,) not in _others()  # 137 is how the kernel says out of memory
    return spelling in STOP and spelling not in TELLING


def _concept(name: tuple[str, ...], count: int, small: bool) -> Concept:
    others = () if small else _others().get(name, ())
    return Concept(((name, 1.0), *others), 1.0 + 0.3 * min(count - 1, 3), small)


def _phrases(words: Sequence[str]) -> Iterator[Concept]:
    """Yield what phrases of the question mean elsewhere; their words count by themselves as well."""
    seen = set()
    for size in range(_LONGEST, 1, -1):
        for start in range(len(words) - size + 1):
            phrase = tuple(words[start : start + size])
            if phrase in _others() and phrase not in seen:
                seen.add(phrase)
                yield Concept(((phrase, 1.0), *_others()[phrase]))


@cache
def _others() -> Mapping[tuple[str, ...], tuple[tuple[tuple[str, ...], float], ...]]:
    """Return by stems what else each word or phrase of the thesaurus is called."""
    found: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}
    for group in THESAURUS:
        words = [_stems(word) for word in group.words]
        to = words if group.both else [_stems(word) for word in group.to]
        for word in words:
            for other in to:
                if other != word and other:
                    known = found.setdefault(word, {})
                    known[other] = max(known.get(other, 0.0), group.weight)
    return {word: tuple(sorted(others.items(), key=lambda o: (-o[1], o[0]))) for word, others in found.items()}


def _stems(phrase: str) -> tuple[str, ...]:
    return tuple(stem(small) for word, small in spelled(phrase))
