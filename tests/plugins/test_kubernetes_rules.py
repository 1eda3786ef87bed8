"""The rules behind the actions: patches, which revision is meant, which place, quantities, how far a rollout is."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sysop.api import ActionFailed
from sysop.testing.kubernetes.patches import json_patch, merge, strategic
from sysop.testing.kubernetes.selecting import labelled
from sysop_plugins.kubernetes.pods import Pod
from sysop_plugins.kubernetes.quantities import cores, size
from sysop_plugins.kubernetes.rollout import merge_patch, rolled, undo_to
from sysop_plugins.kubernetes.settings import Settings
from sysop_plugins.kubernetes.shapes import Event, Selector, Workload

PLAIN = st.recursive(
    st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=3)),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), PLAIN, max_size=4)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_from_any_object_to_any_other(one: dict[str, Any], other: dict[str, Any]):
    before = copy.deepcopy(one)
    assert merge(one, merge_patch(one, other)) == other
    assert one == before
    assert merge_patch(other, other) == {}


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_survives_the_wire_and_names_only_what_differs(one: dict[str, Any], other: dict[str, Any]):
    patch = json.loads(json.dumps(merge_patch(one, other)))
    assert merge(one, patch) == other
    assert all(one.get(name) != other.get(name) for name in patch)


def test_strategic_and_json_patches_are_taken_as_the_server_takes_them():
    pod = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}
    patch = {"containers": [{"name": "b", "image": "2"}], "$setElementOrder/containers": [{"name": "a"}]}
    assert strategic(pod, patch)["containers"] == [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]
    assert strategic(pod, {"$patch": "replace", "x": 1}) == {"x": 1}
    operations = [{"op": "test", "path": "/a~1b", "value": 1}, {"op": "replace", "path": "/a~1b", "value": 2}]
    assert json_patch({"a/b": 1}, operations) == {"a/b": 2}


def deployment(image: str, revision: int, restarted: str = "", kind: str = "d", **status: Any) -> Workload:
    labels = {"app": "checkout", **({"pod-template-hash": f"h{revision}"} if kind == "rs" else {})}
    notes = {"annotations": {"kubectl.kubernetes.io/restartedAt": restarted}} if restarted else {}
    template = {
        "metadata": {"labels": labels, "creationTimestamp": None, **notes},
        "spec": {"containers": [{"name": "checkout", "image": image}]},
    }
    meta = {"name": "checkout", "annotations": {"deployment.kubernetes.io/revision": str(revision)}, "generation": 3}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "checkout"}}, "template": template}
    return Workload.model_validate({"metadata": meta, "spec": spec, "status": status})


SETS = [
    deployment("c:1", 1, kind="rs"),
    deployment("c:2", 2, kind="rs"),
    deployment("c:2", 3, "monday", kind="rs"),
    deployment("c:2", 4, "tuesday", kind="rs"),
]


def test_an_undo_without_a_revision_goes_back_past_restarts():
    assert undo_to(deployment("c:2", 4, "tuesday"), SETS, None).revision == 1
    assert undo_to(deployment("c:2", 4, "tuesday"), SETS, 3).revision == 3


@pytest.mark.parametrize(
    ("revision", "says"), [(9, "it keeps: 4"), (4, "is what runs already"), (None, "no revision before")]
)
def test_an_undo_that_leads_nowhere_is_refused(revision, says):
    sets = SETS if revision else SETS[1:]
    with pytest.raises(ActionFailed, match=says):
        undo_to(deployment("c:2", 4, "tuesday"), sets, revision)


FULL = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
LATE = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
OVER = [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (FULL, "complete"),
        ({**FULL, "observedGeneration": 2}, "rolling"),
        ({**FULL, "updatedReplicas": 1}, "rolling"),
        ({**FULL, "replicas": 3}, "rolling"),
        ({**FULL, "availableReplicas": 1}, "rolling"),
        ({**FULL, "availableReplicas": 1, "conditions": OVER}, "degraded"),
        ({**FULL, "updatedReplicas": 1, "conditions": LATE}, "stuck"),
        ({}, "rolling"),
    ],
)
def test_how_far_a_rollout_is(status, state):
    assert rolled(deployment("c:1", 1, **status)).state == state


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("2", 2.0),
        ("1500000n", 0.0015),
        ("32Mi", 33554432.0),
        ("1e3", 1000.0),
        ("128974848", 128974848.0),
    ],
)
def test_quantities_are_numbers(text, number):
    assert cores(text) == pytest.approx(number)


def test_what_is_no_quantity_is_refused():
    with pytest.raises(ActionFailed, match="'lots' is no quantity"):
        size("lots")


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"url": "http://k", "namespaces": ["shop"], **more})


def test_a_service_is_the_deployment_of_its_name_unless_settings_say_otherwise():
    ours = settings(services={"checkout": {"deployment": "co", "scale": {"min": 2, "max": 4}}})
    assert str(ours.place_of("checkout")) == "shop/co"
    assert str(ours.place_of("gateway")) == "shop/gateway"
    assert (ours.service_of(ours.place_of("checkout")), ours.service_of(ours.place_of("gateway"))) == (
        "checkout",
        "gateway",
    )
    assert (ours.bounds_of("checkout").max, ours.bounds_of("gateway").max) == (4, 10)


def test_one_deployment_is_never_that_of_two_services():
    with pytest.raises(ValidationError, match=r"services\.b: shop/co is already that of a"):
        settings(services={"a": {"deployment": "co"}, "b": {"deployment": "co"}})
    with pytest.raises(ActionFailed, match="shop/co is declared as that of checkout"):
        settings(services={"checkout": {"deployment": "co"}}).place_of("co")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"namespaces": []}, "name the namespaces"),
        ({"services": {"a": {"namespace": "bank"}}}, "'bank' is not among `namespaces`"),
        ({"namespaces": ["shop", "bank"], "services": {"a": {}}}, "there are several namespaces"),
        ({"scale": {"min": 5, "max": 2}}, "5 is more than max, 2"),
        ({"url": "kube"}, "url"),
        ({"namespace": ["shop"]}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_are_named(more, says):
    with pytest.raises(ValidationError, match=says):
        settings(**more)


def test_of_several_namespaces_that_of_a_service_must_be_named():
    ours = settings(namespaces=["shop", "bank"])
    with pytest.raises(ActionFailed, match=r"plugins\.kubernetes\.services\.ledger\.namespace"):
        ours.place_of("ledger")
    with pytest.raises(ActionFailed, match=r"set plugins\.kubernetes\.url"):
        Settings().place_of("ledger")


def test_an_event_of_a_newer_server_has_its_time_elsewhere():
    meta = {"name": "e", "creationTimestamp": "2026-11-30T20:00:00Z"}
    told = {"metadata": meta, "involvedObject": {}, "lastTimestamp": None, "eventTime": "2026-11-30T20:00:01.5Z"}
    assert Event.model_validate({**told, "count": None}).event_time == 1_796_068_801_500


def test_a_pod_turned_when_it_became_ready_or_a_container_of_it_ended():
    def pod(ready: str, ended: str | None) -> Pod:
        last = {"terminated": {"exitCode": 1, "finishedAt": ended}} if ended else {}
        container = {"name": "c", "image": "c:1", "ready": True, "restartCount": 1, "lastState": last, "state": {}}
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": ready}
        meta = {"name": "p", "creationTimestamp": "2026-11-30T20:00:00Z"}
        return Pod.model_validate(
            {"metadata": meta, "status": {"conditions": [condition], "containerStatuses": [container]}}
        )

    ready = pod("2026-11-30T20:00:05Z", None).turned_at
    assert pod("2026-11-30T20:00:05Z", "2026-11-30T20:00:09Z").turned_at - ready == 4000
    assert ready < time.time_ns()


@pytest.mark.parametrize(
    ("expressions", "mine"),
    [
        ([], ["checkout", "canary", "checkout-db"]),
        ([{"key": "tier", "operator": "In", "values": ["web", "edge"]}], ["checkout", "canary"]),
        ([{"key": "tier", "operator": "NotIn", "values": ["db"]}], ["checkout", "canary"]),
        ([{"key": "track", "operator": "Exists"}], ["canary"]),
        ([{"key": "track", "operator": "DoesNotExist"}], ["checkout", "checkout-db"]),
        ([{"key": "tier", "operator": "Exists"}, {"key": "tier", "operator": "In", "values": ["db"]}], ["checkout-db"]),
    ],
)
def test_a_selector_finds_the_same_pods_at_the_server_and_here(expressions, mine):
    labels = {
        "checkout": {"app": "checkout", "tier": "web"},
        "canary": {"app": "checkout", "tier": "web", "track": "canary"},
        "checkout-db": {"app": "checkout", "tier": "db"},
        "gateway": {"app": "gateway", "tier": "web"},
    }
    found = Selector.model_validate({"matchLabels": {"app": "checkout"}, "matchExpressions": expressions})
    asked = labelled(str(found))
    assert [name for name, has in labels.items() if asked({"metadata": {"labels": has}})] == mine
    assert [name for name, has in labels.items() if found.fits(has)] == mine


def test_an_operator_nobody_knows_is_no_answer_rather_than_a_wrong_one():
    with pytest.raises(ValidationError, match="operator"):
        Selector.model_validate({"matchExpressions": [{"key": "tier", "operator": "Near", "values": ["web"]}]})
