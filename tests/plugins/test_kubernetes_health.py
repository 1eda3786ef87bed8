"""What `sysop doctor` says of the cluster, the post-check's health query, and the manifest of rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from kubernetes_kit import cluster, section

import bench
from sysop.testing.kubernetes import ApiServer, Fault, Rights, Rule
from sysop_plugins.kubernetes.settings import Settings as KubernetesSettings

ERRORS = 'errors{service="checkout"}'
MANIFEST = Path(__file__).parents[2] / "deploy/kubernetes/rbac.yaml"


def rights_of(manifest: Path, user: str) -> Rights:
    """Return what the manifest allows a service account, as the stand-in reads it."""
    documents = list(yaml.safe_load_all(manifest.read_text()))
    roles = {(one["kind"], one["metadata"]["name"]): one for one in documents if one["kind"].endswith("Role")}
    rules: list[Rule] = []
    for one in documents:
        subjects = [subject["name"] for subject in one.get("subjects", [])]
        if user in subjects:
            space = one["metadata"].get("namespace")
            role = roles[one["roleRef"]["kind"], one["roleRef"]["name"]]
            spaces = [space] if space else ["*"]
            rules += [Rule(rule["verbs"], rule["resources"], spaces) for rule in role["rules"]]
    return Rights(user, rules)


@pytest.fixture
def known(world: Any) -> Any:
    world.secrets["kubernetes"] = "token"
    return world


async def test_the_doctor_asks_the_server_and_names_its_version(known):
    assert (await known.health("kubernetes")).ok is None
    with ApiServer(cluster(), {}) as server:
        known.settings["kubernetes"] = section(server.url)
        told = await known.health("kubernetes")
        assert (told.ok, "v1.31.2, namespaces shop" in told.detail) == (True, True)
        server.fault(Fault("status", path="/readyz", status=503, message="etcd"))
        assert (await known.health("kubernetes")).ok is False
        server.fault(Fault("garbage", path="/version"))
        told = await known.health("kubernetes")
        assert (told.ok, "egress.ca_file" in told.fix) == (False, True)


@pytest.mark.parametrize(("value", "state"), [("0.01", "passed"), ("0.5", "failed")])
async def test_after_a_change_the_health_query_has_its_say(known, prometheus, value, state):
    health = {"query": 'errors{service="{service}"}', "below": 0.1, "every_seconds": 1, "within_seconds": 4}
    prometheus.gives('errors{service="checkout"}', value, service="checkout")
    known.settings["metrics"] = {"url": prometheus.url}
    with ApiServer(cluster(), {"token": Rights("sysop")}) as server:
        known.settings["kubernetes"] = section(server.url, health=health)
        result = await known.call("kubernetes.restart", service="checkout")
        told = await known.verdict("kubernetes.restart", result, service="checkout")
        assert (told.state, f"last readings {value}, {value}, {value}, bound 0.1" in told.detail) == (state, True), told


@pytest.mark.parametrize(("after", "state"), [("0.029", "passed"), ("0.031", "failed")])
async def test_after_a_change_readings_are_held_against_those_before_it(known, prometheus, after, state):
    known.settings["metrics"] = {"url": prometheus.url}
    before = {"query": 'errors{service="{service}"}', "worse_than_before": 1.5, "within_seconds": 40}
    with ApiServer(cluster(), {"token": Rights("sysop")}) as server:
        known.settings["kubernetes"] = section(server.url)
        result = await known.call("kubernetes.restart", service="checkout")
        assert (await known.verdict("kubernetes.restart", result, service="checkout")).state == "passed"
        prometheus.gives(ERRORS, lambda t: "0.02" if t * 1000 < result["at"] else after, service="checkout")
        prometheus.gives("up", "1")
        known.settings["kubernetes"] = section(server.url, health=[before, {"query": "up", "below": 2}])
        known.at = result["at"] + 60_000
        told = await known.verify("kubernetes.restart", result, service="checkout")
    assert (told.state, "at most 0.03 against before" in told.detail) == (state, True), told
    assert ("up: last readings" in told.detail) == (state == "passed"), "of what failed only that is told"


async def test_the_manifest_allows_all_that_is_needed_and_nothing_in_other_namespaces(known):
    rights = rights_of(MANIFEST, "sysop")
    with ApiServer(cluster(), {"token": rights}) as server:
        known.settings["kubernetes"] = section(server.url)
        for action in ("workloads", "events"):
            await known.call(f"kubernetes.{action}")
        for action in ("rollout_status", "events", "pod_logs", "usage"):
            await known.call(f"kubernetes.{action}", service="checkout")
        assert (await known.call("kubernetes.access"))["missing"] == []
        await known.preview("kubernetes.scale", service="checkout", replicas=3)
        await known.preview("kubernetes.cordon", node="node-1")
        for action, args in (("scale", {"replicas": 3}), ("restart", {}), ("rollout_undo", {})):
            result = await known.call(f"kubernetes.{action}", service="checkout", **args)
            await known.verdict(f"kubernetes.{action}", result, service="checkout", **args)
        await known.call("kubernetes.cordon", node="node-1")
        async with httpx2.AsyncClient(headers={"authorization": "Bearer token"}) as client:
            for path in ("/api/v1/namespaces/bank/pods", "/api/v1/namespaces/shop/secrets"):
                assert (await client.get(server.url + path)).status_code in (403, 404)
        server.problems.clear()
    kept = {"get", "list", "patch"}
    assert {verb for rule in rights.rules for verb in rule.verbs} == kept


async def test_rights_that_are_missing_are_named_by_namespace(known):
    looks = Rights("sysop", (Rule(("get", "list"), ("deployments", "pods", "pods/log"), ("shop",)),))
    with ApiServer(cluster(), {"token": looks}) as server:
        known.settings["kubernetes"] = section(server.url, namespaces=["shop", "bank"], nodes=False)
        missing = (await known.call("kubernetes.access"))["missing"]
    assert "patch deployments.apps in shop" in missing
    assert "get pods/log in shop" not in missing
    assert "get pods/log in bank" in missing


def test_the_settings_of_the_page_are_valid(tmp_path: Path):
    page = (MANIFEST.parents[2] / "docs/kubernetes.md").read_text()
    given = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    settings = KubernetesSettings.model_validate(given["plugins"]["kubernetes"])
    assert str(settings.place_of("checkout")) == "shop/checkout-web"
    ours = bench.settings(tmp_path, f"sqlite:///{tmp_path}/x.db", secrets=given["secrets"], egress=given["egress"])
    assert ours.egress.ca_file is not None
