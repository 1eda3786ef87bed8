"""Learn the weights of the ranking from questions whose right pages are known, and write them as `weights.py`.

python benchmarks/learn_ranking.py CORPUS=QUERIES [CORPUS=QUERIES …] [--held-out] [--write]

Needs the extra `semantic`. The signals' weights maximise the likelihood of the right page among the candidates of its
question (a softmax, weights not below zero, an L2 penalty); the proofs' weights that of "answered" and "not answered"
(logistic regression), where each library also appears in halves and in parts of eight pages, so that many questions
have lost their page. Each library counts alike, whatever its size, and as much as its parts together. The least that
proofs must come to keeps 95 % of the answered questions of whole libraries. With `--held-out` each corpus is judged
with what the others teach.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from sysop.knowledge import evaluate
from sysop.knowledge.document import Document
from sysop.knowledge.library.folder import FolderSource
from sysop.knowledge.library.library import Library
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.retrieval.asked import Route
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.ranking import Asked, Fit, Ranked, Weights, confidence, in_order, proofs, score, signals
from sysop.knowledge.retrieval.search import Mode, Search
from sysop.knowledge.retrieval.semantic import MiniLm
from sysop.knowledge.retrieval.vectors import VectorStore

L2: Final = {"alert": 0.003, "chat": 0.02}
KEEP: Final = 0.95
SMALL: Final = 6


@dataclass(frozen=True)
class Case:
    """A question with its candidates in hybrid mode. `exact` questions are not learnt from: they name their page."""

    question: evaluate.Question
    asked: Asked
    fits: Sequence[Fit]
    exact: bool


class Remembering:
    """Embeds each text once: the parts of a library are asked for again and again."""

    def __init__(self) -> None:
        self._model = MiniLm.load()
        self._known: dict[str, Any] = {}
        self.name, self.size = self._model.name, self._model.size

    def embed(self, texts: Iterable[str]) -> Any:
        """Return one row a text."""
        wanted = list(texts)
        new = [text for text in dict.fromkeys(wanted) if text not in self._known]
        self._known.update(zip(new, self._model.embed(new), strict=True))
        return np.stack([self._known[text] for text in wanted]) if wanted else np.zeros((0, self.size), np.float32)

    def ask(self, text: str) -> Any:
        """Return the vector of a question."""
        return self.embed([text])[0]


@dataclass(frozen=True)
class Corpus:
    """The questions of a library, asked of all of it, and of parts of it, where more of them have no answer."""

    whole: list[Case]
    parts: list[list[Case]]


def corpus(folder: Path, questions: Path, embedder: Remembering) -> Corpus:
    """Return the cases of a folder of pages."""
    library = Library([FolderSource(folder)], None, Lexical())
    library.refresh()
    pages, asked = list(library.documents()), evaluate.read(questions)
    chance = random.Random(len(pages))
    some = [chance.sample(pages, max(size, 3)) for size in (len(pages) // 2, len(pages) // 2, *[8] * SMALL)]
    print(f"{folder.name}: {len(pages)} pages, {len(asked)} questions", flush=True)
    return Corpus(cases(pages, asked, embedder), [cases(part, asked, embedder) for part in some])


def cases(pages: Sequence[Document], questions: Sequence[evaluate.Question], embedder: Remembering) -> list[Case]:
    """Return questions with their candidates among some pages."""
    search = Search(Lexical(), VectorStore(embedder))
    search.update(pages, ())
    ids = frozenset(page.id for page in pages)
    found = []
    for question in questions:
        told = search.fits(question.query, question.route)
        found.append(Case(replace(question, gold=question.gold & ids), told.asked, told.fits, bool(told.named)))
    return found


def rows(case: Case, mode: Mode) -> Any:
    """Return the signals of the candidates, one row each."""
    return np.array([signals(f.figures, f.likeness if mode == "hybrid" else None) for f in case.fits])


def ranked(case: Case, mode: Mode, weights: Sequence[float]) -> list[Ranked]:
    """Return the candidates in their order."""
    pages = [f if mode == "hybrid" else Fit(f.entry, f.figures, None) for f in case.fits]
    return in_order(Ranked(f.entry.id, score(f.figures, f.likeness, weights), f) for f in pages)


def descend(gradient: Any, width: int, steps: int, rate: float, floor: float) -> Any:
    """Return the weights where a gradient vanishes, by Adam (Kingma and Ba, 2015)."""
    weights = np.zeros(width) if floor < 0 else np.ones(width)
    first = second = np.zeros(width)
    for step in range(1, steps + 1):
        slope = gradient(weights)
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        weights = weights - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
        weights = np.maximum(weights, floor)
    return weights


def learn_signals(corpora: Sequence[Corpus], route: Route, mode: Mode) -> Any:
    """Return the weights of the signals."""
    data = []
    for corpus in corpora:
        some = [c for c in corpus.whole if c.question.route == route and c.question.gold and not c.exact]
        for case in some:
            right = np.array([f.entry.id in case.question.gold for f in case.fits], float)
            if right.any():
                data.append((rows(case, mode), right, 100 / len(some)))

    def gradient(weights: Any) -> Any:
        slope = L2[route] * weights * len(data)
        for values, right, much in data:
            z = values @ weights
            e = np.exp(z - z.max())
            slope = slope + much * values.T @ (e / e.sum() - e * right / (e * right).sum())
        return slope / len(data)

    return descend(gradient, data[0][0].shape[1], 1_500, 0.15, 0.0)


def learn_proofs(corpora: Sequence[Corpus], route: Route, mode: Mode, weights: Any) -> Weights:
    """Return all weights, with those of the proofs and the least they must come to."""
    values, answered, much, whole = [], [], [], []
    for asked in (part for corpus in corpora for part in (corpus.whole, *corpus.parts)):
        full = any(asked is corpus.whole for corpus in corpora)
        some = [c for c in asked if c.question.route == route and not c.exact and c.fits]
        counts = {right: sum(bool(c.question.gold) == right for c in some) for right in (True, False)}
        for case in some:
            values.append(proofs(ranked(case, mode, weights), case.asked))
            answered.append(float(bool(case.question.gold)))
            share = 1.0 if full else 1 / len(corpora[0].parts)
            much.append(share / counts[bool(case.question.gold)])
            whole.append(full)
    x, y, m = np.array(values), np.array(answered), np.array(much)
    middle, spread = x.mean(0), x.std(0) + 1e-6
    middle[0], spread[0] = 0.0, 1.0
    scaled = (x - middle) / spread
    free = np.arange(x.shape[1]) > 0

    def gradient(w: Any) -> Any:
        return scaled.T @ (m * (1 / (1 + np.exp(-scaled @ w)) - y)) / m.sum() + 0.01 * w * free

    w = descend(gradient, x.shape[1], 3_000, 0.05, -np.inf) / spread
    w[0] -= (w * middle)[1:].sum()
    total, right = x @ w, (y == 1) & np.array(whole)
    order = np.argsort(total[right])
    share = np.cumsum(m[right][order]) / m[right].sum()
    least = float(total[right][order][np.searchsorted(share, 1 - KEEP)])
    return Weights(tuple(np.round(weights, 3).tolist()), tuple(np.round(w, 3).tolist()), round(least, 3))


def judge(corpus: Corpus, route: Route, mode: Mode, weights: Weights) -> str:
    """Return the figures of one corpus in a line."""
    at_1 = at_3 = kept = declined = 0
    some = [c for c in corpus.whole if c.question.route == route and not c.exact]
    answerable = [c for c in some if c.question.gold]
    for case in some:
        order = ranked(case, mode, weights.signals)
        sure = confidence(order, case.asked, weights) >= FITS
        hits = [page.id in case.question.gold for page in order]
        at_1, at_3 = at_1 + any(hits[:1]), at_3 + any(hits[:3])
        kept, declined = kept + (sure and bool(case.question.gold)), declined + (not sure and not case.question.gold)
    n, none = len(answerable), len(some) - len(answerable)
    return f"@1 {at_1 / n:.3f} @3 {at_3 / n:.3f} keeps {kept / n:.2f} declines {declined / max(none, 1):.2f} of {none}"


def learn(corpora: Sequence[Corpus], route: Route, mode: Mode) -> Weights:
    """Return the weights of one route and mode."""
    return learn_proofs(corpora, route, mode, learn_signals(corpora, route, mode))


def module(weights: dict[tuple[Route, Mode], Weights]) -> str:
    """Return the text of `weights.py`."""
    lines = [
        '"""The weights of the ranking, as `benchmarks/learn_ranking.py` wrote them."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from typing import Final",
        "",
        "from sysop.knowledge.retrieval.ranking import Weights",
        "",
        "WEIGHTS: Final[Mapping[tuple[str, str], Weights]] = {",
    ]
    for (route, mode), found in weights.items():
        lines += [f'    ("{route}", "{mode}"): Weights(', *_tuple(found.signals), *_tuple(found.proofs)]
        lines += [f"        {found.least},", "    ),"]
    return "\n".join([*lines, "}", ""])


def _tuple(values: Sequence[float]) -> list[str]:
    return ["        (", *(f"            {value}," for value in values), "        ),"]


def main() -> None:
    """Learn, judge, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+", metavar="CORPUS=QUERIES")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    named = [pair.partition("=") for pair in given.corpus]
    embedder = Remembering()
    corpora = {Path(folder).name: corpus(Path(folder), Path(file), embedder) for folder, _, file in named}
    learnt: dict[tuple[Route, Mode], Weights] = {}
    for route in get_args(Route):
        for mode in get_args(Mode):
            learnt[route, mode] = learn(list(corpora.values()), route, mode)
            for name, one in corpora.items():
                others = [c for other, c in corpora.items() if other != name]
                weights = learn(others, route, mode) if given.held_out else learnt[route, mode]
                print(f"{route:6s}{mode:8s}{name:24s}{judge(one, route, mode, weights)}")
    if given.write:
        place = Path(__file__).parents[1] / "bot/sysop/knowledge/retrieval/weights.py"
        place.write_text(module(learnt), "utf-8")


if __name__ == "__main__":
    main()
