"""A Deployment somebody else runs: it hears of changes, reports its pods, and the API tells of them."""

from __future__ import annotations

import time

from sysop.testing.kubernetes import Cluster, Pod, SpecChange


def managed() -> tuple[Cluster, list[SpecChange]]:
    cluster, heard = Cluster(), []
    cluster.add_deployment("shop", "search", "shop/search:1", replicas=2, managed=True, progress_deadline=0)
    cluster.on_change = heard.append
    return cluster, heard


def ask(cluster: Cluster, spec: dict) -> None:
    def make(found: dict) -> dict:
        return {**found, "spec": {**found["spec"], **spec}}

    cluster.change("deployments", "shop", "search", make, by="ann", field_manager="t")


def status(cluster: Cluster) -> dict:
    return (cluster.get("deployments", "shop", "search") or {})["status"]


def test_pods_are_as_they_are_reported_and_not_otherwise():
    cluster, heard = managed()
    assert status(cluster)["unavailableReplicas"] == 2
    cluster.report("shop", "search", [Pod("a", "shop/search:1"), Pod("b", "shop/search:1", ready=False)])
    assert (status(cluster)["replicas"], status(cluster)["readyReplicas"]) == (2, 1)
    cluster.report("shop", "search", [Pod("a", "shop/search:1")])
    assert [one["metadata"]["name"] for one in cluster.every("pods", "shop")] == ["a"]
    assert heard == []


def test_whoever_runs_them_hears_of_what_was_asked_and_by_whom():
    cluster, heard = managed()
    ask(cluster, {"replicas": 3})
    assert [str(one) for one in heard] == ["scale shop/search 2 -> 3"]
    assert heard[0].by == "ann"
    cluster.set_image("shop", "search", "shop/search:2")
    cluster.set_replicas("shop", "search", 1)
    assert len(heard) == 1, "what it did itself it is not told"
    assert [one.what for one in cluster.changes] == ["scale", "image", "scale"]


def test_a_pod_belongs_to_the_revision_of_its_image_and_of_its_start():
    cluster, _ = managed()
    old = [Pod("a", "shop/search:1", started_at=time.time()), Pod("b", "shop/search:1", started_at=time.time())]
    cluster.report("shop", "search", old)
    template = (cluster.get("deployments", "shop", "search") or {})["spec"]["template"]
    meta = {**template["metadata"], "annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    ask(cluster, {"template": {**template, "metadata": meta}})
    assert "updatedReplicas" not in status(cluster), "the same image, but from before the restart"
    new = [Pod("c", "shop/search:1", started_at=time.time()), Pod("d", "shop/search:1", started_at=time.time())]
    cluster.report("shop", "search", new)
    assert (status(cluster)["updatedReplicas"], status(cluster)["readyReplicas"]) == (2, 2)
    assert status(cluster)["conditions"][1]["reason"] == "NewReplicaSetAvailable"


def test_a_rollout_that_does_not_come_on_within_its_deadline_is_stuck():
    cluster, _ = managed()
    cluster.report("shop", "search", [Pod("a", "shop/search:1")])
    assert status(cluster)["conditions"][1]["reason"] == "ProgressDeadlineExceeded"


def test_a_pod_that_was_started_again_has_a_new_log_and_an_end():
    cluster, _ = managed()
    cluster.report("shop", "search", [Pod("a", "shop/search:1")])
    cluster.log("shop", "a", "the last words")
    cluster.report("shop", "search", [Pod("a", "shop/search:1", restarts=1, reason="OOMKilled")])
    assert cluster.logs("shop", "a", previous=False) == []
    assert [line for _, line in cluster.logs("shop", "a", previous=True) or ()] == ["the last words"]
    (pod,) = cluster.every("pods", "shop")
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    before = ended["finishedAt"]
    cluster.report("shop", "search", [Pod("a", "shop/search:1", restarts=1, reason="OOMKilled", memory_bytes=1)])
    (pod,) = cluster.every("pods", "shop")
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"] == before


def test_events_of_the_same_are_counted():
    cluster, _ = managed()
    for _ in range(3):
        cluster.event("shop", "Pod", "a", "BackOff", "again")
    found = [one for one in cluster.every("events", "shop") if one["reason"] == "BackOff"]
    assert [one["count"] for one in found] == [3]


def test_an_object_has_a_new_version_only_when_something_moved():
    cluster, _ = managed()
    cluster.report("shop", "search", [Pod("a", "shop/search:1", started_at=1.0)])
    versions = set()
    for _ in range(3):
        cluster.report("shop", "search", [Pod("a", "shop/search:1", started_at=1.0)])
        versions.add((cluster.get("deployments", "shop", "search") or {})["metadata"]["resourceVersion"])
    assert len(versions) == 1
