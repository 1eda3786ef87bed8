"""`sysop runbooks eval`: how well a folder of pages answers questions whose right pages are known."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import click
from rich.console import RenderableType
from rich.text import Text

from sysop.cli import show
from sysop.cli.bar import Bar
from sysop.cli.common import command, emit, err, json_option, out
from sysop.errors import InvalidRequest
from sysop.knowledge import evaluate
from sysop.knowledge.document import Document
from sysop.knowledge.evaluate import Answer, Scores
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.retrieval.asked import Route
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.search import Mode, Search
from sysop.knowledge.retrieval.semantic import MODEL, MiniLm
from sysop.knowledge.retrieval.vectors import VectorStore
from sysop.page_source import BrokenPage

_WIDE = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@click.command("eval")
@click.argument("questions", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The folder of pages. A page's id is its path in there without the suffix.",
)
@click.option(
    "--mode",
    type=click.Choice(["lexical", "hybrid"]),
    help="By words, or by words and meaning; without it, the best that is installed.",
)
@json_option
@command
def evaluate_runbooks(questions: Path, corpus: Path, mode: str | None, as_json: bool) -> int:
    """Measure how well pages are found. QUESTIONS has a line of JSON each: id, query, route (alert or chat), gold.

    Without gold no page answers, and to decline is right; elsewhere a decline is a miss. With several right pages, one
    among the first is enough for recall. Exit code 1 where a right page is not in the corpus.
    """
    asked = evaluate.read(questions)
    taken = cast(Mode, mode or ("hybrid" if importlib.util.find_spec(MODEL) else "lexical"))
    pages, broken = _pages(corpus)
    for one in broken:
        err.print(Text(f"not used: {show.visible(one.path)}: {show.visible(one.reason)}", style="yellow"))
    missing = evaluate.unknown(asked, (page.id for page in pages))
    search = _search(pages, taken)
    search.find("warming up")  # what is loaded once is not part of a question's time
    answers = _answers(search, asked)
    scores = _scores(answers)
    if as_json:
        groups = {name: one.as_json() for name, one in scores.items() if name != "all"}
        emit({"mode": taken, "pages": len(pages), **scores["all"].as_json(), "by": groups, "not_in_corpus": missing})
    else:
        out().print(f"{len(pages)} pages, {len(asked)} questions, mode {taken}")
        out().print(_table(scores))
    if missing:
        told = show.visible(f"no such pages in {corpus}: {', '.join(missing)}; correct `gold`")
        err.print(Text(told, style="red"))
    return 1 if missing else 0


class _Unranked:
    """What is told to a library whose pages are ranked apart from it."""

    def update(self, added: Iterable[Document], removed: Iterable[str]) -> None:
        """Take nothing up."""

    def clear(self) -> None:
        """Forget nothing."""


def _pages(corpus: Path) -> tuple[list[Document], Sequence[BrokenPage]]:
    library = Library([FolderSource(corpus)], None, _Unranked())
    try:
        library.refresh()
        pages, broken = list(library.documents()), tuple(library.broken)
    finally:
        library.close()
    if not pages:
        raise InvalidRequest(f"{corpus}: no page in it; name a folder of Markdown or HTML pages")
    return pages, broken


def _search(pages: Sequence[Document], mode: Mode) -> Search:
    vectors = VectorStore(MiniLm.load()) if mode == "hybrid" else None
    search = Search(Lexical(), vectors)
    with Bar(err, "reading pages", len(pages)) as bar:
        search.update(pages, (), lambda done, total: bar.at(done))
    return search


def _answers(search: Search, asked: Sequence[evaluate.Question]) -> list[Answer]:
    def ask(text: str, route: Route) -> tuple[Sequence[str], bool]:
        found = search.find(text, route)
        return [hit.id for hit in found.hits], found.fits

    answers = []
    with Bar(err, "asking", len(asked)) as bar:
        for number, answer in enumerate(evaluate.ask_all(asked, ask), 1):
            answers.append(answer)
            bar.at(number)
    return answers


def _scores(answers: Sequence[Answer]) -> Mapping[str, Scores]:
    """Return the scores of all, then of each route and kind there is."""
    groups: dict[str, list[Answer]] = {"all": list(answers)}
    for answer in answers:
        question = answer.question
        groups.setdefault(question.route, []).append(answer)
        if question.kind and question.kind != question.route:
            groups.setdefault(f"{question.route}, {question.kind}", []).append(answer)
    return {name: evaluate.score(some) for name, some in groups.items()}


def _table(scores: Mapping[str, Scores]) -> RenderableType:
    columns = (
        "questions",
        "count",
        "recall@1",
        "",
        "recall@3",
        "mrr@10",
        "ndcg@10",
        "declined",
        "wrongly",
        "ms",
        "p99",
    )
    rows = (
        (
            name,
            str(one.questions),
            _share(one.recall_at_1),
            _bar(one.recall_at_1),
            _share(one.recall_at_3),
            _share(one.mrr_at_10),
            _share(one.ndcg_at_10),
            _share(one.declined),
            _share(one.declined_answerable),
            f"{one.ms_p50:.1f}",
            f"{one.ms_p99:.1f}",
        )
        for name, one in scores.items()
    )
    return show.table(*columns, rows=rows, whole=("questions", "recall@1", "recall@3"), drop=("", "ndcg@10", "p99"))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _bar(value: float | None) -> str:
    if value is None or not (sys.stdout.encoding or "").lower().startswith("utf"):
        return ""
    eighths = round(value * _WIDE * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
