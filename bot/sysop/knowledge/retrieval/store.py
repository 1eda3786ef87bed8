"""The index as it lies in a folder: opened, and made anew where it is damaged or of another time."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from sysop.knowledge.library.lock import locked
from sysop.knowledge.retrieval import lexical, vectors
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.mark import Mark
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.semantic import Embedder
from sysop.knowledge.retrieval.vectors import VectorStore
from sysop.paths import private_folder

WORDS: Final = "words"
_FORMAT: Final = "format"
_PATIENCE_S: Final = 10.0

log = logging.getLogger(__name__)


def open_search(folder: Path | None, embedder: Embedder | None = None) -> tuple[Search, bool]:
    """Open the index in a folder, or one in memory, and tell whether pages are missing in it.

    They are where it is new, was damaged, is of another format or embedder, or a process died while telling it. Tell it
    everything then (`Library.feed`), and that this is done (`Search.settle`). Only the process that holds the library's
    lock may do so; others see it after `Search.reload`. Raises LibraryError where the folder cannot be written.
    """
    if folder is None:
        return Search(Lexical(), VectorStore(embedder) if embedder else None), True
    private_folder(folder)
    told = (Mark(folder / "told-words", str(lexical.FORMAT)), Mark(folder / "told-meaning", _meaning(embedder)))
    mine = told if embedder else told[:1]
    with locked(folder / "opening.lock", _PATIENCE_S):  # two that begin at once must not both make it anew
        words = _words(folder / WORDS, Mark(folder / _FORMAT, str(lexical.FORMAT)))
        near = _vectors(embedder, folder, sound=told[1].stands) if embedder else None
    whole = all(mark.stands for mark in mine) and len(words) > 0 and (near is None or len(near) > 0)
    return Search(words, near, mine, outdated=told[len(mine) :]), not whole


def _meaning(embedder: Embedder | None) -> str:
    return f"{vectors.FORMAT} {embedder.name}" if embedder else ""


def _words(folder: Path, format: Mark) -> Lexical:
    if not format.stands:
        _remove(folder)
    try:
        found = Lexical(folder)
    except (ValueError, OSError) as bad:  # Tantivy says so of a broken file, a missing one, one of another version
        log.warning("the index of words is damaged and made anew: %s", bad)
        _remove(folder)
        found = Lexical(folder)
    if not format.stands:
        format.write()
    return found


def _vectors(embedder: Embedder, folder: Path, sound: bool) -> VectorStore:
    try:
        return _sound(VectorStore(embedder, folder), sound)
    except sqlite3.DatabaseError as bad:
        if isinstance(bad, sqlite3.OperationalError) and "locked" in str(bad):
            raise
        log.warning("the index of meaning is damaged and made anew: %s", bad)
        for file in folder.glob(f"{vectors.FILE}*"):
            file.unlink(missing_ok=True)
        return VectorStore(embedder, folder)


def _sound(store: VectorStore, known: bool) -> VectorStore:
    """Return a store after a look at all of it, or at its tables only where it is `known` to be sound."""
    try:
        if not known or not len(store):
            store.check()
    except sqlite3.DatabaseError:
        store.close()
        raise
    return store


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
