"""Processes that are killed in the middle of a change."""

from __future__ import annotations

import pytest
from delivery_stage import CHANGES, Put, Stage

from gate.kit import dies_at

BEFORE, BETWEEN, AFTER = "executing", "performed", "ended.done"
"""Where a process dies: before its request, after it and before the record of it, after the record."""

KILLED = [
    *(("sqlite", change, point) for change in CHANGES for point in (BEFORE, BETWEEN)),
    *(("sqlite", change, AFTER) for change in ("trigger", "deploy")),
    *(("postgres", "deploy", point) for point in (BEFORE, BETWEEN)),
]
"""That the ledger is the same on both databases is seen in the tests of the gate, and here once more."""


class Crashes(Put):
    """A process that is killed in the middle of a change."""

    @pytest.mark.parametrize(("url", "change", "point"), KILLED, indirect=["url"])
    async def test_a_change_is_made_once_wherever_its_process_is_killed(
        self, stage: Stage, change: str, point: str
    ) -> None:
        vendor = stage.vendor
        args = await stage.ready(change)
        begun = len(vendor.changes)
        run = await stage.process(dies_at(point)).dying(f"cicd.{change}", args)
        assert vendor.changes[begun:] == ([] if point == BEFORE else [vendor.made[change]])
        after = stage.process()
        row = await stage.settled(after, run)
        once = [vendor.made[change]]
        if change in vendor.unseen and point != AFTER:
            assert (row.state, vendor.changes[begun:]) == ("unknown", [] if point == BEFORE else once), row
            return
        assert (row.state, vendor.changes[begun:]) == ("done", once), row
        await stage.later()
        await after.advance(run)
        assert vendor.changes[begun:] == once


class Keyless(Put):
    """A build that carries no key: nobody can tell whether it was started."""

    @pytest.mark.parametrize(("url", "point"), [("sqlite", BEFORE), ("sqlite", BETWEEN)], indirect=["url"])
    async def test_what_cannot_be_found_again_is_left_to_a_person(self, stage: Stage, point: str) -> None:
        vendor = stage.vendor
        begun = len(vendor.changes)
        args = {"pipeline": vendor.keyless, "parameters": dict(vendor.parameters)}
        run = await stage.process(dies_at(point)).dying("cicd.trigger", args)
        row = await stage.settled(stage.process(), run)
        made = 0 if point == BEFORE else 1
        assert (row.state, len(vendor.changes) - begun) == ("unknown", made), row
