"""How well a library answers questions whose right pages are known."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sysop.errors import InvalidRequest
from sysop.knowledge.retrieval.asked import Route

TOP: Final = 10
MAX_BYTES: Final = 64 * 2**20
_FIX: Final = 'one question a line: {"id": "1", "query": "…", "route": "alert", "gold": ["page-id"]}'

Ask = Callable[[str, Route], tuple[Sequence[str], bool]]
"""Returns the ids of pages, best first, and whether any fits."""


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a file of questions. Without `gold` no page answers it. `kind` is any further division, or empty."""

    id: str
    query: str
    route: Route
    gold: frozenset[str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a question, and how long it took in ms."""

    question: Question
    pages: tuple[str, ...]
    fits: bool
    ms: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over some questions. A declined question counts as a miss in all of the first four.

    `recall_at_1` and `recall_at_3` are the shares with any right page among the first 1 and 3. Those without questions
    of their sort are None.
    """

    questions: int
    recall_at_1: float | None
    recall_at_3: float | None
    mrr_at_10: float | None
    ndcg_at_10: float | None
    ms_p50: float
    ms_p99: float
    declined: float | None
    declined_answerable: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the scores by their usual names."""
        return {
            "questions": self.questions,
            "recall@1": self.recall_at_1,
            "recall@3": self.recall_at_3,
            "mrr@10": self.mrr_at_10,
            "ndcg@10": self.ndcg_at_10,
            "ms_p50": self.ms_p50,
            "ms_p99": self.ms_p99,
            "declined": self.declined,
            "declined_answerable": self.declined_answerable,
        }


def read(path: Path) -> list[Question]:
    """Return the questions of a file. Raises InvalidRequest naming the line, the field and the fix."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidRequest(f"{path}: more than {MAX_BYTES} bytes; split the file")
        lines = path.read_text("utf-8").split("\n")  # JSON allows the other line ends of Unicode within a text
    except (OSError, UnicodeError) as bad:
        raise InvalidRequest(f"{path}: cannot be read: {bad}") from None
    found = [_question(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InvalidRequest(f"{path}: no question in it; {_FIX}")
    return found


def _question(line: str, where: str) -> Question:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode("utf-8")  # half a character can be escaped, and not be printed
    except (ValueError, RecursionError) as bad:
        raise InvalidRequest(f"{where}: not JSON ({bad}); {_FIX}") from None
    if not isinstance(row, dict):
        raise InvalidRequest(f"{where}: not an object; {_FIX}")
    query, gold, route = row.get("query"), row.get("gold"), row.get("route")
    if not isinstance(query, str) or not query.strip():
        raise InvalidRequest(f"{where}: query must be text; {_FIX}")
    if route != "alert" and route != "chat":
        raise InvalidRequest(f"{where}: route must be alert or chat, not {route!r}; {_FIX}")
    if not isinstance(gold, list) or not all(isinstance(page, str) for page in gold):
        raise InvalidRequest(f"{where}: gold must be a list of ids of pages, [] where none fits; {_FIX}")
    return Question(str(row.get("id", where)), query, route, frozenset(gold), str(row.get("kind", "")))


def unknown(questions: Iterable[Question], pages: Iterable[str]) -> list[str]:
    """Return the ids named as right that are no pages: those questions could never be answered."""
    known = set(pages)
    return sorted({page for question in questions for page in question.gold} - known)


def ask_all(questions: Iterable[Question], ask: Ask) -> Iterator[Answer]:
    """Yield the answers, one by one, with the time each took."""
    for question in questions:
        began = time.perf_counter()
        pages, fits = ask(question.query, question.route)
        yield Answer(question, tuple(pages[:TOP]), fits, (time.perf_counter() - began) * 1_000)


def score(answers: Sequence[Answer]) -> Scores:
    """Return the means over some answers. Raises ValueError where there are none."""
    times = sorted(answer.ms for answer in answers)
    answerable = [a for a in answers if a.question.gold]
    others = [a for a in answers if not a.question.gold]
    return Scores(
        questions=len(answers),
        recall_at_1=_mean(_found(a, 1) for a in answerable),
        recall_at_3=_mean(_found(a, 3) for a in answerable),
        mrr_at_10=_mean(map(_reciprocal, answerable)),
        ndcg_at_10=_mean(map(_ndcg, answerable)),
        ms_p50=round(median(times), 3),
        ms_p99=round(times[math.ceil(0.99 * len(times)) - 1], 3),
        declined=_mean(float(not a.fits) for a in others),
        declined_answerable=_mean(float(not a.fits) for a in answerable),
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def _hits(answer: Answer) -> list[bool]:
    return [page in answer.question.gold for page in answer.pages] if answer.fits else []


def _found(answer: Answer, limit: int) -> float:
    return float(any(_hits(answer)[:limit]))


def _reciprocal(answer: Answer) -> float:
    return next((1 / place for place, hit in enumerate(_hits(answer), 1) if hit), 0.0)


def _ndcg(answer: Answer) -> float:
    gained = sum(1 / math.log2(place + 1) for place, hit in enumerate(_hits(answer), 1) if hit)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(answer.question.gold), TOP) + 1))
    return gained / best
