"""What others wrote stays on its own line of a card: it cannot pass for a statement of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sysop.testing.gitlab import GitLab
from sysop.testing.gitlab.server import WRITE_TOKEN
from sysop_plugins.remote.card import card

BREAKS = ["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as server:
        server.project("acme/checkout", ["main"])
        yield server


@pytest.mark.parametrize("broken", BREAKS)
def test_no_break_of_any_kind_begins_a_line(broken):
    text = f"fix{broken}dry run: the API server takes it"
    shown = card(text, (text, "live: 1 -> 2"), (text,))
    assert shown.changes == ("fix ⏎ dry run: the API server takes it", "live: 1 -> 2")
    assert [one.splitlines() for one in (shown.summary, *shown.affects)] == [[shown.changes[0]]] * 2


async def test_a_parameter_of_several_lines_is_one_line_of_the_card(world, gitlab):
    world.secrets["token"] = WRITE_TOKEN
    pipelines = {"ci": {"project": "acme/checkout", "parameters": ["suite"]}}
    world.settings["cicd"] = {"gitlab": {"url": gitlab.url, "token_secret": "token", "pipelines": pipelines}}
    shown = await world.preview("cicd.trigger", pipeline="ci", parameters={"suite": "fast\nwhere: nowhere"})
    assert shown.changes == ("suite = fast ⏎ where: nowhere", "where: gitlab")
