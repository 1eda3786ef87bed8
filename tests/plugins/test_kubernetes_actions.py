"""The actions as a user has them: through the gate, before a cluster that is played step by step."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes_kit import Stage, staged

from sysop.testing.kubernetes import Fault, Pod, Rights, Rule


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    file = tmp_path / "sysop.db"
    shutil.copy(migrated_file, file)
    return f"sqlite:///{file}"


@pytest.fixture
async def stage(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(tmp_path, url, monkeypatch) as one:
        yield one


def pods(stage: Stage) -> list[dict[str, Any]]:
    return [one for one in stage.cluster.every("pods", "shop") if one["metadata"]["labels"]["app"] == "checkout"]


async def test_workloads_are_listed_with_the_service_they_belong_to(stage):
    stage.cluster.add_stateful_set("shop", "orders-db", "postgres:18")
    stage.cluster.add_daemon_set("shop", "log-agent", "agent:1")
    found = await stage.read("workloads")
    told = {one["name"]: (one["kind"], one["service"], one["wanted"], one["ready"]) for one in found["workloads"]}
    assert told == {
        "checkout": ("Deployment", "checkout", 2, 2),
        "gateway": ("Deployment", "gateway", 1, 1),
        "orders-db": ("StatefulSet", None, 1, 1),
        "log-agent": ("DaemonSet", None, 1, 1),
    }
    assert (found["count"], found["unwell"]) == (4, 0)


async def test_a_stuck_rollout_shows_its_pods_and_what_it_can_go_back_to(stage):
    stage.cluster.bad_images.add("shop/checkout:1.5.0")
    stage.cluster.set_image("shop", "checkout", "shop/checkout:1.5.0")
    for _ in range(8):
        found = await stage.read("rollout_status", service="checkout")
    assert (found["state"], found["ready"], found["wanted"]) == ("stuck", 2, 2)
    assert "no progress within 600 s" in found["detail"]
    assert [one["image"] for one in found["revisions"]] == [f"shop/checkout:1.{n}.0" for n in (5, 4, 3)]
    assert {one["reason"] for one in found["pods"] if not one["ready"]} == {"ImagePullBackOff"}
    events = await stage.read("events", service="checkout", warnings_only=True)
    assert events["warnings"] == events["count"] > 0
    assert {one["reason"] for one in events["events"]} == {"Failed"}


async def test_events_are_those_of_the_service_and_not_of_one_whose_name_begins_alike(stage):
    stage.cluster.add_deployment("shop", "checkout-worker", "w:1")
    stage.cluster.event("shop", "Pod", "checkout-worker-abc", "OOMKilling", "out of memory")
    stage.cluster.event("shop", "Pod", "checkout-abc", "Unhealthy", "probe failed")
    mine = {one["reason"] for one in (await stage.read("events", service="checkout"))["events"]}
    assert ("Unhealthy" in mine, "OOMKilling" in mine) == (True, False)
    assert "OOMKilling" in {one["reason"] for one in (await stage.read("events"))["events"]}


async def test_the_log_is_that_of_the_pod_that_is_worst_off_without_secrets(stage):
    stage.cluster.crashing_images.add("shop/checkout:2")
    stage.cluster.set_image("shop", "checkout", "shop/checkout:2")
    for _ in range(3):
        stage.cluster.every("pods", "shop")
    worst = next(one["metadata"]["name"] for one in pods(stage) if one["spec"]["containers"][0]["image"].endswith(":2"))
    secret = "ghp_" + "a1B2" * 9
    for line in ("start", f"login {secret} read-token", "Traceback (most recent call last):", "KeyError: 'cart'"):
        stage.cluster.log("shop", worst, line)
    found = await stage.read("pod_logs", service="checkout", lines=3)
    assert (found["pod"], found["lines"]) == (worst, 3)
    assert "KeyError: 'cart'" in found["failing"]
    assert secret not in found["text"]
    assert "read-token" not in found["text"]
    stage.cluster.end_log("shop", worst)
    before = await stage.read("pod_logs", service="checkout", pod=worst, previous=True)
    assert before["lines"] == 4


async def test_events_of_a_stateful_set_whose_name_begins_alike_are_not_those_of_the_service(stage):
    stage.cluster.add_stateful_set("shop", "checkout-db", "postgres:18")
    stage.cluster.event("shop", "Pod", "checkout-db-0", "OOMKilling", "out of memory")
    found = await stage.read("events", service="checkout")
    assert "OOMKilling" not in {one["reason"] for one in found["events"]}


async def test_a_pod_that_was_evicted_has_no_log_so_one_that_runs_is_read(stage):
    gone = Pod("gone", "shop/search:1", ready=False, phase="Failed", reason="Evicted")
    stage.cluster.add_deployment("shop", "search", "shop/search:1", managed=True)
    stage.cluster.report("shop", "search", [gone, Pod("runs", "shop/search:1")])
    stage.cluster.log("shop", "runs", "still here")
    stage.process(inventory={"search": {}})
    assert (await stage.read("pod_logs", service="search"))["pod"] == "runs"


async def test_a_huge_log_is_cut_to_its_end(stage):
    name = pods(stage)[0]["metadata"]["name"]
    for number in range(6000):
        stage.cluster.log("shop", name, f"{number} " + "x" * 1000)
    found = await stage.read("pod_logs", service="checkout", pod=name, lines=2000)
    assert len(found["text"].encode()) <= 64 * 1024
    assert " 5999 x" in found["text"].splitlines()[-1]


async def test_usage_is_counted_over_the_pods_of_the_service(stage):
    found = await stage.read("usage", service="checkout")
    assert (found["cores"], found["memory_bytes"]) == (0.01, 2 * 32 * 1024 * 1024)
    stage.cluster.metrics_server = False
    run = await stage.gate.submit("kubernetes.usage", {"service": "checkout"})
    await stage.gate.advance(run)
    row = await stage.gate.row(run)
    assert (row.state, "the cluster has no metrics server" in row.error) == ("failed", True)


async def test_a_service_is_scaled_out_and_back_and_each_is_verified(stage):
    out = await stage.change("scale", service="checkout", replicas=4)
    assert (out.state, out.verified) == ("done", True), out
    result = json.loads(out.result)
    assert (result["object"], result["before"], result["after"]) == ("shop/checkout", "2", "4")
    back = await stage.change("scale", service="checkout", replicas=2)
    assert (back.state, back.verified) == ("done", True), back
    assert stage.server.changes == ["scale shop/checkout 2 -> 4", "scale shop/checkout 4 -> 2"]
    assert {one.field_manager for one in stage.cluster.changes} == {"sysop"}


async def test_a_restart_replaces_every_pod_by_one_of_the_same_image(stage):
    before = {one["metadata"]["name"] for one in pods(stage)}
    row = await stage.change("restart", service="checkout")
    assert (row.state, row.verified) == ("done", True), row
    after = pods(stage)
    assert not before & {one["metadata"]["name"] for one in after}
    assert {one["spec"]["containers"][0]["image"] for one in after} == {"shop/checkout:1.4.0"}
    assert [one.what for one in stage.cluster.changes] == ["restart"]


async def test_an_undo_goes_back_past_restarts_to_the_version_before(stage):
    await stage.change("restart", service="checkout")
    row = await stage.change("rollout_undo", service="checkout")
    assert (row.state, row.verified) == ("done", True), row
    result = json.loads(row.result)
    assert (result["before"], result["after"]) == ("shop/checkout:1.4.0", "shop/checkout:1.3.0")
    found = await stage.read("rollout_status", service="checkout")
    assert (found["image"], found["revision"], found["state"]) == ("shop/checkout:1.3.0", 4, "complete")


async def test_an_undo_to_a_revision_that_is_named(stage):
    stage.cluster.set_image("shop", "checkout", "shop/checkout:1.5.0")
    await stage.rest()
    row = await stage.change("rollout_undo", service="checkout", revision=1)
    assert json.loads(row.result)["after"] == "shop/checkout:1.3.0"


async def test_a_scale_out_whose_pods_crash_is_not_called_good(stage):
    stage.cluster.crashing_images.add("shop/checkout:1.4.0")
    run = await stage.gate.submit("kubernetes.restart", {"service": "checkout"})
    await stage.gate.advance(run)
    for _ in range(8):
        stage.cluster.every("deployments", "shop")
    await stage.later()
    await stage.gate.work()
    row = await stage.gate.row(run)
    assert (row.state, row.verified) == ("done", False), row
    assert "stuck" in row.verification


async def test_a_node_is_cordoned_and_uncordoned(stage):
    assert (await stage.change("cordon", node="node-1")).verified
    assert (await stage.change("uncordon", node="node-1")).verified
    assert [one.what for one in stage.cluster.changes] == ["cordon", "uncordon"]


async def test_the_approval_shows_what_where_who_feels_it_and_that_the_server_would_take_it(stage):
    stage.cluster.add_disruption_budget("shop", "checkout", 1)
    shown = json.loads((await stage.asked("scale", service="checkout", replicas=4)).preview)
    assert shown["summary"] == "Scale shop/checkout from 2 to 4 replicas"
    assert shown["changes"] == [
        "replicas: 2 -> 4",
        "bounds: 1 to 10",
        "image: shop/checkout:1.4.0",
        "the API server lets this credential patch deployments in shop",
        "dry run: the API server takes it",
    ]
    assert shown["affects"] == [
        "checkout gets +100 % of its pods",
        "gateway calls checkout",
        "PodDisruptionBudget checkout: at least 1 there",
    ]
    assert stage.server.changes == []


async def test_the_approval_shows_what_was_changed_there_just_before(stage):
    await stage.change("restart", service="checkout")
    await stage.change("scale", service="checkout", replicas=3)
    shown = json.loads((await stage.asked("scale", service="checkout", replicas=4)).preview)
    told = [line.partition(": ")[2] for line in shown["affects"] if " UTC: " in line]
    assert [line.partition(" by ")[0] for line in told] == [
        "checkout was scaled (2 -> 3)",
        "checkout was restarted",
    ]


async def test_the_approval_of_an_undo_shows_both_versions_and_what_is_under_way(stage):
    stage.cluster.bad_images.add("shop/checkout:1.5.0")
    stage.cluster.set_image("shop", "checkout", "shop/checkout:1.5.0")
    for _ in range(8):
        stage.cluster.every("deployments", "shop")
    shown = json.loads((await stage.asked("rollout_undo", service="checkout")).preview)
    assert shown["summary"] == "Roll shop/checkout back from revision 3 to 2"
    assert shown["changes"][:2] == ["revision: 3 -> 2", "image: shop/checkout:1.5.0 -> shop/checkout:1.4.0"]
    assert any(line.startswith("rollout of checkout is stuck") for line in shown["affects"])


@pytest.mark.parametrize(
    ("action", "args", "says"),
    [
        (
            "scale",
            {"service": "checkout", "replicas": 11},
            "replicas: 11 is not within 1 to 10, the bounds of checkout",
        ),
        ("scale", {"service": "checkout", "replicas": 0}, "not within 1 to 10"),
        ("scale", {"service": "gateway", "replicas": 2}, "HorizontalPodAutoscaler gateway owns the replicas"),
        ("restart", {"service": "payments"}, "404"),
        ("rollout_undo", {"service": "gateway"}, "there is no revision before the present one"),
        ("rollout_undo", {"service": "checkout", "revision": 9}, r"the server does not keep 9; it keeps: 2"),
        ("rollout_undo", {"service": "checkout", "revision": 2}, "revision: 2 is what runs already"),
        ("cordon", {"node": "node-7"}, "404"),
    ],
)
async def test_what_cannot_be_is_refused_and_named_with_and_without_an_approval(stage, action, args, says):
    stage.cluster.add_autoscaler("shop", "gateway", 1, 4)
    for policy in ({}, None):
        gate = stage.process(**({"policy": policy} if policy is not None else {}))
        run = await gate.submit(f"kubernetes.{action}", args)
        await gate.advance(run)
        told = await gate.told(run)
        assert says in told, told
    assert stage.server.changes == []


async def test_a_deployment_whose_rollout_is_paused_is_left_alone(stage):
    stage.cluster.change(
        "deployments",
        "shop",
        "checkout",
        lambda found: {**found, "spec": {**found["spec"], "paused": True}},
        by="ann",
        field_manager="t",
    )
    row_run = await stage.gate.submit("kubernetes.restart", {"service": "checkout"})
    await stage.gate.advance(row_run)
    assert "is paused; resume it first" in await stage.gate.told(row_run)


async def test_nobody_is_asked_for_what_the_server_would_not_allow(tmp_path, url, monkeypatch):
    looks = Rights("sysop", (Rule(("get", "list"), ("*",)),))
    async with staged(tmp_path, url, monkeypatch, tokens={"read-token": looks, "write-token": looks}) as stage:
        gate = stage.process(policy={})
        run = await gate.submit("kubernetes.restart", {"service": "checkout"})
        await gate.advance(run)
        assert "by the server's access review this credential may not patch deployments in shop" in await gate.told(run)
        assert await gate.row(run) is None or (await gate.row(run)).state == "failed"


async def test_with_two_credentials_the_server_is_asked_about_the_one_that_writes(tmp_path, url, monkeypatch):
    looks = Rights("looker", (Rule(("get", "list"), ("*",)), Rule(("create",), ("subjectaccessreviews",))))
    tokens = {"read-token": looks, "write-token": Rights("writer")}
    async with staged(tmp_path, url, monkeypatch, tokens=tokens, write_user="writer") as stage:
        approval = await stage.asked("restart", service="checkout")
        shown = json.loads(approval.preview)["changes"]
        assert "the API server lets writer patch deployments in shop" in shown
        assert "dry run: not made, since this credential may only read" in shown
        assert (await stage.gate.vote(approval)).counted
        await stage.gate.work()
        assert (await stage.gate.row(approval.run)).state == "done"
        assert [one.by for one in stage.cluster.changes] == ["writer"]


async def test_a_dry_run_that_is_refused_stops_it_before_anybody_is_asked(stage):
    stage.server.fault(Fault("status", "PATCH", "dryRun=All", 422, message="quota of pods is used up"))
    gate = stage.process(policy={})
    run = await gate.submit("kubernetes.scale", {"service": "checkout", "replicas": 4})
    await gate.advance(run)
    assert "dry run refused: kubernetes: 422, quota of pods is used up" in await gate.told(run)


@pytest.mark.parametrize("moves", ["image", "replicas"])
async def test_what_moved_after_the_approval_is_not_changed(stage, moves):
    approval = await stage.asked("scale", service="checkout", replicas=4)
    if moves == "image":
        stage.cluster.set_image("shop", "checkout", "shop/checkout:1.5.0")
    else:
        stage.cluster.set_replicas("shop", "checkout", 3)
    assert (await stage.gate.vote(approval)).counted
    await stage.gate.work()
    assert stage.server.changes == []
    assert {one.by for one in stage.cluster.changes} == {"somebody else"}


async def test_a_status_that_moves_on_does_not_spoil_an_approval(stage):
    approval = await stage.asked("restart", service="checkout")
    stage.cluster.crashing_images.add("shop/checkout:1.4.0")
    stage.cluster.every("pods", "shop")
    assert (await stage.gate.vote(approval)).counted
    await stage.gate.advance(approval.run)
    assert [one.what for one in stage.cluster.changes] == ["restart"]


async def test_a_namespace_that_is_not_allowed_is_not_even_asked(tmp_path, url, monkeypatch):
    async with staged(tmp_path, url, monkeypatch, namespaces=["shop"]) as stage:
        assert {one["namespace"] for one in (await stage.read("workloads"))["workloads"]} == {"shop"}
        await stage.read("events")
        assert not [one for one in stage.server.asked if "/bank/" in one]
