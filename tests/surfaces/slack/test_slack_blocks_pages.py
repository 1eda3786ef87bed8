"""What pages say, in blocks: quoted, with the words that were asked for in bold, whatever the pages hold."""

from __future__ import annotations

from datetime import date
from typing import Any

import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st
from slack_payloads import texts

from sysop.knowledge import citation
from sysop.knowledge.citation import Citation
from sysop.knowledge.excerpt import excerpt
from sysop.knowledge.page import Section
from sysop.surfaces.slack.blocks import listings
from sysop.surfaces.slack.blocks.answer import answer
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.quotes import passages

days = st.one_of(st.none(), st.dates())
urls = st.one_of(hostile.some, st.sampled_from(["", "https://docs.corp.example/x", "https://evil.com/x"]))
citations = st.builds(
    lambda page, section, day, url: Citation(
        page, section, section, page, "a" * 64, day, citation.reviewed(day, date(2026, 1, 1), 180), url
    ),
    hostile.some,
    hostile.some,
    days,
    urls,
)
found = st.builds(
    lambda cited, text, asked, sure, url: listings.Found(cited, excerpt(Section("", "", text, 1), asked), sure, url),
    citations,
    nouns.words,
    nouns.words,
    st.floats(0, 1),
    urls,
)
CITED = Citation("runbooks/x.md", "fix", "Fix", "A page", "a" * 64, None, "unreviewed", "https://docs.corp.example/x")


@nouns.SOME
@given(st.lists(found, max_size=8))
def test_slack_takes_whatever_is_found(sections: Any) -> None:
    payloads.takes(listings.found(sections, nouns.LINKS))


@nouns.SOME
@given(st.lists(citations, max_size=6), st.lists(nouns.words, max_size=6))
def test_slack_takes_every_answer_that_quotes_and_cites(cites: Any, lines: Any) -> None:
    quoted = "\n".join(f"> {line}" if number % 2 else line for number, line in enumerate(lines))
    run = nouns.run(plan={"cites": [one.as_json() for one in cites]}, conclusion={"summary": quoted})
    payloads.takes(answer(run, [], nouns.LINKS))


def test_quoted_lines_are_quotes_with_words_in_bold_and_nothing_else_is() -> None:
    parts = passages("He says:\n> the **queue** grows\n> and **waits\nThen **this** stays.", nouns.LINKS)
    assert [part["type"] for part in parts] == ["rich_text_section", "rich_text_quote", "rich_text_section"]
    assert [(one["text"], one.get("style")) for one in parts[1]["elements"]] == [
        ("the ", None),
        ("queue", {"bold": True}),
        (" grows", None),
        ("\n", None),
        ("and **waits", None),
    ]
    assert parts[2]["elements"][0]["text"] == "Then **this** stays."


def test_a_text_of_very_many_quotes_is_shown_as_it_is() -> None:
    (part,) = passages("a\n> b\n" * 100, nouns.LINKS)
    assert part["type"] == "rich_text_section"


def test_the_pages_an_answer_rests_on_are_linked_and_marked_and_those_of_a_fallback_too() -> None:
    plain = {"cites": [CITED.as_json()]}
    for plan in (plain, {"degraded": "no model", "fallback": plain}):
        seen = texts(answer(nouns.run(plan=plan), [], nouns.LINKS).blocks)
        assert "⚠ <https://docs.corp.example/x#fix|A page · Fix> (rev aaaaaaaaaaaa, never reviewed)" in seen


def test_an_address_off_the_list_is_no_link() -> None:
    bad = Citation("runbooks/x.md", "fix", "Fix", "A page", "a" * 64, None, "unreviewed", "https://evil.com/x")
    seen = texts(answer(nouns.run(plan={"cites": [bad.as_json()]}), [], nouns.LINKS).blocks)
    assert "evil.com" not in seen
    assert "A page · Fix `runbooks/x.md#fix`" in seen
    shown = listings.found([listings.Found(bad, [], 0.9, "https://evil.com/x")], nouns.LINKS)
    assert "'type': 'link'" not in str(shown.blocks)


def test_a_page_of_our_own_is_linked_where_people_read_it() -> None:
    ours = Citation("runbooks/x.md", "", "", "A page", "a" * 64, date(2026, 1, 1), "reviewed")
    sources = [Cited("runbooks/x.md", "A page", "https://docs.corp.example/runbooks/x.md")]
    seen = texts(answer(nouns.run(plan={"cites": [ours.as_json()]}), sources, nouns.LINKS).blocks)
    assert "📖 <https://docs.corp.example/runbooks/x.md|A page> (rev aaaaaaaaaaaa, reviewed 2026-01-01)" in seen
