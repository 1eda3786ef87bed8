"""Words as search compares them: identifiers in parts, stems, and what a question asks without its noise.

`KubePodCrashLooping` and `kube_pod_crash_looping` give the stems of kube, pod, crash and loop, and the whole as one
more word, so that an identifier finds itself first and its parts find it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Final

import snowballstemmer

MAX_WORD: Final = 64
"""Longer ones are keys, hashes and pasted data: nobody searches for them."""

_WORD: Final = re.compile(r"[^\W_](?:[\w]|(?<=\w)['’](?=[a-z]))*")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ABROAD: Final = re.compile(r"[^\W\d_]+|\d+")
_SHORT_FORM: Final = re.compile(r"['’](?:s|re|ve|ll|d|m)$")
_NOISE: Final = re.compile(r"\d+|(?=\w*\d)[0-9a-f]{5,}|[0-9a-f]{12,}")
_LABEL: Final = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s,}]+),?")
_ADDRESS: Final = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")

_STOP: Final = """
a about after again ago all also always am an and any anybody anyone anything are arent as at back be because been
before being but by can cant check come could couldnt day did didnt do does doesnt doing dont every everyone few find
for from get getting give go goes going got had has hasnt have havent having he hello help her here hey hi his how i
if im in into is isnt it its ive just keep keeps kind know last let like look looks lot make many may maybe me mine
more most much must my need new no not nothing now of ok on one only onto or other our ours out over own per please
put said same say says see seem seems several she should shouldnt show so some somebody someone something still such
sure take tell than thank thanks that the their them then there these they thing things think this those though
through to today told too try trying two until up us use used using very want wants was wasnt we were werent what when
where whether which while who whole whose why will with within without wont work would wouldnt yes yesterday yet you
your
"""
STOP: Final = frozenset(_STOP.split())
_TELLING: Final = """
down full high late lost low missing no not off on out over slow to too under up without
"""
TELLING: Final = frozenset(_TELLING.split())
"""Small words that tell one title from another: `NodeNotReady`, `backup missing`, `too many connections`."""


def terms(text: str) -> Iterator[str]:
    """Yield the stems of a text in its order, with whole identifiers, without stop words."""
    for word, small in spelled(text):
        if small not in STOP:
            yield word


def title_terms(text: str) -> Iterator[str]:
    """Yield the stems of a title: small words that tell stay, identifiers are in parts only, as people say them."""
    for word, small in spelled(text, whole=False):
        if small not in STOP or small in TELLING:
            yield word


def spelled(text: str, whole: bool = True) -> Iterator[tuple[str, str]]:
    """Yield each word as its stem and as it is spelled, in small letters, identifiers in parts and as a `whole`."""
    for found in _WORD.findall(text):
        if len(found) > MAX_WORD:
            continue
        word = _SHORT_FORM.sub("", found).replace("'", "").replace("’", "")
        parts = [part.lower() for part in (_PART if word.isascii() else _ABROAD).findall(word)]
        if whole and len(parts) > 1:
            yield "".join(parts), "".join(parts)
        for part in parts:
            if len(part) > 1:
                yield stem(part), part


def without_noise(text: str, labels: bool = False) -> str:
    """Return a question without addresses and, unless `labels`, without `name=value`, which name one case of many."""
    text = _ADDRESS.sub(" ", text)
    return text if labels else _LABEL.sub(" ", text)


def is_noise(word: str) -> bool:
    """Return whether a word is a number, a hash or an id."""
    return _NOISE.fullmatch(word) is not None


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of a word in small letters (Porter 2, English); other languages stay nearly as they are."""
    with _ONE_AT_A_TIME:
        return str(_STEMMER.stemWord(word))


_STEMMER: Final = snowballstemmer.stemmer("english")
_ONE_AT_A_TIME: Final = Lock()  # the stemmer keeps the word it works on in itself
