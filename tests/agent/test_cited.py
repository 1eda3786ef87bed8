"""Whatever a model writes: people see no page as cited that its run has not looked up."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from sysop.agent.cited import NOT_LOOKED_UP, listed, settle, strangers, used, with_pages
from sysop.knowledge.citation import Citation, named_in
from sysop.model import Claim, Conclusion


def page(ref: str, reviewed: date | None = None, url: str = "") -> Citation:
    path, _, section = ref.partition("#")
    state = "reviewed" if reviewed else "unreviewed"
    return Citation(path, section, "", "", "ab" * 32, reviewed, state, url)


PAGES = {one.ref: one for one in (page("a/x.md#fix", url="https://wiki.example.com/x"), page("a b/y.html#z"))}
PIECES = st.sampled_from(
    [
        "a/x.md#fix",
        "a b/y.html#z",
        "b.md#no",
        "https://e.com/a/x.md#fix",
        "a/x.md#fix-2",
        " ",
        "(",
        ")",
        "`",
        "is",
        "#",
        "ä",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS, TEXTS, st.lists(st.tuples(TEXTS, st.lists(st.sampled_from(["run:a1.0", "a/x.md#fix", "no.md#x"])))))
def test_no_text_that_people_see_cites_what_was_not_looked_up(summary, cause, claims):
    found = settle(
        Conclusion(summary, False, cause, claims=[Claim(text, tuple(evidence)) for text, evidence in claims]), PAGES
    )
    texts = [found.summary, found.cause, *(claim.text for claim in found.claims)]
    assert strangers(texts, PAGES) == []
    assert not any(ref in PAGES for claim in found.claims for ref in claim.evidence), "the ledger alone proves"


def test_a_claim_of_pages_alone_is_told_and_proves_nothing():
    claims = [Claim("restart it", ("a/x.md#fix",)), Claim("it grows", ("run:a1.0", "a/x.md#fix")), Claim("so", ("no",))]
    found = settle(Conclusion("All is said.", False, claims=claims), PAGES)
    assert found.summary == "All is said.\n• restart it (a/x.md#fix)"
    assert found.claims == [Claim("it grows (a/x.md#fix)", ("run:a1.0",)), Claim("so", ("no",))]


def test_the_address_of_a_page_that_was_looked_up_may_stand_in_a_text():
    assert strangers(["see https://wiki.example.com/x#fix and https://wiki.example.com/x.md#fix"], PAGES) == [
        "https://wiki.example.com/x.md#fix"
    ]
    assert named_in(NOT_LOOKED_UP) == []


def test_pages_are_listed_in_the_order_of_their_mention_once_and_the_doubtful_are_marked():
    cites = used(["a b/y.html#z, a/x.md#fix, a b/y.html#z"], ["a/x.md#fix"], PAGES)
    assert [one.ref for one in cites] == ["a b/y.html#z", "a/x.md#fix"]
    fresh = page("c.md", date(2026, 1, 1))
    assert listed([fresh, cites[0]]) == [
        "Pages this rests on:",
        "• c.md (rev abababababab, reviewed 2026-01-01)",
        "• ⚠ a b/y.html#z (rev abababababab, never reviewed)",
    ]
    assert listed([fresh] * 20)[-1] == "• … and 8 more"
    assert with_pages(Conclusion("x", False), ()).summary == "x"
