"""A tenth of the outage drill: nothing lost, nothing out of order, duplicates only where a post landed late."""

from __future__ import annotations

import sys
from pathlib import Path

from scale import size

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

import slack_outage


async def test_an_outage_loses_nothing_and_mixes_nothing_up(url: str) -> None:
    found = await slack_outage.drill(url, size(500), size(50))
    assert (found.lost, found.reordered, found.dead) == (0, 0, 0), found
    assert found.duplicated + found.stray <= found.resent, found
