"""The stand-in, driven by the vendor's own client: what it answers has to fit the client's models."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import httpx2
import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from absent import missing
from sysop.testing.kubernetes import ApiServer, Cluster, Rights, Rule, SpecChange, reader

HELPER = Rights(
    "helper", (Rule(("get", "list"), ("*",), ("shop",)), Rule(("patch",), ("deployments/scale",), ("shop",)))
)


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.add_deployment("shop", "checkout", "shop/checkout:1.4.0", replicas=2)
    made.add_deployment("shop", "gateway", "shop/gateway:3.0.0")
    made.add_deployment("bank", "ledger", "bank/ledger:1")
    made.add_stateful_set("shop", "orders-db", "postgres:18")
    made.add_daemon_set("shop", "log-agent", "agent:1")
    made.add_autoscaler("shop", "gateway", 1, 4)
    made.add_disruption_budget("shop", "checkout", 1)
    return made


@pytest.fixture
def server(cluster: Cluster) -> Iterator[ApiServer]:
    with ApiServer(cluster, {"all": Rights("sysop"), "look": reader("looker"), "help": HELPER}) as one:
        yield one


def api(server: ApiServer, token: str = "all") -> client.ApiClient:
    settings = client.Configuration(host=server.url)
    settings.api_key = {"authorization": f"Bearer {token}"}
    settings.client_side_validation = True
    return client.ApiClient(settings)


@pytest.fixture
def apps(server: ApiServer) -> client.AppsV1Api:
    return client.AppsV1Api(api(server))


def settled(apps: client.AppsV1Api, name: str = "checkout") -> client.V1Deployment:
    for _ in range(20):
        found = apps.read_namespaced_deployment(name, "shop")
        status = found.status
        if (status.updated_replicas, status.replicas, status.ready_replicas) == (found.spec.replicas,) * 3:
            return found
    raise AssertionError(found.status)


def code(error: pytest.ExceptionInfo[ApiException]) -> tuple[int, str]:
    return error.value.status, client.ApiClient().deserialize(error.value.body, "V1Status", "application/json").reason


def test_every_list_fits_the_clients_models(server):
    apps, core = client.AppsV1Api(api(server)), client.CoreV1Api(api(server))
    assert [one.metadata.name for one in apps.list_namespaced_deployment("shop").items] == ["checkout", "gateway"]
    assert len(apps.list_deployment_for_all_namespaces().items) == 3
    assert apps.list_namespaced_replica_set("shop").items[0].status.replicas == 2
    assert apps.list_namespaced_stateful_set("shop").items[0].status.ready_replicas == 1
    assert apps.list_namespaced_daemon_set("shop").items[0].status.number_ready == 1
    pods = core.list_namespaced_pod("shop", label_selector="app=checkout").items
    assert [one.status.container_statuses[0].ready for one in pods] == [True, True]
    assert core.list_namespaced_event("shop").items[0].involved_object.kind == "Deployment"
    assert core.list_node().items[0].status.allocatable["cpu"] == "4"
    scalers = client.AutoscalingV2Api(api(server)).list_namespaced_horizontal_pod_autoscaler("shop").items
    assert scalers[0].spec.scale_target_ref.name == "gateway"
    budgets = client.PolicyV1Api(api(server)).list_namespaced_pod_disruption_budget("shop").items
    assert budgets[0].status.disruptions_allowed == 1
    used = client.CustomObjectsApi(api(server)).list_namespaced_custom_object(
        "metrics.k8s.io", "v1beta1", "shop", "pods"
    )
    assert used["items"][0]["containers"][0]["usage"] == {"cpu": "5m", "memory": "32768Ki"}
    assert client.VersionApi(api(server)).get_code().git_version == "v1.31.2"


def test_a_list_goes_on_page_by_page(server):
    core = client.CoreV1Api(api(server))
    first = core.list_pod_for_all_namespaces(limit=3)
    assert (len(first.items), first.metadata.remaining_item_count) == (3, 1)
    assert len(core.list_pod_for_all_namespaces(limit=3, _continue=first.metadata._continue).items) == 1


def test_selectors_choose_and_what_is_no_selector_is_refused(server):
    apps, core = client.AppsV1Api(api(server)), client.CoreV1Api(api(server))
    for selector, expected in (("app in (gateway, x)", 1), ("app!=gateway", 1), ("!app", 0), ("app", 2)):
        assert len(apps.list_namespaced_deployment("shop", label_selector=selector).items) == expected
    assert len(core.list_namespaced_event("shop", field_selector="involvedObject.name=gateway").items) == 1
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_pod("shop", field_selector="spec.colour=red")
    assert code(refused) == (400, "BadRequest")
    assert server.problems == ["pods: field label not supported: spec.colour"]
    server.problems.clear()


def test_a_deployment_is_scaled_and_its_pods_come_step_by_step(apps, cluster, server):
    scaled = apps.patch_namespaced_deployment_scale("checkout", "shop", {"spec": {"replicas": 5}}, field_manager="me")
    assert (scaled.spec.replicas, scaled.status.replicas) == (5, 2)
    assert settled(apps).status.available_replicas == 5
    assert cluster.changes == [SpecChange("shop", "checkout", "scale", "2", "5", "sysop", "me")]
    apps.replace_namespaced_deployment_scale(
        "checkout", "shop", apps.read_namespaced_deployment_scale("checkout", "shop")
    )
    assert server.changes == ["scale shop/checkout 2 -> 5"]


def test_a_dry_run_tells_what_would_be_and_changes_nothing(apps, server):
    shown = apps.patch_namespaced_deployment("checkout", "shop", {"spec": {"replicas": 50}}, dry_run="All")
    assert shown.spec.replicas == 50
    assert apps.read_namespaced_deployment("checkout", "shop").spec.replicas == 2
    assert server.changes == []


def test_a_new_image_is_a_new_revision_and_going_back_takes_the_old_one_up(apps, cluster):
    image = {"containers": [{"name": "checkout", "image": "shop/checkout:1.5.0"}]}
    apps.patch_namespaced_deployment("checkout", "shop", {"spec": {"template": {"spec": image}}})
    assert settled(apps).metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    cluster.set_image("shop", "checkout", "shop/checkout:1.4.0")
    settled(apps)
    sets = apps.list_namespaced_replica_set("shop", label_selector="app=checkout").items
    told = {one.metadata.annotations["deployment.kubernetes.io/revision"]: one.status.replicas for one in sets}
    assert told == {"2": 0, "3": 2}


def test_a_bad_image_hangs_while_the_old_pods_serve_until_the_deadline(apps, cluster):
    cluster.bad_images.add("shop/checkout:9")
    cluster.set_image("shop", "checkout", "shop/checkout:9")
    for _ in range(10):
        found = apps.read_namespaced_deployment("checkout", "shop")
    assert found.status.ready_replicas == 2
    assert [one.reason for one in found.status.conditions if one.type == "Progressing"] == ["ProgressDeadlineExceeded"]


@pytest.mark.parametrize(
    ("token", "call", "expected"),
    [
        ("wrong", lambda apps: apps.list_namespaced_deployment("shop"), (401, "Unauthorized")),
        ("help", lambda apps: apps.list_namespaced_deployment("bank"), (403, "Forbidden")),
        ("look", lambda apps: apps.patch_namespaced_deployment("gateway", "shop", {}), (403, "Forbidden")),
        ("all", lambda apps: apps.read_namespaced_deployment("nobody", "shop"), (404, "NotFound")),
        (
            "all",
            lambda apps: apps.patch_namespaced_deployment("gateway", "shop", {"metadata": {"resourceVersion": "1"}}),
            (409, "Conflict"),
        ),
        (
            "all",
            lambda apps: apps.patch_namespaced_deployment("gateway", "shop", {"spec": {"replicas": -1}}),
            (422, "Invalid"),
        ),
        (
            "all",
            lambda apps: apps.patch_namespaced_deployment(
                "gateway", "shop", {"spec": {"selector": {"matchLabels": {"app": "x"}}}}
            ),
            (422, "Invalid"),
        ),
        (
            "all",
            lambda apps: apps.patch_namespaced_deployment("gateway", "shop", {"spec": {"size": 3}}),
            (400, "BadRequest"),
        ),
    ],
)
def test_what_cannot_be_is_refused_by_a_status(server, token, call, expected):
    with pytest.raises(ApiException) as refused:
        call(client.AppsV1Api(api(server, token)))
    assert code(refused) == expected
    assert server.changes == []


def test_the_access_review_says_what_the_server_then_allows(server):
    review = client.AuthorizationV1Api(api(server, "help"))

    def may(verb: str, resource: str, namespace: str, sub: str | None = None) -> bool:
        asked = client.V1ResourceAttributes(
            verb=verb, group="apps", resource=resource, namespace=namespace, subresource=sub
        )
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked)
        return review.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec)).status.allowed

    assert may("list", "deployments", "shop")
    assert not may("list", "deployments", "bank")
    assert not may("patch", "deployments", "shop")
    assert may("patch", "deployments", "shop", "scale")
    client.AppsV1Api(api(server, "help")).patch_namespaced_deployment_scale(
        "gateway", "shop", {"spec": {"replicas": 2}}
    )


def test_logs_of_now_and_of_before(server, cluster):
    core = client.CoreV1Api(api(server))
    pod = core.list_namespaced_pod("shop", label_selector="app=checkout").items[0].metadata.name
    for line in ("one", "two", "three"):
        cluster.log("shop", pod, line)
    assert core.read_namespaced_pod_log(pod, "shop", tail_lines=2) == "two\nthree\n"
    assert core.read_namespaced_pod_log(pod, "shop", limit_bytes=5) == "one\nt"
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_pod_log(pod, "shop", previous=True)
    assert code(refused) == (400, "BadRequest")
    cluster.end_log("shop", pod)
    assert core.read_namespaced_pod_log(pod, "shop", previous=True) == "one\ntwo\nthree\n"
    assert core.read_namespaced_pod_log(pod, "shop") == ""


def test_a_node_is_cordoned(server, cluster):
    core = client.CoreV1Api(api(server))
    assert core.patch_node("node-1", {"spec": {"unschedulable": True}}).spec.unschedulable
    assert [one.what for one in cluster.changes] == ["cordon"]


@pytest.mark.parametrize(
    ("content", "body", "status"),
    [("application/json", "{}", 415), ("application/merge-patch+json", "{", 400), ("", "{}", 415)],
)
def test_a_patch_of_no_kind_the_server_knows_is_refused(server, content, body, status):
    address = f"{server.url}/apis/apps/v1/namespaces/shop/deployments/gateway"
    headers = {"authorization": "Bearer all", "content-type": content}
    answer = httpx2.patch(address, content=body, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (status, "Status")


def test_kubectl_scales_restarts_and_rolls_back(cluster, tmp_path):
    if shutil.which("kubectl") is None:
        missing("kubectl is not on this machine; on Debian: apt-get install kubernetes-client")
    with ApiServer(cluster, {"": Rights("anonymous")}) as server:  # it sends no token without TLS

        def kubectl(*said: str) -> str:
            command = ["kubectl", "--server", server.url, "--namespace", "shop", "--cache-dir", str(tmp_path), *said]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        kubectl("scale", "deploy/checkout", "--replicas=3")
        kubectl("set", "image", "deploy/checkout", "checkout=shop/checkout:2")
        kubectl("rollout", "restart", "deploy/checkout")
        kubectl("rollout", "undo", "deploy/checkout", "--to-revision=1")
        assert "checkout" in kubectl("get", "deploy,rs,po,sts,ds,hpa,pdb,events")
        assert kubectl("get", "deploy", "checkout", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == (
            "shop/checkout:1.4.0"
        )
        assert [one.what for one in cluster.changes] == ["scale", "image", "restart", "image"]
        assert {one.field_manager for one in cluster.changes} >= {"kubectl-set", "kubectl-rollout"}
