"""The stand-in for Argo CD against what its API description publishes: every field it answers, every field it is sent.

Argo CD has no official client for Python, so the definitions below say which fields its OpenAPI description has, by
name and type, for what Sysop uses. `{}` stands for a definition whose inside is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from sysop.testing.argocd import Argo, Outcome
from sysop.testing.argocd.server import PROJECT, TOKEN
from sysop.testing.wire import Refused

SOURCE = {"repoURL": str, "path": str, "targetRevision": str, "chart": str, "helm": {}, "kustomize": {}, "ref": str}
INITIATOR = {"username": str, "automated": bool}
SYNC = {"revision": str, "revisions": [str], "prune": bool, "dryRun": bool, "source": SOURCE, "sources": [SOURCE]}
OPERATION = {"sync": SYNC, "initiatedBy": INITIATOR, "info": [{"name": str, "value": str}], "retry": {}}
RESULT = {
    "group": str,
    "version": str,
    "kind": str,
    "namespace": str,
    "name": str,
    "status": str,
    "message": str,
    "hookType": str,
    "hookPhase": str,
    "syncPhase": str,
    "images": [str],
}
SYNC_RESULT = {
    "revision": str,
    "revisions": [str],
    "source": SOURCE,
    "sources": [SOURCE],
    "resources": [RESULT],
    "managedNamespaceMetadata": {},
}
OPERATION_STATE = {
    "operation": OPERATION,
    "phase": str,
    "message": str,
    "startedAt": datetime,
    "finishedAt": datetime,
    "retryCount": int,
    "syncResult": SYNC_RESULT,
}
ENTRY = {
    "id": int,
    "revision": str,
    "revisions": [str],
    "deployedAt": datetime,
    "deployStartedAt": datetime,
    "source": SOURCE,
    "sources": [SOURCE],
    "initiatedBy": INITIATOR,
}
STATUS = {
    "health": {"status": str, "message": str, "lastTransitionTime": datetime},
    "sync": {"status": str, "revision": str, "revisions": [str], "comparedTo": {}},
    "history": [ENTRY],
    "operationState": OPERATION_STATE,
    "conditions": [{}],
    "resources": [{}],
    "summary": {},
    "reconciledAt": datetime,
}
SPEC = {
    "project": str,
    "source": SOURCE,
    "sources": [SOURCE],
    "destination": {"server": str, "name": str, "namespace": str},
    "syncPolicy": {"automated": {"prune": bool, "selfHeal": bool, "enabled": bool}, "syncOptions": [str], "retry": {}},
    "revisionHistoryLimit": int,
}
METADATA = {"name": str, "namespace": str, "annotations": {}, "labels": {}, "resourceVersion": str, "uid": str}
APPLICATION = {"metadata": METADATA, "spec": SPEC, "status": STATUS, "operation": OPERATION}
REVISION = {
    "author": str,
    "date": datetime,
    "message": str,
    "tags": [str],
    "signatureInfo": str,
    "references": [{}],
}
ERROR = {"error": str, "code": int, "message": str, "details": [{}]}
USER = {"loggedIn": bool, "username": str, "iss": str, "groups": [str]}
SYNC_REQUEST = {
    "name": str,
    "appNamespace": str,
    "project": str,
    "revision": str,
    "revisions": [str],
    "infos": [{"name": str, "value": str}],
    "prune": bool,
    "dryRun": bool,
    "resources": [{}],
    "strategy": {},
    "syncOptions": {},
    "retryStrategy": {},
    "manifests": [str],
    "sourcePositions": [str],
}
ROLLBACK_REQUEST = {"name": str, "appNamespace": str, "project": str, "id": int, "prune": bool, "dryRun": bool}
PATCH_REQUEST = {"name": str, "appNamespace": str, "project": str, "patch": str, "patchType": str}


def _misfits(value: Any, shape: Any, at: str) -> Iterator[str]:
    """Yield where a value has a field that is not described, or one of another type. Null is an absent field."""
    if value is None or shape == {}:
        return
    if isinstance(shape, list):
        for number, one in enumerate(value):
            yield from _misfits(one, shape[0], f"{at}[{number}]")
    elif isinstance(shape, Mapping):
        for name, inner in value.items():
            if name not in shape:
                yield f"{at}.{name} is not described"
            else:
                yield from _misfits(inner, shape[name], f"{at}.{name}")
    elif shape is datetime:
        if not (isinstance(value, str) and datetime.fromisoformat(value).tzinfo):
            yield f"{at} is no time: {value!r}"
    elif type(value) is not shape:
        yield f"{at} is no {shape.__name__}: {value!r}"


class Watched(Argo):
    """The stand-in, with every answer and every body held against the descriptions."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Any:
        last = path.rpartition("/")[2]
        sent = {"sync": SYNC_REQUEST, "rollback": ROLLBACK_REQUEST}.get(last, PATCH_REQUEST)
        if raw:
            self._look(json.loads(raw), sent, f"{method} {last} sent")
        try:
            reply = super().answer(method, path, query, headers, raw)
        except Refused as no:
            self._look(no.reply.body, ERROR, f"{method} refused")
            raise
        shape: Any = APPLICATION
        if last == "metadata":
            shape = REVISION
        elif last == "applications":
            shape = {"metadata": {}, "items": [APPLICATION]}
        elif last in ("operation", "userinfo"):
            shape = USER
        self._look(reply.body, shape, f"{method} {last}")
        return reply

    def _look(self, body: Any, shape: Any, what: str) -> None:
        self.seen.add(what.split(".")[0])
        self.problems += _misfits(body, shape, what)


@pytest.fixture
def argo() -> Iterator[Watched]:
    with Watched() as server:
        yield server


async def test_every_answer_and_every_request_is_as_the_api_describes_it(world, argo):
    app = argo.application("checkout", "v1.3.0", "v1.4.0")
    world.secrets["argo"] = TOKEN
    pipeline = {"application": "{service}", "project": PROJECT, "pause_auto_sync": True}
    world.settings["cicd"] = {
        "argocd": {"url": argo.url, "token_secret": "argo", "pipelines": {"argo": pipeline}},
        "default_service": {"pipeline": "argo"},
    }
    for version in ("v1.3.0", "v1.4.0"):
        made = await world.call("cicd.deploy", key=version, service="checkout", version=version)
        await world.built(made["build"]["id"])
    app.automated = True
    back = await world.call("cicd.rollback", key="back", service="checkout")
    await world.built(back["build"]["id"])
    app.next(Outcome(good=False, log="no such image"), Outcome(looks=1000))
    failed = await world.call("cicd.deploy", key="again", service="checkout", version="v1.4.0")
    await world.call("cicd.logs", build=(await world.built(failed["build"]["id"]))["id"])
    endless = await world.call("cicd.deploy", key="endless", service="checkout", version="v1.4.0")
    await world.call("cicd.cancel", build=endless["build"]["id"])
    assert (await world.call("cicd.builds"))["count"] > 0
    with pytest.raises(Exception, match="not found"):
        await world.call("cicd.live_version", service="search")
    wanted = {"PATCH checkout", "POST sync", "POST rollback", "DELETE operation", "GET applications", "GET metadata"}
    assert wanted <= argo.seen
    assert {"POST sync sent", "POST rollback sent", "PATCH checkout sent", "GET refused"} <= argo.seen


@pytest.mark.parametrize("body", [{"statuss": {}}, {"status": {"history": [{"id": "1"}]}}, {"status": {"phase": ""}}])
def test_what_is_not_described_is_found(body):
    assert list(_misfits(body, APPLICATION, "x"))
