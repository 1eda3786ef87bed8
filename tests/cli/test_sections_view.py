"""Sections as a terminal shows them: what answers, how it is cited, and what to doubt."""

from __future__ import annotations

import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from terminal import same_as_snapshot

from sysop.cli.sections_view import sections, sections_json
from sysop.knowledge.document import Document
from sysop.knowledge.hits import Hit
from sysop.knowledge.page import Section

TODAY = date(2026, 11, 2)
FIX = Section("Purge the dumps", "purge-the-dumps", "Purge dumps that are older than a week.\n\n- Ask nobody.\n", 3)


def hit(confidence: float, reviewed: date | None = None, url: str = "", section: Section = FIX) -> Hit:
    page = Document(
        "dumps", "runbooks/dumps.md", "3f2a1c" * 10, "Dumps fill the disk", (section,), reviewed=reviewed, url=url
    )
    return Hit(page, section, confidence, 1.0)


def drawn(hits: list[Hit], words: str = "purge dumps", width: int = 80, **more: bool) -> str:
    screen = io.StringIO()
    sections(hits, words, Console(width=width, file=screen, **more), TODAY, 180)
    return screen.getvalue()


def test_sections_look_as_people_have_reviewed_them() -> None:
    found = [hit(0.94, date(2026, 10, 2)), hit(0.61, date(2025, 1, 3)), hit(0.2)]
    same_as_snapshot(drawn(found), "sections")


def test_where_none_fits_it_says_so_first() -> None:
    assert drawn([hit(0.3)]).startswith("no runbook fits for sure; the nearest, as a possibility:\n")
    assert drawn([]) == "no runbook has any of these words\n"
    assert "possibility" not in drawn([hit(0.5)])


def test_the_words_are_bold_the_doubtful_is_yellow_and_only_the_address_of_the_source_is_a_link() -> None:
    seen = drawn([hit(0.9, url="https://wiki.example.com/dumps")], force_terminal=True)
    assert "\x1b[1;36mPurge\x1b[0m \x1b[1;36mdumps\x1b[0m that are older" in seen
    assert "\x1b[33m (! rev 3f2a1c3f2a1c, never reviewed)" in seen
    assert "https://wiki.example.com/dumps#purge-the-dumps" in seen
    bad = Section("T", "t", "Purge [link=https://evil.com]dumps[/link] \x1b]8;;https://evil.com\x1b\\x", 1)
    seen = drawn([hit(0.9, section=bad)], force_terminal=True, width=200)
    assert "\x1b]8;;https://evil.com" not in seen
    assert "[link=https://evil.com]" in seen, "what a page holds is shown, not obeyed"


def test_all_of_a_citation_is_in_json() -> None:
    (found,) = sections_json([hit(0.94, date(2025, 1, 3), "https://wiki.example.com/dumps")], "purge", TODAY, 180)
    assert found == {
        "page": "runbooks/dumps.md",
        "section": "purge-the-dumps",
        "heading": "Purge the dumps",
        "title": "Dumps fill the disk",
        "digest": "3f2a1c" * 10,
        "reviewed": "2025-01-03",
        "state": "stale",
        "url": "https://wiki.example.com/dumps",
        "citation": "runbooks/dumps.md#purge-the-dumps",
        "link": "https://wiki.example.com/dumps#purge-the-dumps",
        "confidence": 0.94,
        "fits": True,
        "lines": ["Purge dumps that are older than a week."],
    }


@pytest.mark.parametrize("width", [20, 40, 200])
def test_it_fits_the_terminal(width: int) -> None:
    assert max(map(len, drawn([hit(0.9), hit(0.1)], width=width).splitlines())) <= width


@given(st.text(max_size=80), st.text(max_size=20), st.floats(0, 1))
def test_whatever_a_page_holds_nothing_in_it_moves_the_cursor(text: str, words: str, sure: float) -> None:
    seen = drawn([hit(sure, section=Section(text, text, text, 1))], words)
    assert all(char == "\n" or char.isprintable() for char in seen)
