"""The index of words: which pages to look at for a question, among a hundred thousand parts.

Tantivy finds the candidates and keeps, beside each page, the stems its figures are made from; `features` ranks them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import tantivy

from sysop.errors import LibraryError
from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.kept import FILTERS, Kept
from sysop.knowledge.retrieval.view import Filters as Filters
from sysop.knowledge.retrieval.view import View

FORMAT: Final = 1
"""Of what lies in the folder: another number whenever something else is written for the same page."""
_WASTE: Final = 5  # one page in so many may be gone and not merged away
_HEAP: Final = 20_000_000  # bytes; the least Tantivy takes is 15 MB


class Lexical:
    """Pages by their words, in a folder or, without one, in memory.

    One process at a time may update a folder. Any thread may ask; updates wait for each other. Raises ValueError where
    what lies in the folder cannot be read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._meta = folder / "meta.json" if folder else None
        self._index = tantivy.Index(_schema(), path=str(folder) if folder else None)
        self._index.register_tokenizer("stems", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        self._turn = threading.Lock()
        self._seen: object = None
        self._refresh()

    @property
    def view(self) -> View:
        """Return what is there now, and stays so."""
        return self._view

    def _refresh(self) -> None:
        self._seen = self._stamp()  # taken first: what is written meanwhile is seen by the next reload
        self._index.reload()
        self._view = View(self._index)

    def _stamp(self) -> object:
        """Return what changes whenever a process writes."""
        if self._meta is None:
            return None
        try:
            told = self._meta.stat()
        except FileNotFoundError:  # another process makes it anew; what was read stays at hand
            return self._seen
        return told.st_mtime_ns, told.st_ino, told.st_size

    def __len__(self) -> int:
        """Return how many pages there are."""
        return len(self._view)

    def reload(self) -> None:
        """See what another process has written since. Where it wrote nothing, what was read is kept."""
        with self._turn:
            if self._stamp() != self._seen:
                self._refresh()

    def update(self, added: Iterable[Document], removed: Iterable[str]) -> None:
        """Write pages, each in place of the one of its id, and remove others; durable when it returns.

        Raises LibraryError where it cannot be written.
        """
        with self._turn:
            with self._writing() as writer:
                for id in removed:
                    writer.delete_documents_by_term("id", id)
                for document in added:
                    writer.delete_documents_by_term("id", document.id)
                    for row in Kept.of(document).rows(document.id):
                        writer.add_document(row)
            if (self._view.written - len(self._view)) * _WASTE > self._view.written:
                self._rewrite()

    def _rewrite(self) -> None:
        """Write every page once more: Tantivy counts pages that are gone among the others until it merges them."""
        with self._writing() as writer:
            writer.delete_all_documents()
            for id, kept in self._view.everything():
                for row in kept.rows(id):
                    writer.add_document(row)

    def clear(self) -> None:
        """Remove everything. Raises LibraryError where it cannot be written."""
        with self._turn, self._writing() as writer:
            writer.delete_all_documents()

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """Commit what the block writes, or nothing of it."""
        try:
            writer = self._index.writer(heap_size=_HEAP, num_threads=1)
            try:
                yield writer
                writer.commit()
            finally:
                writer.wait_merging_threads()  # what was not committed is dropped with the writer
        except ValueError as bad:  # whatever the file system says comes as one
            raise LibraryError(f"the index of words cannot be written ({bad}); free disk space") from bad
        self._refresh()


def _schema() -> Any:
    build = tantivy.SchemaBuilder()
    build.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    build.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    for field in ("exact", "titled", *FILTERS):
        build.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("name", "page", "part"):
        build.add_text_field(field, tokenizer_name="stems", index_option="freq")
    build.add_bytes_field("kept", stored=True, indexed=False)
    return build.build()
