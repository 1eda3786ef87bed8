"""What webhooks tell of changes, with bodies in the shape that vendors document, over real HTTP."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bench
from sysop.api import Change, ChangeKind, ChangeState, Delivery
from sysop.app import App
from sysop.store import changes as rows
from sysop.surfaces.server import Server, listen
from sysop_plugins import changes, cloudevents, github, gitlab, jenkins

TOKEN = "correct horse battery staple"
LATER = 4_000_000_000_000
SHA = "2f1c2b6a0f4e3d5c7b8a9f0e1d2c3b4a59687706"
REPOSITORY = {"id": 1, "name": "shop", "full_name": "acme/shop", "default_branch": "main"}
STATUS: dict[str, Any] = {
    "action": "created",
    "deployment_status": {
        "id": 1,
        "state": "success",
        "description": "",
        "environment": "production",
        "target_url": "https://ci.example/deploys/42",
        "log_url": "",
        "created_at": "2026-03-02T09:30:00Z",
    },
    "deployment": {
        "id": 42,
        "sha": SHA,
        "ref": "2.3.1",
        "task": "deploy",
        "payload": {"sysop_key": "run-1:call", "service": "checkout"},
        "description": "take orders faster",
        "creator": {"login": "octocat"},
        "created_at": "2026-03-02T09:25:00Z",
    },
    "workflow_run": None,
    "repository": REPOSITORY,
}
WORKFLOW: dict[str, Any] = {
    "action": "requested",
    "workflow_run": {"id": 1001, "run_attempt": 2, "status": "queued"},
    "repository": REPOSITORY,
}
PIPELINE: dict[str, Any] = {
    "object_kind": "pipeline",
    "object_attributes": {
        "id": 31,
        "ref": "2.3.1",
        "tag": True,
        "sha": SHA,
        "source": "push",
        "status": "success",
        "created_at": "2026-03-02 09:14:07 UTC",
        "finished_at": "2026-03-02 09:20:07 UTC",
        "variables": [{"key": "SYSOP_SERVICE", "value": "checkout"}, {"key": "SYSOP_BY", "value": "sysop:run-1"}],
        "url": "https://gitlab.example/shop/shop/-/pipelines/31",
    },
    "user": {"id": 1, "username": "root"},
    "project": {"path_with_namespace": "shop/shop", "default_branch": "main"},
    "builds": [
        {"id": 1, "stage": "build", "name": "image", "status": "success", "environment": None},
        {
            "id": 2,
            "stage": "deploy",
            "name": "production",
            "status": "success",
            "environment": {"name": "production", "action": "start", "deployment_tier": "production"},
        },
    ],
}
BUILD: dict[str, Any] = {
    "name": "deploy",
    "url": "job/shop%20team/job/deploy/",
    "build": {
        "full_url": "https://jenkins.example/job/shop%20team/job/deploy/18/",
        "number": 18,
        "queue_id": 41,
        "timestamp": 1772443207000,
        "duration": 60000,
        "phase": "FINALIZED",
        "status": "SUCCESS",
        "url": "job/shop%20team/job/deploy/18/",
        "parameters": {"SERVICE": "checkout", "VERSION": "2.3.1", "SYSOP_KEY": "run-1:call"},
        "scm": {},
    },
}


def with_(body: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    found = copy.deepcopy(body)
    found[part].update(values)
    return found


def sent(body: Any, **headers: str) -> Delivery:
    return Delivery(headers, json.dumps(body).encode(), body)


def of_github(body: Any, event: str = "deployment_status", **services: str) -> list[Change]:
    return list(github.changes(Delivery({"x-github-event": event}, b"", body), services))


def test_a_deployment_at_github_is_a_deploy() -> None:
    assert of_github(STATUS) == [
        Change(
            ChangeKind.DEPLOY,
            "checkout",
            source="github",
            id="github:acme/shop:deployment:42",
            at=1772443800000,
            began_at=1772443500000,
            environment="production",
            after="2.3.1",
            by="octocat",
            title="take orders faster",
            url="https://ci.example/deploys/42",
        )
    ]


@pytest.mark.parametrize(
    ("state", "reached"),
    [("queued", "started"), ("in_progress", "started"), ("failure", "failed"), ("error", "failed"), ("inactive", None)],
)
def test_how_far_it_is_follows_from_its_state(state: str, reached: str | None) -> None:
    found = of_github(with_(STATUS, "deployment_status", state=state))
    assert [one.state for one in found] == ([] if reached is None else [reached])


def test_the_service_of_a_deployment_is_noted_or_named_or_the_repository() -> None:
    plain = with_(STATUS, "deployment", payload="")
    assert [one.service for one in of_github(plain)] == ["shop"]
    found = github.changes(Delivery({"x-github-event": "deployment_status"}, b"", plain), {"acme/shop": "store"})
    assert [one.service for one in found] == ["store"]


def test_workflows_and_deployments_move_on_by_the_names_of_the_plugin_cicd() -> None:
    assert list(github.moved(Delivery({"x-github-event": "workflow_run"}, b"", WORKFLOW))) == ["github:acme/shop:1001"]
    moved = list(github.moved(Delivery({"x-github-event": "deployment_status"}, b"", STATUS)))
    assert moved == ["github:acme/shop:deployment:42"]
    assert list(github.moved(Delivery({"x-github-event": "push"}, b"", {}))) == []


def test_a_pipeline_with_a_job_for_an_environment_is_a_deploy() -> None:
    (one,) = gitlab.changes(sent(PIPELINE), {})
    assert (one.service, one.after, one.environment, one.by) == ("checkout", "2.3.1", "production", "sysop:run-1")
    assert (one.id, one.state, one.at - one.began_at) == ("gitlab:shop/shop:31", ChangeState.DONE, 360_000)
    assert list(gitlab.moved(sent(PIPELINE))) == ["gitlab:shop/shop:31"]
    plain = {**PIPELINE, "builds": PIPELINE["builds"][:1]}
    assert list(gitlab.changes(sent(plain), {})) == []
    assert list(gitlab.moved(sent(plain))) == ["gitlab:shop/shop:31"]


def test_a_pipeline_under_way_has_begun() -> None:
    (one,) = gitlab.changes(sent(with_(PIPELINE, "object_attributes", status="running", finished_at=None)), {})
    assert (one.state, one.at) == (ChangeState.STARTED, one.began_at)


def test_a_build_with_a_service_and_a_version_is_a_deploy() -> None:
    (one,) = jenkins.changes(sent(BUILD))
    assert (one.service, one.after, one.id) == ("checkout", "2.3.1", "jenkins:shop team/deploy:18")
    assert (one.state, one.at, one.began_at) == (ChangeState.DONE, 1772443207000, 1772443147000)
    assert list(jenkins.moved(sent(BUILD))) == ["jenkins:shop team/deploy:18", "jenkins:shop team/deploy:queue:41"]
    assert list(jenkins.changes(sent(with_(BUILD, "build", parameters={"SUITE": "fast"})))) == []
    assert list(jenkins.changes(sent(with_(BUILD, "build", parameters=None)))) == []


@pytest.mark.parametrize(
    ("phase", "status", "state"),
    [
        ("STARTED", None, "started"),
        ("COMPLETED", "FAILURE", "failed"),
        ("FINALIZED", "ABORTED", "cancelled"),
        ("FINALIZED", "UNSTABLE", "failed"),
    ],
)
def test_how_far_a_build_is_follows_from_its_phase(phase: str, status: str | None, state: str) -> None:
    (one,) = jenkins.changes(sent(with_(BUILD, "build", phase=phase, status=status)))
    assert one.state == state


FLAG = {
    "id": "flag-7",
    "kind": "flag",
    "service": "checkout",
    "environment": "production",
    "from": "off",
    "to": "on",
    "at": "2026-03-02T09:30:00Z",
    "by": "ann",
    "title": "new-cart",
    "url": "javascript:alert(1)",
}


def test_a_change_as_json_is_taken_as_it_is_told() -> None:
    assert list(changes.told(sent(FLAG))) == [
        Change(
            ChangeKind.FLAG,
            "checkout",
            source="changes",
            id="flag-7",
            at=1772443800000,
            environment="production",
            before="off",
            after="on",
            by="ann",
            title="new-cart",
        )
    ]
    assert [one.id for one in changes.told(sent({"changes": [FLAG, {**FLAG, "id": 8}]}))] == ["flag-7", "8"]


def test_a_cloudevent_fills_what_its_data_leaves_open() -> None:
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/config",
        "type": "config.changed",
        "subject": "checkout",
        "time": "2026-03-02T09:30:00Z",
        "data": {"kind": "config", "to": "pool=20"},
    }
    batch = list(changes.told(sent([event], **{"content-type": "application/cloudevents-batch+json"})))
    single = list(changes.told(sent(event, **{"content-type": "application/cloudevents+json; charset=utf-8"})))
    headers = {f"ce-{name}": str(value) for name, value in event.items() if name != "data"}
    binary = list(changes.told(sent(event["data"], **headers, **{"content-type": "application/json"})))
    assert batch == single == binary
    (one,) = batch
    assert (one.source, one.id, one.service, one.title) == ("/config", "e-1", "checkout", "config.changed")
    assert one.words == "checkout was configured anew (? -> pool=20)"


def test_a_size_may_be_a_number() -> None:
    (one,) = changes.told(sent({**FLAG, "kind": "scale", "from": 2, "to": 4.5}))
    assert (one.before, one.after) == ("2", "4.5")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**FLAG, "id": None}, "id: is missing"),
        ({**FLAG, "at": None}, "at: is missing"),
        ({**FLAG, "kind": "party"}, "kind: "),
        ({"changes": [FLAG, {**FLAG, "at": 5}]}, r"changes\[1\]\.at: must be a time"),
        ([], "must be a JSON object"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(body: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(changes.told(sent(body)))


# -- over HTTP ------------------------------------------------------------------------------------------------------


@dataclass
class Door:
    """A listening Sysop."""

    app: App
    client: httpx2.AsyncClient

    async def post(self, source: str, body: Any, **headers: str) -> httpx2.Response:
        content = json.dumps(body).encode()
        signature = hmac.new(TOKEN.encode(), content, hashlib.sha256).hexdigest()
        proof = {"authorization": f"Bearer {TOKEN}", "x-hub-signature-256": f"sha256={signature}"}
        return await self.client.post(f"/webhooks/{source}", content=content, headers=proof | headers)

    async def known(self) -> list[Change]:
        return await self.app.store.read(lambda conn: rows.between(conn, 0, LATER))


@pytest.fixture
async def door(tmp_path: Path, url: str) -> AsyncIterator[Door]:
    (tmp_path / "token").write_text(TOKEN)
    plugins: Mapping[str, Any] = {"changes": changes, "github": github, "cloudevents": cloudevents}
    tokens = dict.fromkeys(plugins, f"file:{tmp_path / 'token'}")
    app = bench.build(tmp_path, url, plugins=plugins, webhooks={"tokens": tokens})
    server = Server(app.webhooks(), listen("127.0.0.1", 0))
    address = await server.start()
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        yield Door(app, client)
    await server.stop()
    await app.close()


async def test_a_delivery_told_twice_is_one_change(door: Door) -> None:
    started = with_(STATUS, "deployment_status", state="in_progress", created_at="2026-03-02T09:26:00Z")
    for body in (STATUS, started, STATUS):
        answer = await door.post("github", body, **{"x-github-event": "deployment_status"})
        assert answer.status_code == 200
    assert [(one.id, one.state) for one in await door.known()] == [("github:acme/shop:deployment:42", "done")]


async def test_a_forged_delivery_tells_nothing(door: Door) -> None:
    content = json.dumps(STATUS).encode()
    headers = {"x-github-event": "deployment_status", "x-hub-signature-256": "sha256=00"}
    answer = await door.client.post("/webhooks/github", content=content, headers=headers)
    assert answer.status_code == 401
    assert await door.known() == []


async def test_changes_have_a_door_of_their_own(door: Door) -> None:
    assert (await door.post("changes", FLAG)).json() == {"new": 0, "ended": 0, "known": 0}
    assert [one.words for one in await door.known()] == ["checkout was switched (off -> on)"]
    answer = await door.post("changes", {**FLAG, "id": ""})
    assert answer.status_code == 400
    assert "id" in answer.json()["error"]


async def test_a_failed_deployment_is_an_alert_and_a_change(door: Door) -> None:
    failed = with_(STATUS, "deployment_status", state="failure")
    answer = await door.post("github", failed, **{"x-github-event": "deployment_status"})
    assert answer.json()["new"] == 1
    assert [one.state for one in await door.known()] == [ChangeState.FAILED]
