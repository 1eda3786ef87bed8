"""What goes wrong at the wire, and processes that are killed: every outcome is clear and no change is made twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes_kit import Stage, staged

from gate.kit import dies_at
from sysop.testing.kubernetes import Fault

CHANGES: dict[str, dict[str, Any]] = {
    "scale": {"service": "checkout", "replicas": 3},
    "restart": {"service": "checkout"},
    "rollout_undo": {"service": "checkout"},
    "cordon": {"node": "node-1"},
}
NOTHING = {
    "401": Fault("status", status=401, message="Unauthorized"),
    "403": Fault("status", status=403, message="deployments.apps is forbidden"),
    "404": Fault("status", status=404, message="not found"),
    "422": Fault("status", status=422, message="is invalid"),
    "429": Fault("status", status=429, headers={"retry-after": "600"}, message="too many requests"),
}
DOUBT = {"500": Fault("status", status=500), "hang": Fault("hang"), "cut before": Fault("cut_before")}
DONE = {"cut after": Fault("cut_after"), "no JSON": Fault("garbage"), "odd JSON": Fault("odd")}
OTHERS = ("restart", "rollout_undo", "cordon")
"""All changes take one way to the server: one of them meets everything, the others one of each kind."""
SAYS = {"429": "asked too often; it may be asked again at"}


@pytest.fixture
def one_url(tmp_path: Path, migrated_file: Path) -> str:
    file = tmp_path / "sysop.db"
    shutil.copy(migrated_file, file)
    return f"sqlite:///{file}"


@pytest.fixture
async def stage(tmp_path: Path, one_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(tmp_path, one_url, monkeypatch) as one:
        yield one


@pytest.fixture
async def either(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(tmp_path, url, monkeypatch) as one:
        yield one


async def changed(stage: Stage, action: str, fault: Fault) -> Any:
    stage.server.fault(replace(fault, method="PATCH"))
    gate = stage.hasty() if fault.kind == "hang" else stage.gate
    return await stage.settled(gate, await gate.submit(f"kubernetes.{action}", CHANGES[action]))


@pytest.mark.parametrize(
    ("action", "kind"), [*(("scale", kind) for kind in NOTHING), *((action, "403") for action in OTHERS)]
)
async def test_a_change_that_is_refused_is_not_made_and_says_why(stage, action, kind):
    row = await changed(stage, action, NOTHING[kind])
    assert (row.state, stage.server.changes) == ("failed", []), row
    assert row.error.startswith("kubernetes: ")
    assert SAYS.get(kind, kind) in row.error


@pytest.mark.parametrize(
    ("action", "kind"), [*(("scale", kind) for kind in DOUBT), *((action, "cut before") for action in OTHERS)]
)
async def test_a_change_that_did_not_arrive_is_looked_up_and_not_made(stage, action, kind):
    row = await changed(stage, action, DOUBT[kind])
    assert (row.state, stage.server.changes) == ("failed", []), row
    assert "; the target says: " in row.error
    assert "does not carry this call's key" in row.error


@pytest.mark.parametrize(
    ("action", "kind"), [*(("scale", kind) for kind in DONE), *((action, "cut after") for action in OTHERS)]
)
async def test_a_change_whose_answer_is_lost_is_found_and_made_once(stage, action, kind):
    row = await changed(stage, action, DONE[kind])
    assert (row.state, len(stage.server.changes)) == ("done", 1), row
    assert json.loads(row.result)["what"] == action


async def test_a_version_that_only_the_status_moved_is_asked_again(stage):
    row = await changed(stage, "restart", Fault("status", status=409, message="the object has been modified"))
    assert (row.state, len(stage.server.changes)) == ("done", 1), row


async def test_a_version_that_moves_on_and_on_is_given_up(stage):
    row = await changed(stage, "restart", Fault("status", status=409, message="the object has been modified", times=9))
    assert (row.state, stage.server.changes) == ("failed", []), row
    assert "kubernetes: 409, the object has been modified" in row.error


@pytest.mark.parametrize("kind", [*NOTHING, *DOUBT, "no JSON", "odd JSON"])
async def test_a_read_that_fails_says_why(stage, kind):
    fault = {**NOTHING, **DOUBT, **DONE}[kind]
    stage.server.fault(replace(fault, method="GET", path="/deployments", times=3))
    gate = stage.hasty() if fault.kind == "hang" else stage.gate
    run = await gate.submit("kubernetes.rollout_status", {"service": "checkout"})
    await gate.advance(run)
    row = await gate.row(run)
    assert row.state == "failed", row
    words = {"hang": "did not answer", "cut before": "did not answer", "no JSON": "is not JSON", "odd JSON": "metadata"}
    assert {**words, **SAYS}.get(kind, kind) in row.error, row.error
    assert stage.server.changes == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/deployments/checkout"), ("POST", "selfsubjectaccessreviews")],
    ids=["dry run", "may"],
)
async def test_a_question_whose_answer_is_odd_is_not_called_a_change(stage, method, path):
    stage.process(policy={})
    stage.server.fault(Fault("odd", method=method, path=path))
    run = await stage.gate.submit("kubernetes.scale", CHANGES["scale"])
    await stage.gate.advance(run)
    told = await stage.gate.told(run)
    assert "the answer is not that of its API" in told
    assert "accepted" not in told, "nothing was changed, and nothing is said to have been"
    assert stage.server.changes == []


async def killed(stage: Stage, action: str, point: str) -> None:
    run = await stage.process(dies_at(point)).dying(f"kubernetes.{action}", CHANGES[action])
    assert len(stage.server.changes) == (0 if point == "executing" else 1)
    after = stage.process()
    row = await stage.settled(after, run)
    assert (row.state, len(stage.server.changes)) == ("done", 1), row
    await stage.later()
    await after.advance(run)
    assert len(stage.server.changes) == 1


@pytest.mark.parametrize("point", ["executing", "performed", "ended.done"])
async def test_a_change_is_made_once_wherever_its_process_is_killed(either, point):
    await killed(either, "scale", point)


@pytest.mark.parametrize("action", OTHERS)
async def test_every_change_is_found_again_after_its_process_was_killed(stage, action):
    await killed(stage, action, "performed")


async def test_a_change_that_was_overtaken_by_another_after_its_process_was_killed_is_left_to_the_check(stage):
    run = await stage.process(dies_at("performed")).dying("kubernetes.scale", CHANGES["scale"])
    stage.cluster.set_replicas("shop", "checkout", 5)
    row = await stage.settled(stage.process(), run)
    assert (row.state, len(stage.server.changes)) == ("done", 1), row
    assert stage.cluster.get("deployments", "shop", "checkout")["spec"]["replicas"] == 5


async def test_two_changes_to_one_service_never_overlap_whichever_they_are(stage):
    first = await stage.process(dies_at("performed")).dying("kubernetes.scale", CHANGES["scale"])
    gate = stage.process()
    second = await gate.submit("kubernetes.restart", CHANGES["restart"])
    await gate.advance(second)
    assert "another change to service:checkout is not finished" in await gate.told(second)
    assert (await stage.settled(gate, first)).state == "done"
    await stage.settled(gate, await gate.submit("kubernetes.restart", CHANGES["restart"]))
    assert [one.what for one in stage.cluster.changes] == ["scale", "restart"]
