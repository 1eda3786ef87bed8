"""The tokens of BERT: words cut into pieces of a fixed vocabulary, the longest piece first.

Source of the algorithm: "BasicTokenizer" and "WordpieceTokenizer" of the published BERT models (uncased). Written here
because the libraries that have it come with a client for downloading models and a second HTTP stack; the tests compare
it to one of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

_LONGEST_WORD: Final = 100
_CJK: Final = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Turns text into the ids of its pieces. The vocabulary is one piece a line, `##` before what continues a word."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids: Mapping[str, int] = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = self._ids["[UNK]"]
        self._start, self._end = self._ids["[CLS]"], self._ids["[SEP]"]
        self._word = lru_cache(maxsize=50_000)(self._pieces)

    def ids(self, text: str, limit: int) -> list[int]:
        """Return the ids with those of start and end, at most `limit`."""
        found: list[int] = [self._start]
        for word in _words(text):
            found += self._word(word)
            if len(found) >= limit - 1:
                break
        return [*found[: limit - 1], self._end]

    def _pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            end = len(word)
            while end > start and (known := self._ids.get(("##" if start else "") + word[start:end])) is None:
                end -= 1
            if end == start:
                return (self._unknown,)
            found.append(known)  # type: ignore[arg-type]  # set by the loop above
            start = end
        return tuple(found)


def _words(text: str) -> Iterator[str]:
    plain = "".join(_spaced(char) for char in text)
    for word in plain.split():
        bare = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        yield from _apart(bare)


def _spaced(char: str) -> str:
    code = ord(char)
    if code in (0, 0xFFFD) or (unicodedata.category(char).startswith("C") and char not in "\t\n\r"):
        return ""
    if any(low <= code <= high for low, high in _CJK):
        return f" {char} "
    return " " if char in "\t\n\r" or unicodedata.category(char) == "Zs" else char


def _apart(word: str) -> Iterator[str]:
    """Yield a word with each of its punctuation marks by itself."""
    start = 0
    for number, char in enumerate(word):
        if _is_punctuation(char):
            if number > start:
                yield word[start:number]
            yield char
            start = number + 1
    if start < len(word):
        yield word[start:]


@lru_cache(maxsize=10_000)
def _is_punctuation(char: str) -> bool:
    code = ord(char)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(char).startswith("P")
