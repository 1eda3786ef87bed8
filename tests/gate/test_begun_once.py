"""What was begun once and not finished is never called "nothing was run", whatever forbids it by then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from lab import lines
from sysop.errors import OutcomeUnknown
from sysop.model import Actor, Call, EffectState, Origin, Request
from sysop.store import effects, runs

ANN = Actor("person:ann", frozenset({"approver"}), human=True)
FREE = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
CALL = Call("c", "lab.blind", {"name": "x"})


class Killed(BaseException):
    """Stands for the death of the process."""


def die_at(wanted: str) -> Callable[[str], None]:
    def probe(point: str) -> None:
        if point == wanted:
            raise Killed

    return probe


@pytest.mark.parametrize(
    "later", [{"policy": {"rules": [], "defaults": False}}, {"policy": {"rules": []}}], ids=["forbidden", "approval"]
)
async def test_an_effect_that_is_forbidden_after_the_crash_ends_unknown(
    tmp_path: Path, url: str, later: dict[str, Any]
) -> None:
    before = bench.build(tmp_path, url, policy=FREE, probe=die_at("performed"))
    run_id = await before.service.submit(Request(ANN, Origin.ASKED, "test", planner="direct", action="lab.blind"))
    run = await before.store.write(lambda tx: runs.claim(tx, run_id, "one"))
    assert run is not None
    with pytest.raises(Killed):
        await before.gate.execute(run, CALL)
    await before.close()
    after = bench.build(tmp_path, url, **later)
    await after.store.write(runs.release_all)
    again = await after.store.write(lambda tx: runs.claim(tx, run_id, "two"))
    assert again is not None
    with pytest.raises(OutcomeUnknown):
        await after.gate.execute(again, CALL)
    row = await after.store.read(lambda conn: effects.find(conn, run_id, "c"))
    assert row is not None
    assert row.state is EffectState.UNKNOWN
    assert "nothing was run" not in (row.error or "")
    assert len(lines(tmp_path / "effects")) == 1
    await after.close()
