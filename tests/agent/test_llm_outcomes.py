"""A failed action is told to the model as a failure: no result it could build on, no invitation to a second try."""

from __future__ import annotations

from pathlib import Path

import pytest
from llm_kit import desk

from sysop.testing.llm import Answer, Asked, LlmServer, Use, turns


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sysop.db'}"


async def test_failures_do_not_invite_a_second_try_and_do_not_use_the_model_up(tmp_path: Path, sqlite: str) -> None:
    """More failures than there are tries for wrong arguments, each of another change."""

    def script(asked: Asked) -> Answer:
        if asked.turn == 5:
            return Answer("none of them is possible")
        return Answer("", [Use("lab-refuse", {"name": f"n{asked.turn}-free"})])

    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
            assert {o.state for o in await bot.outcomes(run.id)} == {"failed"}
    told = server.asked[-1].results
    assert len(told) == 5
    assert all(f"n{n}-free is not possible" in text for n, text in enumerate(told))
    assert not any("try again" in text for text in told)
    assert run.conclusion["summary"] == "none of them is possible"
    assert run.conclusion["degraded"] is None


@pytest.mark.parametrize(
    ("change", "third"),
    [("lab-refuse", "nothing has changed since the first"), ("lab-append", "lab.look is done")],
    ids=["failed", "control: it worked"],
)
async def test_a_change_that_failed_has_changed_nothing(tmp_path: Path, sqlite: str, change: str, third: str) -> None:
    """The third equal look is answered with a hint; after a change that worked it is made."""
    uses = [Use(tool, {"name": "s-free"}) for tool in ("lab-look", change, "lab-look", "lab-look")]
    with LlmServer(turns(*(Answer("", [use]) for use in uses), Answer("seen"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            await bot.end()
    assert third in server.asked[-1].results[3]
