"""Pages by words: the right one first, a named one before all, filters, what is kept on disk, honest declining."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.test_search_words import page
from sysop.knowledge.document import Document
from sysop.knowledge.hits import of_runbook
from sysop.knowledge.index import Index
from sysop.knowledge.retrieval.lexical import Filters, Lexical
from sysop.knowledge.retrieval.search import Search

SHIPPED = Path(__file__).parents[2] / "runbooks"

DISK = page(
    "Disk filling up",
    ("What it means", "The file system of a node is nearly full."),
    ("What to do", "Find large files with du, delete old logs."),
    services=("storage",),
    environments=("production",),
    owner="platform",
)
CERT = page(
    "CertificateExpiring", ("Meaning", "A TLS certificate expires soon; renew it."), alerts=("CertExpiresSoon",)
)
CRASH = page("Pods that crash", ("Meaning", "A pod crashes again and again."), services=("shop",), owner="web")


def search(*pages: Document) -> Search:
    made = Search(Lexical())
    made.update(pages, ())
    return made


@pytest.fixture(scope="module")
def shipped() -> Search:
    return search(*map(of_runbook, Index.load([SHIPPED]).runbooks.values()))


def ids(found: Search, text: str, **more: object) -> list[str]:
    return [hit.id for hit in found.find(text, **more).hits]  # type: ignore[arg-type]


def test_a_page_is_found_by_other_words_than_its_own_and_by_its_section() -> None:
    found = search(DISK, CERT, CRASH)
    assert ids(found, "the box has no space left on device")[0] == DISK.id
    assert ids(found, "x509: the cert has expired")[0] == CERT.id
    assert found.find("which old logs may I delete").hits[0].section == 1


def test_nothing_in_common_is_no_page_and_little_is_none_that_fits() -> None:
    found = search(DISK, CERT, CRASH)
    assert found.find("").hits == ()
    assert (found.find("zebra giraffe").hits, found.find("zebra giraffe").fits) == ((), False)
    assert not found.find("the node of the printer on the third floor eats paper and staples").fits
    assert search().find("disk full").hits == ()


def test_a_page_that_is_named_comes_first_and_is_sure() -> None:
    text = "CertExpiresSoon: disk full, file system of a node nearly full, delete old logs"
    found = search(DISK, CERT, CRASH).find(text, "alert")
    assert (found.hits[0].id, found.hits[0].named, found.confidence) == (CERT.id, True, 1.0)
    assert [hit.named for hit in found.hits[1:]] == [False] * (len(found.hits) - 1)


@pytest.mark.parametrize(
    ("filters", "right"),
    [
        (Filters(services=("storage",)), {DISK.id, CERT.id}),
        (Filters(services=("shop", "storage")), {DISK.id, CERT.id, CRASH.id}),
        (Filters(environments=("staging",)), {CERT.id, CRASH.id}),
        (Filters(owners=("web",)), {CERT.id, CRASH.id}),
        (Filters(services=("nobody",), owners=("platform",)), {CERT.id}),
    ],
)
def test_filters_leave_pages_for_these_and_for_any(filters: Filters, right: set[str]) -> None:
    text = "certificate of the node disk of the pod crashes CertExpiresSoon PodsCrash"
    assert set(ids(search(DISK, CERT, CRASH), text, filters=filters)) == right


def test_what_is_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = Lexical(tmp_path)
    first.update([DISK, CERT], ())
    second = Lexical(tmp_path)
    assert ids(Search(second), "disk full")[0] == DISK.id
    first.update([page("Disk filling up", ("Now", "Ask the giraffe."))], [CERT.id])
    assert (len(first), len(second)) == (1, 2)
    second.reload()
    assert len(second) == 1
    assert ids(Search(second), "giraffe") == [DISK.id]
    assert ids(Search(second), "certificate") == []
    first.clear()
    assert (len(first), ids(Search(first), "giraffe")) == (0, [])


def test_an_update_that_breaks_off_changes_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[Document]:
        yield CRASH
        raise OSError("the source is gone")

    index = Lexical(tmp_path)
    index.update([DISK, CERT], ())
    with pytest.raises(OSError, match="the source is gone"):
        index.update(breaking(), [DISK.id])
    for one in (index, Lexical(tmp_path)):
        assert (len(one), set(one.view.entries([DISK.id, CERT.id, CRASH.id]))) == (2, {DISK.id, CERT.id})
    index.update([CRASH], [DISK.id])
    assert set(index.view.entries([DISK.id, CERT.id, CRASH.id])) == {CERT.id, CRASH.id}


NAMES = st.sampled_from("abcde")
TEXTS = st.sampled_from(("disk full", "pod crash", "certificate expires", "queue lag"))


@given(st.lists(st.tuples(st.dictionaries(NAMES, TEXTS), st.sets(NAMES)), max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_updates_end_as_if_built_from_what_is_left(changes: list[tuple[dict[str, str], set[str]]]) -> None:
    grown, left = Lexical(), dict[str, Document]()
    for added, removed in changes:
        pages = {name: page(name, ("S", text)) for name, text in added.items()}
        grown.update(pages.values(), [f"a/{name}" for name in removed])
        left = {name: one for name, one in left.items() if name not in removed} | pages
    built = Lexical()
    built.update(left.values(), ())
    assert len(grown) == len(built) == len(left)
    for text in ("disk full", "pod crash", "certificate expires", "queue lag"):
        assert sorted(ids(Search(grown), text)) == sorted(ids(Search(built), text))


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("checkout throws errors since the last release", "error-rate-after-deploy"),
        ("everything got slow after we deployed", "latency-after-deploy"),
        ("certs of the shop run out tomorrow", "certificate-expiring"),
        ("the build failed, is it flaky?", "failed-pipeline"),
        ("no space left on device on db-3", "node-disk-full"),
        ("consumer group is behind on its topic", "kafka-consumer-lag"),
        ("remaining connection slots are reserved", "postgresql-too-many-connections"),
        ("we pay far too much for tokens this week", "llm-cost-spike"),
        ("ErrImagePull on the new version", "image-cannot-be-pulled"),
    ],
)
def test_shipped_pages_are_found_by_what_people_say(shipped: Search, question: str, right: str) -> None:
    found = shipped.find(question)
    assert f"runbooks/{right}.md" in [hit.id for hit in found.hits[:2]]
    assert found.fits


def test_of_what_no_shipped_page_answers_most_is_declined(shipped: Search) -> None:
    strange = (
        "how do I book a meeting room in the new building",
        "ProjectorLampHours: the projector of room 4 has 3,000 hours",
        "who approves travel to the conference",
        "InvoiceOverdue: invoice 4711 of the agency is overdue",
        "where is the coffee machine manual",
    )
    assert sum(shipped.find(text).fits for text in strange) <= 1
