"""Puts a provider of `cicd` through what each must stand: a whole life, faults at the wire, and crashes.

A test module describes its provider by a `Vendor` and makes a class of each kind of test:

    @pytest.fixture
    def vendors() -> Opener:
        return GitHubVendor                     # a context manager; every case opens one

    class TestLife(Life): ...
    class TestFaults(Faults): ...
    class TestCrashes(Crashes): ...
    class TestKeyless(Keyless): ...             # where there is a pipeline whose builds carry no key

Everything goes through the real gate: reads with the read token, changes with the write token.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from delivery_crashes import AFTER, BEFORE, BETWEEN, Crashes, Keyless
from delivery_faults import DOUBT, SAYS, Faults
from delivery_stage import LOG, Opener, Put, Stage, Vendor, copied

from gate.kit import over
from sysop.store.effects import Effect
from sysop.testing.wire import Outcome

__all__ = [
    "AFTER",
    "BEFORE",
    "BETWEEN",
    "DOUBT",
    "SAYS",
    "Crashes",
    "Faults",
    "Keyless",
    "Life",
    "Opener",
    "Put",
    "Stage",
    "Vendor",
]
_sqlite = copied


class Life(Put):
    """One life as a user sees it, through the gate."""

    @pytest.fixture
    def url(self, tmp_path: Path, migrated_file: Path) -> str:
        """Return one database; that the ledger is the same on both is seen in the tests of the gate."""
        return copied(tmp_path, migrated_file)

    async def test_trigger_follow_fail_logs_rerun_deploy_verify_and_roll_back(self, stage: Stage) -> None:
        vendor, gate = stage.vendor, stage.opened[0]
        begun = len(vendor.changes)

        async def told(action: str, **args: Any) -> Effect:
            run = await gate.submit(f"cicd.{action}", args)
            async with asyncio.timeout(60):
                while not over(await gate.run(run)):
                    await gate.advance(run)
                    await stage.later()
                    await asyncio.sleep(0.02)
            row = await gate.row(run)
            assert row is not None, await gate.run(run)
            assert row.state == "done", row
            return row

        vendor.next(Outcome(good=False, log=LOG), Outcome())
        failed = await told("trigger", pipeline=vendor.pipeline, parameters=dict(vendor.parameters))
        assert (failed.verified, "failed" in (failed.verification or "")) == (False, True), failed
        build = json.loads(failed.result or "")["id"]
        build = json.loads((await told("status", build=build)).result or "")["id"]
        logs = json.loads((await told("logs", build=build)).result or "")
        assert "E   assert 1 == 2" in logs["failing"], logs
        again = await told("rerun", build=build)
        assert again.verified, again
        for version in vendor.versions[:2]:
            assert (await told("deploy", service=vendor.service, version=version)).verified
        back = await told("rollback", service=vendor.service)
        assert back.verified, back
        assert json.loads(back.result or "")["version"] == vendor.versions[0]
        live = json.loads((await told("live_version", service=vendor.service)).result or "")
        assert live["version"] == vendor.versions[0]
        assert len(vendor.changes) - begun == 5, vendor.changes
