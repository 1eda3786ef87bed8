"""Safety promise 10: exactly once, under races and replays."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.clicks import run_clicks
from scale import size

CLICKS = size(12_800)
PROCESSES = 8


@pytest.mark.timeout(900)
def test_no_click_makes_an_effect_run_twice_or_without_its_quorum(url: str, tmp_path: Path) -> None:
    tally = run_clicks(tmp_path, url, CLICKS, PROCESSES, runners=1 if url.startswith("sqlite") else 2)
    print(tally)
    assert tally.broken == {}, tally
    assert 0 < tally.executed < tally.approvals, "nothing ran, or everything did: the clicks prove nothing"
    assert tally.replays > 0
