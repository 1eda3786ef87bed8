"""Our own name in what people write: it is no part of what they ask."""

from __future__ import annotations

import pytest

from sysop.surfaces.slack.words import plain, without_mention


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("<@U1> what is broken?", "what is broken?"),
        ("<@U1|sysop>:, what is broken?", "what is broken?"),
        ("hey <@U1> what is broken?", "hey what is broken?"),
        ("hey <@U1>, what is broken?", "hey, what is broken?"),
        ("what is broken, <@U1|sysop>?", "what is broken?"),
        ("what is broken <@U1>", "what is broken"),
        ("<@U1> <@U1>", ""),
        ("<@U2> said &lt;no&gt;", "@U2 said <no>"),
    ],
)
def test_our_name_is_taken_out_wherever_it_stands(said: str, meant: str) -> None:
    assert without_mention(said, "U1") == meant


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("host=<http://web-1.example.com|web-1.example.com>", "host=web-1.example.com"),
        ("<http://web-1.example.com:9100|web-1.example.com:9100>", "web-1.example.com:9100"),
        ("<mailto:ann@example.com|ann@example.com>", "ann@example.com"),
        ("<http://example.com/x|a link>", "http://example.com/x"),
        ("<http://example.com>", "http://example.com"),
        ("<http://a.example|http://a.example>", "http://a.example"),
    ],
)
def test_a_name_that_slack_makes_a_link_of_is_what_was_typed(sent: str, typed: str) -> None:
    assert plain(sent) == typed
