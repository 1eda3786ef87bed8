"""How well pages are found, beside plain FTS5 and bm25s on the same questions, and how long it takes among many.

python benchmarks/runbooks.py [CORPUS=QUESTIONS …] [--parts 1000,10000,100000]

Without a corpus: the shipped pages with the questions of benchmarks/data. Needs the extra `semantic` and bm25s.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import random
import re
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

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
ONE_CORE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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

    def ask(self, text: str) -> Any:
        """Return the vector of a question."""
        return self.embed([text])[0]


@dataclass
class Spent:
    """What a block took, in seconds: by the clock and of the processor."""

    wall: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> Self:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def batches(pages: Iterable[Document]) -> Iterable[list[Document]]:
    """Yield pages by the thousand."""
    left = iter(pages)
    while some := list(itertools.islice(left, BATCH)):
        yield some


def memory() -> float:
    """Return what this process holds in memory now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def timed(search: Search, questions: Sequence[evaluate.Question]) -> str:
    """Return the processor's and the clock's ms a question, p50 / p99, and recall@1 / @3 of each kind."""
    ask = asking(search)
    ask("warming up", "chat")
    cpu, answers = [], []
    for question in questions:
        with Spent() as spent:
            pages, _ = ask(question.query, question.route)
        cpu.append(spent.cpu * 1_000)
        answers.append(evaluate.Answer(question, tuple(pages), True, spent.wall * 1_000))
    cpu.sort()
    told = evaluate.score(answers)
    cells = [f"{cpu[len(cpu) // 2]:.1f} / {cpu[math.ceil(0.99 * len(cpu)) - 1]:.1f}"]
    cells.append(f"{told.ms_p50:.1f} / {told.ms_p99:.1f}")
    for kind in ("hard", "chat"):
        one = evaluate.score([a for a in answers if a.question.kind == kind])
        cells.append(f"{one.recall_at_1:.2f} / {one.recall_at_3:.2f}")
    return " | ".join(cells)


def scale(folder: Path, file: Path, parts: int) -> None:
    """Print times and weights of a library with so many parts of padding around the true pages."""
    pages = pages_of(folder)
    known = {page.id for page in pages}
    questions = [q for q in evaluate.read(file) if q.gold and q.gold <= known and q.kind in ("hard", "chat")]
    with tempfile.TemporaryDirectory(prefix="sysop-runbooks-") as name:
        place, at_first = Path(name), memory()
        words = Lexical(place / "words")
        with Spent() as padded:
            for _ in padding(pages, parts, random.Random(parts)):
                pass
        with Spent() as built:
            for some in batches(itertools.chain(padding(pages, parts, random.Random(parts)), pages)):
                words.update(some, ())
        alone = memory() - at_first
        embedder = Random(MiniLm.load())
        vectors = VectorStore(embedder, place / "vectors")
        for some in batches(padding(pages, parts, random.Random(parts))):
            vectors.update(some, ())
        embedder.model = embedder.real
        vectors.update(pages, ())
        vectors.close()
        with Spent() as opened:
            words, vectors = Lexical(place / "words"), VectorStore(embedder, place / "vectors")
        with Spent() as loaded:
            vectors.view  # noqa: B018  reads all vectors
        search = Search(words, vectors)
        search.find("warming up")
        changed = replace(pages[0], title=f"{pages[0].title}, once more")
        with Spent() as one:
            search.update([changed], ())
        with Spent() as nothing:
            search.reload()
        search.update(pages[:1], ())
        rows = {"lexical": timed(Search(words), questions), "hybrid": timed(search, questions)}
        size = [sum(f.stat().st_size for f in (place / n).rglob("*")) // 2**20 for n in ("words", "vectors")]
        for mode, told in rows.items():
            print(f"| {parts:,} | {mode} | {told} |", flush=True)
        print(
            f"|  | built in {built.cpu - padded.cpu:.1f} s of CPU (words); opened in {opened.wall * 1000:.0f} ms,"
            f" vectors read in {loaded.wall * 1000:.0f} ms; one page changed in {one.wall * 1000:.0f} ms (CPU"
            f" {one.cpu * 1000:.0f}), nothing changed {nothing.wall * 1000:.2f} ms; disk {size[0]} + {size[1]} MiB;"
            f" memory + {alone:.0f} MiB after building, + {memory() - at_first:.0f} with model and vectors |",
            flush=True,
        )
        search.close()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", default=[OWN], metavar="CORPUS=QUESTIONS")
    parser.add_argument("--parts", default="1000,10000", help="sizes to measure, separated by commas; '' for none")
    given = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in ONE_CORE):  # read when numpy is loaded: begin once more
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **dict.fromkeys(ONE_CORE, "1")})
    corpora = [(Path(folder), Path(file)) for folder, _, file in (pair.partition("=") for pair in given.corpus)]
    for folder, file in corpora:
        quality(folder, file)
    sizes = [int(size) for size in given.parts.split(",") if size]
    if sizes:
        print("\nPadding is shuffled words of the pages; its vectors are random, those of the true pages are real.\n")
        print("| parts | mode | CPU ms p50 / p99 | wall ms p50 / p99 | hard @1 / @3 | chat @1 / @3 |")
        print("|---|---|---|---|---|---|")
    for size in sizes:
        scale(*corpora[0], size)


if __name__ == "__main__":
    main()
