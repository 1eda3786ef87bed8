"""How well pages are found, beside plain FTS5 and bm25s on the same questions, and how long it takes among many.

python benchmarks/runbooks.py [CORPUS=QUESTIONS …] [--parts 1000,10000,100000]

Without a corpus: the shipped pages with the questions of benchmarks/data. Needs the extra `semantic` and bm25s.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from sysop.knowledge import evaluate
from sysop.knowledge.document import Document
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.page import Section
from sysop.knowledge.retrieval.asked import Route
from sysop.knowledge.retrieval.chunks import in_words
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.semantic import MiniLm
from sysop.knowledge.retrieval.vectors import VectorStore
from sysop.knowledge.retrieval.words import STOP, stem

HERE = Path(__file__).resolve().parent
OWN = f"{HERE.parent / 'runbooks'}={HERE / 'data/runbooks.jsonl'}"
BATCH = 1_000
PER_PAGE = 10


def pages_of(folder: Path) -> list[Document]:
    """Return the pages of a folder."""
    library = Library([FolderSource(folder)], None, Lexical())
    library.refresh()
    found = list(library.documents())
    library.close()
    return found


def plain(text: str) -> str:
    """Return a text with identifiers whole and in parts, as the plain engines are given it."""
    return f"{text} {in_words(text)}"


def whole(page: Document) -> str:
    """Return a page as one text."""
    return plain("\n".join([page.id, page.title, *(f"{s.title}\n{s.text}" for s in page.sections)]))


def fts5(pages: Sequence[Document]) -> evaluate.Ask:
    """Return SQLite's own search: whole pages, Porter stems, all words of the question, BM25."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE page USING fts5(id UNINDEXED, text, tokenize='porter')")
    db.executemany("INSERT INTO page VALUES (?, ?)", [(page.id, whole(page)) for page in pages])

    def ask(text: str, route: Route) -> tuple[list[str], bool]:
        words = list(dict.fromkeys(re.findall(r"[a-z0-9]+", plain(text).lower())))[:64]
        match = " OR ".join(f'"{word}"' for word in words)
        rows = db.execute("SELECT id FROM page WHERE page MATCH ? ORDER BY bm25(page) LIMIT 10", (match,))
        return [id for (id,) in rows] if match else [], True

    return ask


def best_match(pages: Sequence[Document]) -> evaluate.Ask:
    """Return bm25s: whole pages, stemmed, without stop words."""

    def tokens(text: str) -> list[str]:
        return [stem(word) for word in re.findall(r"[a-z0-9]+", plain(text).lower()) if word not in STOP]

    engine = bm25s.BM25()
    engine.index([tokens(whole(page)) for page in pages], show_progress=False)
    ids = [page.id for page in pages]

    def ask(text: str, route: Route) -> tuple[list[str], bool]:
        found, _ = engine.retrieve([tokens(text)], corpus=ids, k=min(10, len(ids)), show_progress=False)
        return list(found[0]), True

    return ask


def ours(pages: Sequence[Document], vectors: VectorStore | None) -> evaluate.Ask:
    """Return our search."""
    search = Search(Lexical(), vectors)
    search.update(pages, ())
    return asking(search)


def asking(search: Search) -> evaluate.Ask:
    """Return a search as the evaluation asks it."""

    def ask(text: str, route: Route) -> tuple[list[str], bool]:
        found = search.find(text, route)
        return [hit.id for hit in found.hits], found.fits

    return ask


def quality(folder: Path, file: Path) -> None:
    """Print a table for one corpus. Whether a page fits is left out here: the plain engines never decline."""
    pages = pages_of(folder)
    known = {page.id for page in pages}
    questions = [q for q in evaluate.read(file) if q.gold <= known]
    print(f"\n{folder.name}: {len(pages)} pages, {len(questions)} questions\n")
    print("| system | easy @1 / @3 | hard @1 / @3 | chat @1 / @3 | MRR@10 | declines alert / chat | wrongly | ms |")
    print("|---|---|---|---|---|---|---|---|")
    systems: dict[str, Callable[[], evaluate.Ask]] = {
        "FTS5": lambda: fts5(pages),
        "bm25s": lambda: best_match(pages),
        "Sysop, lexical": lambda: ours(pages, None),
        "Sysop, hybrid": lambda: ours(pages, VectorStore(MiniLm.load())),
    }
    for name, make in systems.items():
        ask = make()
        ask("warming up", "chat")
        answers = list(evaluate.ask_all(questions, ask))
        print(row(name, answers, declines=name.startswith("Sysop")), flush=True)


def row(name: str, answers: Sequence[evaluate.Answer], declines: bool) -> str:
    """Return a line of the table."""
    ranked = [evaluate.Answer(a.question, a.pages, True, a.ms) for a in answers]
    cells = []
    for kind in ("easy", "hard", "chat"):
        some = [a for a in ranked if a.question.kind == kind]
        one = evaluate.score(some) if some else None
        cells.append(f"{one.recall_at_1:.3f} / {one.recall_at_3:.3f}" if one else "")
    all_of = evaluate.score(answers)
    told = [
        evaluate.score(s).declined for r in ("alert", "chat") if (s := [a for a in answers if a.question.route == r])
    ]
    cells += [f"{evaluate.score(ranked).mrr_at_10:.3f}"]
    cells += [" / ".join(f"{d:.2f}" for d in told if d is not None) if declines else "never"]
    cells += [f"{all_of.declined_answerable:.3f}" if declines else "", f"{all_of.ms_p50:.1f}"]
    return f"| {name} | {' | '.join(cells)} |"


def padding(pages: Sequence[Document], parts: int, chance: random.Random) -> Iterable[Document]:
    """Yield pages of ten parts, of shuffled words of the corpus and of invented ones, until there are so many parts."""
    words = [word for page in pages for section in page.sections for word in section.text.split()]
    for number in range(parts // PER_PAGE):
        sections = []
        for place in range(PER_PAGE):
            text = [*chance.sample(words, 60), *(f"w{int(chance.paretovariate(1))}x" for _ in range(40))]
            sections.append(Section(f"Part {place}", f"p{place}", " ".join(text), 1))
        name = f"padding/{number} {' '.join(chance.sample(words, 3))}"
        yield Document(name, f"{name}.md", "0", name, tuple(sections))


class Random:
    """Stands in for the model while the padding is embedded: a hundred thousand texts would take it an hour."""

    def __init__(self, model: MiniLm) -> None:
        self.model: Any = None
        self.real = model
        self.name, self.size = model.name, model.size
        self._chance = np.random.default_rng(1)

    def embed(self, texts: Iterable[str]) -> Any:
        """Return random vectors of length 1, or what the model says once it has been put in."""
        given = list(texts)
        if self.model is not None:
            return self.model.embed(given)
        rows = self._chance.standard_normal((len(given), self.size)).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def scale(folder: Path, file: Path, parts: int) -> None:
    """Print times and weights of a library with so many parts of padding around the true pages."""
    pages, chance = pages_of(folder), random.Random(parts)
    questions = [q for q in evaluate.read(file) if q.gold and q.kind in ("hard", "chat")]
    with tempfile.TemporaryDirectory(prefix="sysop-runbooks-") as name:
        place = Path(name)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        embedder = Random(MiniLm.load())
        lexical, vectors = Lexical(place / "words"), VectorStore(embedder, place / "vectors")
        began = time.perf_counter()
        pad = list(padding(pages, parts, chance))
        made = time.perf_counter() - began
        began = time.perf_counter()
        for start in range(0, len(pad), BATCH):
            lexical.update(pad[start : start + BATCH], ())
        lexical.update(pages, ())
        built = time.perf_counter() - began
        vectors.update(pad, ())
        embedder.model = embedder.real
        vectors.update(pages, ())
        began = time.perf_counter()
        lexical.update(pages[:1], ())
        one = time.perf_counter() - began
        began = time.perf_counter()
        Lexical(place / "words")
        opened = time.perf_counter() - began
        figures = []
        for search in (Search(lexical), Search(lexical, vectors)):
            ask = asking(search)
            ask("warming up", "chat")
            found = evaluate.score(list(evaluate.ask_all(questions, ask)))
            figures.append(f"{found.ms_p50:.1f} / {found.ms_p99:.1f}")
        words, near = (sum(f.stat().st_size for f in (place / n).rglob("*")) for n in ("words", "vectors"))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        print(
            f"| {parts:,} | {figures[0]} | {figures[1]} | {built:.1f} | {one * 1000:.0f} | {opened * 1000:.0f} "
            f"| {words // 2**20} + {near // 2**20} | {grown} |  <!-- padding took {made:.0f} s -->",
            flush=True,
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", default=[OWN], metavar="CORPUS=QUESTIONS")
    parser.add_argument("--parts", default="1000,10000", help="sizes to measure, separated by commas; '' for none")
    given = parser.parse_args()
    corpora = [(Path(folder), Path(file)) for folder, _, file in (pair.partition("=") for pair in given.corpus)]
    for folder, file in corpora:
        quality(folder, file)
    sizes = [int(size) for size in given.parts.split(",") if size]
    if sizes:
        print("\n| parts | lexical ms p50 / p99 | hybrid | build s | one page ms | open ms | disk MiB | memory MiB |")
        print("|---|---|---|---|---|---|---|---|")
    for size in sizes:
        scale(*corpora[0], size)


if __name__ == "__main__":
    main()
