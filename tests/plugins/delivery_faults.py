"""What goes wrong at the wire, for every change and every read of a provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from delivery_stage import CHANGES, ENDLESS, Put, Stage, copied

from sysop.store.effects import Effect
from sysop.testing.wire import Fault, Outcome

NOTHING = {
    "401": Fault("status", status=401, message="Bad credentials"),
    "403": Fault("status", status=403, message="Not allowed"),
    "404": Fault("status", status=404, message="Not Found"),
    "409": Fault("status", status=409, message="Conflict"),
    "422": Fault("status", status=422, message="Unprocessable"),
    "429": Fault("status", status=429, headers={"retry-after": "600"}, message="Too many"),
}
DOUBT = {
    "500": Fault("status", status=500, message="Internal"),
    "hang": Fault("hang"),
    "cut before": Fault("cut_before"),
}
DONE = {
    "cut after": Fault("cut_after"),
    "no JSON": Fault("garbage"),
    "odd JSON": Fault("odd"),
}
SAYS = {
    "401": ("401", "token"),
    "403": ("403", "token"),
    "404": ("404",),
    "409": ("409",),
    "422": ("422",),
    "429": ("asked too often", "may be asked again at"),
    "hang": ("did not answer",),
    "cut before": ("did not answer",),
    "odd JSON": ("the answer is not that of its API",),
    "no JSON": ("is not JSON",),
}
WHOLE = ("trigger", "deploy")
"""All changes take one way to the server: these two meet every refusal and every doubt, the others one of each."""
ONE = ("409", "500")
LOST = [*((change, kind) for change in CHANGES for kind in ("cut after", "odd JSON")), ("deploy", "no JSON")]
LOOKS = [*((change, "404") for change in CHANGES), ("deploy", "500"), ("deploy", "odd JSON")]
READS = ("status", "logs", "builds", "recent_deploys", "live_version")


def _copy(fault: Fault, **changes: Any) -> Fault:
    values = {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
    return Fault(**{**values, **changes})


def _kinds(faults: Mapping[str, Fault], change: str) -> list[tuple[str, Fault]]:
    return [(kind, fault) for kind, fault in faults.items() if change in WHOLE or kind in ONE]


class Faults(Put):
    """Everything that goes wrong at the wire, for every change and every read."""

    @pytest.fixture
    def url(self, tmp_path: Path, migrated_file: Path) -> str:
        """Return one database; that the ledger is the same on both is seen in the tests of the gate."""
        return copied(tmp_path, migrated_file)

    async def _change(
        self, stage: Stage, change: str, fault: Fault, args: Mapping[str, Any] | None = None
    ) -> tuple[Effect, list[str]]:
        """Make a change while something goes wrong; return what became of it and what the server changed."""
        args = args or await stage.ready(change)
        begun = len(stage.vendor.changes)
        stage.vendor.fault(fault)
        gate = stage.hasty() if fault.kind == "hang" else stage.opened[0]
        run = await gate.submit(f"cicd.{change}", args)
        row = await stage.settled(gate, run)
        await gate.advance(run)
        return row, list(stage.vendor.changes[begun:])

    def _at(self, stage: Stage, change: str, fault: Fault) -> Fault:
        method, path = stage.vendor.ways[change]
        return _copy(fault, method=method, path=path)

    @pytest.mark.parametrize("change", CHANGES)
    async def test_a_change_that_is_refused_is_not_made_and_says_why(self, stage: Stage, change: str) -> None:
        args = await stage.ready(change)
        for kind, fault in _kinds(NOTHING, change):
            row, made = await self._change(stage, change, self._at(stage, change, fault), args)
            assert (row.state, made) == ("failed", []), (kind, row)
            assert (row.error or "").startswith(f"{stage.vendor.name}: "), row.error
            for words in SAYS[kind]:
                assert words in (row.error or ""), row.error

    @pytest.mark.parametrize("change", CHANGES)
    async def test_a_change_that_did_not_arrive_is_looked_up_and_not_made(self, stage: Stage, change: str) -> None:
        args = await stage.ready(change)
        ends = "unknown" if change in stage.vendor.unseen else "failed"
        for kind, fault in _kinds(DOUBT, change):
            row, made = await self._change(stage, change, self._at(stage, change, fault), args)
            assert (row.state, made) == (ends, []), (kind, row)
            assert ends == "unknown" or "; the target says: " in (row.error or ""), row

    @pytest.mark.parametrize(("change", "kind"), LOST)
    async def test_a_change_whose_answer_is_lost_is_found_and_made_once(
        self, stage: Stage, change: str, kind: str
    ) -> None:
        row, made = await self._change(stage, change, self._at(stage, change, DONE[kind]))
        ends = "unknown" if change in stage.vendor.unseen else "done"
        assert (row.state, made) == (ends, [stage.vendor.made[change]]), row

    @pytest.mark.parametrize(("change", "kind"), LOOKS)
    async def test_a_look_that_fails_after_the_change_does_not_make_it_undone(
        self, stage: Stage, change: str, kind: str
    ) -> None:
        fault = {**NOTHING, **DOUBT, **DONE}[kind]
        times = 3 if kind == "500" else 1  # so often the gate's client asks again by itself
        row, made = await self._change(stage, change, _copy(fault, method="GET", after_change=True, times=times))
        ends = "unknown" if change in stage.vendor.unseen and row.state != "done" else "done"
        assert (row.state, made) == (ends, [stage.vendor.made[change]]), row

    async def test_a_read_that_fails_says_why_and_changes_nothing(self, stage: Stage) -> None:
        vendor = stage.vendor
        build = await stage.ended(await stage.built(good=False))
        await stage.deployed(vendor.versions[0])
        begun = len(vendor.changes)
        args: dict[str, dict[str, Any]] = {
            "status": {"build": build["id"]},
            "logs": {"build": build["id"]},
            "live_version": {"service": vendor.service},
        }
        for kind, scripted in {**NOTHING, **DOUBT, **DONE}.items():
            fault = _copy(scripted, method="GET", times=ENDLESS)
            vendor.fault(fault)
            gate = stage.hasty() if kind == "hang" else stage.opened[0]
            for read in READS if kind in NOTHING else READS[: 1 if kind == "hang" else 2]:
                run = await gate.submit(f"cicd.{read}", args.get(read, {}))
                await gate.advance(run)
                row = await gate.row(run)
                said = (row.error or "") if row else await gate.told(run)
                assert row is None or row.state == "failed", (kind, read, row)
                for words in SAYS.get(kind, ()):
                    assert words in said, (kind, read, said)
                assert said, (kind, read)
            fault.times = 0
        assert len(vendor.changes) == begun

    async def test_a_server_that_asks_for_a_moment_s_patience_gets_it(self, stage: Stage) -> None:
        build = await stage.ended(await stage.built())
        stage.vendor.fault(Fault("status", status=429, headers={"retry-after": "0"}, times=1))
        assert (await stage.do("status", "look", build=build["id"]))["state"] == "succeeded"

    async def test_of_a_huge_log_the_end_is_told_without_secrets(self, stage: Stage) -> None:
        vendor, gate = stage.vendor, stage.opened[0]
        secret = "ghp_" + "a1B2" * 9
        log = "a line of sixteen\n" * 200_000 + f"login with {secret} {vendor.tokens[0]}\nE   assert 1 == 2\n"
        vendor.next(Outcome(good=False, log=log, looks=1))
        args = {"pipeline": vendor.pipeline, "parameters": dict(vendor.parameters)}
        build = await stage.ended((await stage.do("trigger", "huge", **args))["id"])
        run = await gate.submit("cicd.logs", {"build": build["id"], "lines": 2000})
        await gate.advance(run)
        row = await gate.row(run)
        assert row is not None
        assert row.state == "done", row.error
        logs = json.loads(row.result or "")
        assert "E   assert 1 == 2" in logs["failing"]
        assert len(logs["text"].encode()) <= 64 * 1024
        assert "login with [redacted" in logs["text"]
        assert (secret in logs["text"], vendor.tokens[0] in logs["text"]) == (False, False)
