"""When no page answers: what a question wants, what it is about, and how sure the pages beside a named one are."""

from dataclasses import replace

import pytest

from knowledge.test_search_ranking import CERT, CRASH, DISK, search
from knowledge.test_search_store import Letters
from knowledge.test_search_words import page
from sysop.knowledge.retrieval.asked import concepts
from sysop.knowledge.retrieval.intent import intents
from sysop.knowledge.retrieval.lexical import Lexical
from sysop.knowledge.retrieval.ranking import Asked
from sysop.knowledge.retrieval.search import Search
from sysop.knowledge.retrieval.vectors import VectorStore


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pods of the shop crash again and again", (0, 0, 0, 0)),
        ("who approves a second monitor", (1, 0, 0, 1)),
        ("could I have write access to the wiki", (0, 1, 0, 0)),
        ("how do I install the client on a mac", (0, 1, 0, 1)),
        ("what's the difference between a role and a policy", (0, 0, 1, 1)),
        ("Where is the node that is full?", (0, 1, 0, 1)),
        ("the node is full, what now", (0, 0, 0, 0)),
    ],
)
def test_what_a_question_wants(text: str, wanted: tuple[int, ...]) -> None:
    assert intents(text) == tuple(map(float, wanted))


def test_an_alert_wants_nothing_but_is_about_a_product_as_well() -> None:
    text = "who restarts the postgres replica of k8s?"
    asked = {route: Asked.of(text, route, concepts(text, route)) for route in ("alert", "chat")}  # type: ignore[arg-type]
    assert (asked["alert"].intents, asked["chat"].intents[0]) == ((), 1.0)
    for one in asked.values():
        assert {product.called[0][0] for product in one.products} == {("postgr",)}


def test_a_page_that_never_mentions_the_product_is_less_likely_to_answer() -> None:
    mysql = page("MySQL replica behind", ("S", "The mysql replica lags behind the primary."))
    pages = search(mysql, DISK, CERT, CRASH)
    there, not_there = (pages.find(f"{name} replica lags behind the primary") for name in ("mysql", "mongodb"))
    assert there.hits[0].id == not_there.hits[0].id == mysql.id
    assert 1 - not_there.confidence > 3 * (1 - there.confidence)


def test_a_page_listed_beside_a_named_one_is_as_sure_as_its_own_words_make_it() -> None:
    found = search(DISK, CERT, CRASH).find("CertExpiresSoon: large files fill the disk, delete old logs", "alert")
    named, *others = found.hits
    assert (named.id, named.confidence, found.confidence) == (CERT.id, 1.0, 1.0)
    assert others[0].id == DISK.id
    assert all(hit.confidence < 1 for hit in others)
    without = search(DISK, CRASH).find("large files fill the disk, delete old logs")
    assert without.hits[0].confidence == without.confidence
    assert all(hit.confidence <= without.confidence for hit in without.hits)


def test_what_an_alert_names_by_file_or_alert_comes_before_what_only_a_title_names() -> None:
    titled = replace(page("QueueStuck", ("S", "QueueStuck: the queue is stuck. QueueStuck again.")), id="a/notes")
    made_for = page("Consumers", ("S", "Restart the consumers."), alerts=("QueueStuck",))
    found = search(titled, made_for).find("QueueStuck queue stuck", "alert")
    assert [(hit.id, hit.named) for hit in found.hits] == [(made_for.id, True), ("a/notes", True)]


def test_with_vectors_what_is_near_to_nothing_is_no_page() -> None:
    class Apart(Letters):
        """Gives every text a direction of its own kind: digits are far from letters."""

        def embed(self, texts):  # type: ignore[no-untyped-def]
            import numpy as np

            rows = super().embed(texts)
            digits = np.array([[float(any(c.isdigit() for c in t))] for t in self.read[-len(rows) :]], np.float32)
            return np.concatenate([rows * (1 - digits), digits], axis=1)

    made = Search(Lexical(), VectorStore(Apart()))
    made.update([DISK, CERT, CRASH], ())
    found = made.find("31337 4242")
    assert (found.hits, found.fits, found.confidence) == ((), False, 0.0)
    assert made.find("disk nearly full").hits[0].id == DISK.id


def test_pages_that_are_gone_do_not_count_in_rarities_for_long() -> None:
    index = Lexical()
    others = [page(f"Other {n}", ("S", "queue lag")) for n in range(20)]
    index.update([*others, DISK], ())
    for _ in range(30):
        index.update(others, ())
    anew = Lexical()
    anew.update([*others, DISK], ())
    assert index.view.written <= 1.25 * len(index) == 1.25 * 21
    index.update(others, ())
    assert index.view.rarity("disk") == pytest.approx(anew.view.rarity("disk"), abs=0.25)
    words = [Search(one).find("file system is nearly full, delete old logs") for one in (index, anew)]
    assert words[0].hits[0].id == words[1].hits[0].id == DISK.id


def test_an_index_that_was_written_once_more_ranks_as_one_that_was_not() -> None:
    index, anew = Lexical(), Lexical()
    pages = [DISK, CERT, CRASH, page("Two", ("A", "queue lag"), ("B", "partition lag partition"))]
    index.update([*pages, page("Gone", ("S", "zebra"))], ())
    index.update([], ["a/Gone"])  # a fifth of the pages is gone
    index.update([pages[0], pages[1]], ())
    anew.update(pages, ())
    assert index.view.written == len(anew)
    for text in ("partition lag", "old logs of the storage", "CertExpiresSoon", "pod crash"):
        assert Search(index).find(text) == Search(anew).find(text)
