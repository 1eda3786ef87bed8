"""Our own name in what people write: it is no part of what they ask."""

from __future__ import annotations

import pytest

from sysop.surfaces.slack.words import without_mention


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
