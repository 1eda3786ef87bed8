"""Which addresses may be links: exact hosts, hosts below one, our own pages, and no trick."""

from __future__ import annotations

import pytest
import slack_hostile as hostile
import slack_reader as reader
from hypothesis import given, settings
from hypothesis import strategies as st

from scale import size
from sysop.errors import InvalidRequest
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.links import Links, pieces

SOME = settings(deadline=None)
LINKS = Links(("example.com", "*.corp.example"), own=("127.0.0.1:8321", "console.internal"))


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "http://example.com/", "HTTPS://EXAMPLE.COM/x", "https://example.com/a/b?c=d&e=f#g"),
        *(
            "https://a.corp.example/x",
            "https://a.b.corp.example",
            "http://127.0.0.1:8321/runs/run-1",
            "http://console.internal/",
        ),
        *("https://example.com/%2e%2e/me", "https://example.com?x=1", "https://example.com#top"),
    ],
)
def test_hosts_on_the_list_are_links(url: str) -> None:
    assert LINKS.allows(url)


@pytest.mark.parametrize(
    "url",
    [
        *("https://a.example.com", "https://corp.example", "https://notexample.com", "https://example.com.evil.com"),
        *(
            "https://example.com@evil.com",
            "https://user@example.com",
            "https://user:pw@example.com",
            "https://:@example.com/",
        ),
        *("https://example.com:443", "https://example.com:8443/", "https://example.com.", "https://example.com./x"),
        *(
            "https://xn--exmple-cua.com",
            "https://xn--a.corp.example/",
            "https://exаmple.com",
            "https://example。com",
            "https://ｅxample.com",
        ),
        *(
            "https://example.com\\.evil.com",
            "https:\\\\example.com",
            "https:/example.com",
            "https:///example.com",
            "//example.com",
        ),
        *(
            "ftp://example.com",
            "javascript:alert(1)//example.com",
            "data:text/html,x",
            "file:///etc/passwd",
            "slack://example.com",
        ),
        *(
            "https://example.com\t",
            " https://example.com",
            "https://exam\u200bple.com",
            "https://example.com/\u202e",
            "https://example.com/a b",
        ),
        *(
            "https://-a.corp.example",
            "https://a-.corp.example",
            "https://.corp.example",
            "https://a..corp.example",
            "https://",
        ),
        *(
            "https://example.com/<x>",
            "https://example.com/|x",
            "https://example.com/`x",
            "https://example.com/;x",
            "https://example.com/@here",
            "",
            "example.com",
        ),
        *("http://127.0.0.1:8322/", "http://127.0.0.1/", "http://0x7f.1:8321", "https://example.com/" + "a" * 2000),
    ],
)
def test_everything_else_is_not(url: str) -> None:
    assert not LINKS.allows(url)


@SOME
@given(hostile.text)
def test_nothing_a_browser_takes_elsewhere_is_allowed(url: str) -> None:
    links = Links(reader.HOSTS)
    assert not links.allows(url) or not reader.leads_off(url)


@settings(max_examples=size(3000, 200), deadline=None)
@given(hostile.text)
def test_pieces_leave_nothing_out(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text, LINKS)) == text


def test_a_link_must_end_where_every_reader_ends_it() -> None:
    kinds = [piece.kind for piece in pieces("https://example.com*@evil.com/ x", LINKS)]
    assert "link" not in kinds
    assert [p.kind for p in pieces("(https://example.com/x).", LINKS)] == ["text", "link", "text"]


@SOME
@given(st.sampled_from(["root", "incident", "approval", "home"]), st.from_regex(r"[A-Za-z0-9.-]{1,30}", fullmatch=True))
def test_a_key_says_what_it_names(kind: str, id: str) -> None:
    assert str(keys.parse(f"{kind}:{id}")) == f"{kind}:{id}"
    assert keys.parse(keys.plan(id, 3)) == keys.Key("plan", id, 3)
    assert keys.plan(id) == f"plan:{id}#1"


@pytest.mark.parametrize(
    "text", ["", "root:", "root", "root:a b", "other:x", "root:x#2", "plan:x#0", "plan:x#", "home:T.U\n"]
)
def test_other_text_is_no_key(text: str) -> None:
    with pytest.raises(InvalidRequest):
        keys.parse(text)
