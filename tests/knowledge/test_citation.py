"""How pages are cited, and citations found in what somebody wrote."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.knowledge import citation
from sysop.knowledge.document import Document
from sysop.knowledge.hits import Hit
from sysop.knowledge.page import Section

TODAY = date(2026, 11, 2)
FIX = Section("The fix", "the-fix", "Delete what nobody needs.", 3)


def page(reviewed: date | None = None, url: str = "") -> Document:
    return Document(
        "disk", "runbooks/disk.md", "3f2a1c" * 10 + "abcd", "A disk fills", (FIX,), reviewed=reviewed, url=url
    )


@pytest.mark.parametrize(
    ("reviewed", "says", "sound"),
    [
        pytest.param(date(2026, 10, 2), "reviewed 2026-10-02", True, id="reviewed lately"),
        pytest.param(date(2026, 5, 6), "reviewed 2026-05-06", True, id="on the last day"),
        pytest.param(date(2026, 5, 5), "stale: reviewed 2026-05-05", False, id="a day too old"),
        pytest.param(date(2026, 11, 3), "reviewed 2026-11-03", True, id="today, further east"),
        pytest.param(date(2030, 1, 1), "stale: reviewed 2030-01-01", False, id="in years to come"),
        pytest.param(None, "never reviewed", False, id="never"),
    ],
)
def test_a_citation_says_section_revision_and_review(reviewed, says, sound):
    found = citation.of_hit(Hit(page(reviewed), FIX, 0.9, 1.0), TODAY, 180)
    assert str(found) == f"runbooks/disk.md#the-fix (rev 3f2a1c3f2a1c, {says})"
    assert found.sound is sound
    assert (found.heading, found.title) == ("The fix", "A disk fills")
    assert citation.of_json(found.as_json()) == found


@pytest.mark.parametrize(
    ("url", "link"),
    [
        pytest.param("https://wiki.example.com/disk", "https://wiki.example.com/disk#the-fix", id="a section"),
        pytest.param("https://wiki.example.com/disk#top", "https://wiki.example.com/disk#the-fix", id="an old anchor"),
        pytest.param("javascript:alert(1)", "", id="a script"),
        pytest.param("file:///etc/passwd", "", id="a file"),
        pytest.param("https://good.example.com@evil.com/", "", id="another host"),
        pytest.param("https://a.example.com/ x", "", id="a space"),
        pytest.param("https://a.example.com/\x1b]8;;", "", id="a control character"),
        pytest.param("", "", id="none"),
    ],
)
def test_only_a_web_address_becomes_a_link(url, link):
    assert citation.of(page(url=url), "the-fix", TODAY).link == link


def test_a_page_as_a_whole_is_cited_without_a_section():
    found = citation.of(page(url="https://wiki.example.com/disk"), "", TODAY)
    assert (found.ref, found.heading, found.link) == ("runbooks/disk.md", "", "https://wiki.example.com/disk")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("do it (runbooks/a.md#fix).", ["runbooks/a.md#fix"], id="in brackets"),
        pytest.param("`runbooks/a.md#fix`, then [b.html#x-1]", ["runbooks/a.md#fix", "b.html#x-1"], id="two"),
        pytest.param("see https://e.com/runbooks/a.md#fix", ["https://e.com/runbooks/a.md#fix"], id="an address"),
        pytest.param("see my pages/a b.md#fix", ["my pages/a b.md#fix"], id="a known one with spaces"),
        pytest.param("my pages/a b.md#fixed", ["b.md#fixed"], id="longer than the known one"),
        pytest.param("x.my pages/a b.md#fix", ["b.md#fix"], id="the known one inside another"),
        pytest.param(
            "Läuft: leitfäden/störung.md#nächster-schritt!", ["leitfäden/störung.md#nächster-schritt"], id="abroad"
        ),
        pytest.param("see README.md and issue #3", [], id="no citation"),
        pytest.param("RUNBOOKS/A.MD#Fix", ["RUNBOOKS/A.MD#Fix"], id="in capitals"),
    ],
)
def test_citations_are_found_in_a_text(text, found):
    assert citation.named_in(text, ["my pages/a b.md#fix", "runbooks/a.md"]) == found


@given(st.text(max_size=300))
def test_whatever_somebody_writes_a_known_citation_in_it_is_found_as_it_is(text):
    assert "a b/c.md#d" in citation.named_in(f"{text} (a b/c.md#d) {text}", ["a b/c.md#d"])
    citation.named_in(text)


def test_a_long_word_takes_no_longer_than_its_length():
    assert len(citation.named_in("a" * 200_000 + ".md#" * 50_000)) <= 1


def test_what_is_struck_cannot_be_read_as_a_citation():
    text = citation.replaced("see a.md#fix and a.md#fix-2", ["a.md#fix", "a.md#fix-2"], "[not looked up]")
    assert text == "see [not looked up] and [not looked up]"
