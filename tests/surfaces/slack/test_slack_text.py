"""Text of others pings nobody and leads nowhere off the list, however it is posted."""

from __future__ import annotations

import pytest
import slack_hostile as hostile
import slack_reader as reader
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from scale import size
from sysop.surfaces.slack import rich
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.markdown import markdown
from sysop.surfaces.slack.text import (
    bare,
    boundary,
    cut,
    duration,
    escape,
    mrkdwn,
    one_line,
    readable,
    split,
    times,
    visible,
    width,
    word,
)

LINKS = Links(reader.HOSTS)
SOME = settings(deadline=None)
MANY = settings(max_examples=size(10_000, 200), deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(hostile.text)
def test_as_mrkdwn_it_is_only_read(text: str) -> None:
    assert reader.mrkdwn(mrkdwn(text, LINKS)) == []


@MANY
@given(hostile.text)
def test_as_markdown_it_is_only_read(text: str) -> None:
    assert reader.markdown(markdown(text, LINKS)) == []


@MANY
@given(hostile.text)
def test_as_rich_text_it_is_only_read(text: str) -> None:
    elements = [*rich.said(text, LINKS), rich.preformatted(text), rich.link(text, text, LINKS), *rich.ticked(text)]
    assert reader.rich_text(rich.rich(rich.section(*elements))) == []


@MANY
@given(hostile.text)
def test_as_bare_text_it_is_only_read_whatever_reads_it(text: str) -> None:
    inert = bare(one_line(text, 200))
    assert list(reader.words(inert)) == []
    assert all(after.startswith("\u200b") for after in inert.split("<")[1:])


@MANY
@given(hostile.text)
def test_a_plain_identifier_is_code_and_anything_else_is_none(text: str) -> None:
    code = word(text)
    assert code is None or (reader.mrkdwn(code) == [] and code == f"`{text}`")


@pytest.mark.parametrize("reads", [reader.mrkdwn, reader.markdown], ids=["mrkdwn", "markdown"])
def test_without_the_escaper_the_same_check_fails(reads: object) -> None:
    found = find(hostile.text, lambda text: bool(reads(text)), settings=settings(max_examples=2000))  # type: ignore[operator]
    assert reads(found)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<@U0VICTIM>",
        "@here",
        "https://evil.com",
        "see evil.com",
        "<https://evil.com|ok>",
        "mailto:a@b.cd",
    ],
)
def test_the_reader_sees_each_danger_when_nothing_is_done(text: str) -> None:
    assert reader.mrkdwn(text) != []


@pytest.mark.parametrize(
    "text",
    [
        *("[x](https://evil.com)", "![x](https://evil.com)", "<https://evil.com>", "[a]\n\n[a]: https://evil.com"),
        *("<b>x</b>", "<!channel>", "`<!here>`", "```\n<@U1>\n```", "www.evil.com", "x @channel"),
    ],
)
def test_the_reader_sees_each_danger_of_markdown_when_nothing_is_done(text: str) -> None:
    assert reader.markdown(text) != []


@pytest.mark.parametrize(
    "text",
    [
        *(
            "~~~ `a`\n~~~~\n~~~\nhttps://evil.com",
            "> ~~~ `a`\n~~~~\n~~~\n[x](https://evil.com)",
            "- ```\nhttps://evil.com\n```",
        ),
        *(
            "1. x\n   ```\nhttps://evil.com\n   ```",
            "| a | b |\n|---|---|\n| `x | https://evil.com` |",
            "`a\nhttps://evil.com\n`",
        ),
        *(
            "javascript:[x](https://evil.com)",
            "evil[.com](x)",
            "[evil]().com",
            "https://example.com*@evil.com/",
            "\\`https://evil.com`",
        ),
        *(
            "https://example.com/a@here",
            "&lt;!channel&gt;",
            "http&#58;//evil.com",
            "[x]\\(https://evil.com)",
            "[x][y]\n\n[y]: //evil.com",
        ),
    ],
)
def test_what_once_got_through_does_not_any_more(text: str) -> None:
    assert reader.markdown(markdown(text, LINKS)) == []
    assert reader.mrkdwn(mrkdwn(text, LINKS)) == []


def test_markdown_keeps_its_looks() -> None:
    kept = (
        "# Title\n\n**bold** and *so on*, `code`, [page](https://example.com/x).\n\n- one\n- two\n\n```py\nx = 1\n```"
    )
    assert markdown(kept, LINKS) == kept


def test_a_link_off_the_list_is_shown_as_code() -> None:
    assert markdown("see [the fix](https://evil.com/a)!", LINKS) == "see the fix (`https://evil.com/a`)!"
    assert mrkdwn("see https://evil.com/a!", LINKS) == "see `https://evil.com/a`!"
    assert rich.said("see https://evil.com/a", LINKS)[1]["style"] == {"code": True}


def test_a_link_on_the_list_stays_a_link() -> None:
    assert mrkdwn("see https://example.com/a?b=1&c=2.", LINKS) == "see <https://example.com/a?b=1&amp;c=2>."
    assert rich.said("https://example.com/a", LINKS) == [
        {"type": "link", "url": "https://example.com/a", "text": "https://example.com/a"}
    ]


def test_an_ampersand_is_escaped_before_the_brackets() -> None:
    assert escape("&lt;!here&gt; <!here>") == "&amp;lt;!here&amp;gt; &lt;!here&gt;"


def test_what_could_hide_is_written_out() -> None:
    assert visible("ab\u202ecd\u200b\u00ad\u2066") == "ab\\u{202e}cd\\u{200b}\\u{ad}\\u{2066}"
    assert visible("pay\u00a0load\u3164\u2800") == "pay\\u{a0}load\\u{3164}\\u{2800}"


def test_an_accent_that_melts_is_written_out_and_letters_that_look_alike_stay() -> None:
    assert visible("caf\u00e9") == "caf\u00e9"
    assert visible("cafe\u0301") == "cafe\\u{301}"
    assert visible("\u0441heckout कि") == "\u0441heckout कि"


def test_prose_keeps_the_mark_that_colours_a_sign_and_values_do_not() -> None:
    assert readable("⚠\ufe0f stop") == "⚠\ufe0f stop"
    assert visible("⚠\ufe0f stop") == "⚠\\u{fe0f} stop"


@SOME
@given(hostile.text)
def test_written_out_text_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert visible(shown) == shown


@SOME
@given(hostile.long_text, st.integers(30, 3000))
def test_a_cut_keeps_the_limit_and_says_how_much_is_missing(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert width(short) <= limit
    if short != text:
        kept, _, note = short.rpartition("… ")
        assert text.startswith(kept)
        assert int(note.split()[0]) == len(text) - len(kept)


@SOME
@given(hostile.long_text, st.integers(2, 3000))
def test_the_parts_of_a_split_fit_and_make_the_whole(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(width(part) <= limit for part in parts)


@SOME
@given(hostile.long_text, st.integers(20, 200))
def test_markdown_fits_its_limit(text: str, limit: int) -> None:
    assert width(markdown(text, LINKS, limit)) <= limit
    assert reader.markdown(markdown(text, LINKS, limit)) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("👩‍👩‍👧👩‍👩‍👧", {0, 5, 10}),
        ("🇩🇪🇫🇷", {0, 2, 4}),
        ("e\u0301e\u0301", {0, 2, 4}),
        ("👍🏽👍🏽", {0, 2, 4}),
        ("ab\\u{202e}cd", {0, 1, 2, 10, 11, 12}),
    ],
    ids=["family", "flags", "accents", "skin", "written out"],
)
def test_a_cut_tears_no_sign_apart(text: str, places: set[int]) -> None:
    assert {boundary(text, at) for at in range(len(text) + 1)} == places


def test_times_and_lengths_read_well() -> None:
    assert [duration(ms) for ms in (0, 59_000, 60_000, 3_725_000, 90_000_000, -5)] == [
        *("0 s", "59 s", "1 min", "1 h 2 min", "1 d 1 h", "0 s")
    ]
    assert times(1, "alert") == "1 alert"
    assert times(2, "entry", "entries") == "2 entries"
