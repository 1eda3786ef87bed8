"""Kill the process anywhere, on both databases; see what is left. `make bench` runs it at 500 kills."""

import os
from pathlib import Path

import pytest

from crash.matrix import run_matrix

KILLS = int(os.environ.get("SYSOP_TEST_KILLS", "60"))


def test_no_kill_loses_an_entry_or_doubles_an_effect(url: str, tmp_path: Path) -> None:
    tally = run_matrix(tmp_path, url, "append", KILLS)
    print(tally)
    assert tally.kills >= KILLS
    assert (tally.lost, tally.duplicated, tally.unaudited) == (0, 0, 0), tally
    assert (tally.unknown, tally.stuck, tally.chain_problem) == (0, 0, None), tally


def test_a_target_that_cannot_be_asked_ends_unknown_and_never_twice(url: str, tmp_path: Path) -> None:
    tally = run_matrix(tmp_path, url, "shout", KILLS // 2)
    print(tally)
    assert (tally.lost, tally.duplicated, tally.unaudited) == (0, 0, 0), tally
    assert tally.unknown > 0, "no kill hit an effect under way: the matrix proves nothing"
    assert tally.stuck == 0, tally


def test_the_control_that_retries_blindly_does_double_effects(tmp_path: Path) -> None:
    tally = run_matrix(tmp_path, f"sqlite:///{tmp_path / 'sysop.db'}", "blind", 40)
    print(tally)
    assert tally.duplicated > 0, "blind retry showed no duplicate: the matrix proves nothing"


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.timeout(1800))
