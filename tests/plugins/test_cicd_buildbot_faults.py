"""A real Buildbot behind a proxy: its life through the gate, faults on the way, and processes that are killed.

Every build is a real one, so each change and each fault of the kit is here, but not each with each: that is for the
servers that stand in.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import delivery_kit
import pytest
from delivery_kit import BEFORE, BETWEEN, Crashes, Faults, Life, Opener, Stage

from plugins.buildbot_lab import BuildbotVendor, Master, running
from sysop.testing.wire import Fault


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    with running(tmp_path_factory.mktemp("master")) as found:
        yield found


@pytest.fixture
def vendors(master: Master, monkeypatch: pytest.MonkeyPatch) -> Opener:
    for status in ("401", "403"):  # what signs in at Buildbot is a password
        monkeypatch.setitem(delivery_kit.SAYS, status, (status, "password_secret"))
    monkeypatch.delitem(delivery_kit.DOUBT, "hang")  # a real server needs a long time-out: one such test is below
    return lambda: BuildbotVendor(master)


class TestLife(Life):
    """The life of builders and their force schedulers."""


class TestFaults(Faults):
    """What goes wrong on the way."""

    @pytest.mark.parametrize("change", ["rerun", "cancel", "deploy"])
    async def test_a_change_that_is_refused_is_not_made_and_says_why(self, stage: Stage, change: str) -> None:
        await super().test_a_change_that_is_refused_is_not_made_and_says_why(stage, change)

    @pytest.mark.parametrize("change", ["trigger", "cancel", "deploy"])
    async def test_a_change_that_did_not_arrive_is_looked_up_and_not_made(self, stage: Stage, change: str) -> None:
        await super().test_a_change_that_did_not_arrive_is_looked_up_and_not_made(stage, change)

    async def test_a_deploy_whose_request_hangs_is_looked_up_and_not_made(self, stage: Stage) -> None:
        row, made = await self._change(stage, "deploy", self._at(stage, "deploy", Fault("hang")))
        assert (row.state, made, "; the target says: " in (row.error or "")) == ("failed", [], True), row

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ("trigger", "no JSON"),
            ("rerun", "odd JSON"),
            ("cancel", "cut after"),
            ("deploy", "cut after"),
            ("rollback", "cut after"),
        ],
    )
    async def test_a_change_whose_answer_is_lost_is_found_and_made_once(
        self, stage: Stage, change: str, kind: str
    ) -> None:
        await super().test_a_change_whose_answer_is_lost_is_found_and_made_once(stage, change, kind)

    @pytest.mark.parametrize(("change", "kind"), [("trigger", "404"), ("cancel", "500"), ("rollback", "odd JSON")])
    async def test_a_look_that_fails_after_the_change_does_not_make_it_undone(
        self, stage: Stage, change: str, kind: str
    ) -> None:
        await super().test_a_look_that_fails_after_the_change_does_not_make_it_undone(stage, change, kind)


class TestCrashes(Crashes):
    """Killed processes."""

    @pytest.fixture
    def url(self, tmp_path: Path, migrated_file: Path) -> str:
        """Return one database: what the ledger does on both is seen with the servers that stand in."""
        return delivery_kit._sqlite(tmp_path, migrated_file)

    @pytest.mark.parametrize(
        ("change", "point"),
        [
            ("trigger", BETWEEN),
            ("rerun", BETWEEN),
            ("cancel", BETWEEN),
            ("deploy", BEFORE),
            ("deploy", BETWEEN),
            ("rollback", BETWEEN),
        ],
    )
    async def test_a_change_is_made_once_wherever_its_process_is_killed(
        self, stage: Stage, change: str, point: str
    ) -> None:
        await super().test_a_change_is_made_once_wherever_its_process_is_killed(stage, change, point)
