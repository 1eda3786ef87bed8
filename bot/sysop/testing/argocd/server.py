"""The HTTP side of Argo CD's API server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from sysop.testing.argocd.state import Application, Operating, commit
from sysop.testing.wire import Clock, Refused, Reply, StandIn, iso

TOKEN, LOOKERS_TOKEN = "token-of-a-test", "lookers-token-of-a-test"
USERS = {TOKEN: "sysop", LOOKERS_TOKEN: "looker"}
PROJECT = "shop"
_CODES = {400: 9, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8}
_PHASES = {"queued": "Running", "running": "Running", "good": "Succeeded", "bad": "Failed", "stopped": "Failed"}
_SYNC = {"name", "appNamespace", "project", "revision", "infos", "prune", "dryRun", "strategy", "resources"}
_ROLLBACK = {"name", "appNamespace", "project", "id", "prune", "dryRun"}
_PATCH = {"name", "appNamespace", "project", "patch", "patchType"}

Handler = Callable[[Application, Mapping[str, str], Any, str], Reply]


class Argo(StandIn):
    """The server. Applications are in project `shop`."""

    def __init__(self) -> None:
        super().__init__()
        self._apps: dict[str, Application] = {}
        self._clock = Clock()
        at = "/api/v1/applications/(?P<name>[^/]+)"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", at, self._get),
            ("PATCH", at, self._patch),
            ("POST", f"{at}/sync", self._sync),
            ("POST", f"{at}/rollback", self._rollback),
            ("DELETE", f"{at}/operation", self._terminate),
            ("GET", f"{at}/revisions/(?P<revision>[^/]+)/metadata", self._revision),
        )
        self._routes = [(method, re.compile(path), to) for method, path, to in table]

    def application(self, name: str, *tags: str, automated: bool = False) -> Application:
        """Make an application whose repository has these tags."""
        self._apps[name] = Application(name, tags, automated=automated)
        return self._apps[name]

    def synced(self, name: str, tag: str, by: str = "ada") -> None:
        """Let somebody else sync an application, to its end."""
        app = self._apps[name]
        app.begin(_operation(tag, by, {}), commit(tag), self._clock.now())
        while app.busy:
            app.look(self._clock.now())

    def refusal(self, status: int, message: str) -> Any:
        """Return the body with which the real server would refuse."""
        return {"error": message, "code": _CODES.get(status, 13), "message": message}

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer as Argo CD does."""
        user = USERS.get(headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            raise Refused(401, self.refusal(401, "invalid session: token has invalid claims: token is expired"))
        if (method, path) == ("GET", "/api/v1/session/userinfo"):
            return Reply(200, {"loggedIn": True, "username": user, "iss": "argocd"})
        if (method, path) == ("GET", "/api/v1/applications"):
            self._known(path, query, {"projects", "selector"})
            fits = query.get("projects", PROJECT) == PROJECT
            apps = [self._told(app) for app in self._apps.values()] if fits else None
            return Reply(200, {"metadata": {}, "items": apps or None})
        for wanted, pattern, to in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted == method:
                at = {name: unquote(value) for name, value in found.groupdict().items()}
                body = self._body(method, path, query, raw)
                return to(self._app(at["name"], method, user, {**query, **body}), at, body, user)
        self.problems.append(f"{method} {path} is no address of Argo CD's")
        raise Refused(404, self.refusal(404, "Not Found"))

    def _body(self, method: str, path: str, query: Mapping[str, str], raw: bytes) -> Mapping[str, Any]:
        if method in ("GET", "DELETE"):
            self._known(path, query, {"project", "appNamespace", "refresh"})
            return {}
        body: Mapping[str, Any] = json.loads(raw)
        fields = _PATCH if method == "PATCH" else _SYNC if path.endswith("/sync") else _ROLLBACK
        self._known(path, body, fields)
        return body

    def _known(self, path: str, given: Mapping[str, Any], fields: set[str]) -> None:
        if unknown := set(given) - fields:
            self.problems.append(f"{path}: {sorted(unknown)[0]} is no field of Argo CD's")

    def _app(self, name: str, method: str, user: str, given: Mapping[str, Any]) -> Application:
        """Return an application. Without a project Argo CD does not say whether one that is refused is there."""
        app = self._apps.get(name)
        verb = "get" if method == "GET" else "update" if method == "PATCH" else "sync"
        denied = f"permission denied: applications, {verb}, {PROJECT}/{name}, sub: {user}"
        if app is None:
            asked = given.get("project") == PROJECT
            message = f'applications.argoproj.io "{name}" not found' if asked else "permission denied"
            raise Refused(404 if asked else 403, self.refusal(404 if asked else 403, message))
        if given.get("project", PROJECT) != PROJECT or (method != "GET" and user == USERS[LOOKERS_TOKEN]):
            raise Refused(403, self.refusal(403, denied))
        return app

    def _get(self, app: Application, _: Mapping[str, str], __: Any, ___: str) -> Reply:
        app.look(self._clock.now())
        return Reply(200, self._told(app))

    def _patch(self, app: Application, _: Mapping[str, str], body: Any, ___: str) -> Reply:
        if body.get("patchType") not in ("merge", "json"):
            raise Refused(400, self.refusal(400, f"Patch type '{body.get('patchType')}' is not supported"))
        patch = json.loads(body["patch"])
        self._known("patch", patch, {"metadata", "spec"})
        for name, value in patch.get("metadata", {}).get("annotations", {}).items():
            app.annotations[name] = value
        policy = patch.get("spec", {}).get("syncPolicy", {})
        if "automated" in policy:
            app.automated = policy["automated"] is not None
            self.changes.append(f"automated {app.name} {app.automated}")
        return Reply(200, self._told(app))

    def _sync(self, app: Application, _: Mapping[str, str], body: Any, user: str) -> Reply:
        revision = body.get("revision") or app.target
        if app.automated and revision != app.target and not body.get("dryRun"):
            raise Refused(400, self.refusal(400, f"Cannot sync to {revision}: auto-sync currently set to {app.target}"))
        found = self._resolved(app, revision)
        notes = {one["name"]: one["value"] for one in body.get("infos", [])}
        return self._begin(app, _operation(revision, user, notes), found, f"sync {app.name} {revision}")

    def _rollback(self, app: Application, _: Mapping[str, str], body: Any, user: str) -> Reply:
        if app.automated:
            raise Refused(400, self.refusal(400, "rollback cannot be initiated when auto-sync is enabled"))
        entry = next((one for one in app.history if one["id"] == body.get("id")), None)
        if entry is None:
            says = f"application {app.name} does not have deployment with id {body.get('id')}"
            raise Refused(400, self.refusal(400, says))
        operation = _operation(entry["revision"], user, {}) | {"info": None}
        return self._begin(app, operation, entry["revision"], f"rollback {app.name} {body['id']}")

    def _begin(self, app: Application, operation: dict[str, Any], revision: str, change: str) -> Reply:
        if app.busy:
            raise Refused(400, self.refusal(400, "another operation is already in progress"))
        app.begin(operation, revision, self._clock.now())
        self.changes.append(change)
        return Reply(200, self._told(app))

    def _terminate(self, app: Application, _: Mapping[str, str], __: Any, ___: str) -> Reply:
        if app.last is None or app.last.progress.ended is not None:
            raise Refused(400, self.refusal(400, "Unable to terminate operation. No operation is in progress"))
        app.last.progress.stopped = True
        self.changes.append(f"terminate {app.name}")
        return Reply(200, {})

    def _revision(self, app: Application, at: Mapping[str, str], _: Any, __: str) -> Reply:
        tag = next((one for one in app.tags if at["revision"] in (one, commit(one))), None)
        if tag is None:
            raise Refused(404, self.refusal(404, f"revision {at['revision']} not found"))
        told = {"author": "Ada <ada@shop.test>", "date": iso(self._clock.now()), "message": f"release {tag}\n\nbody"}
        return Reply(200, {**told, "tags": [tag]})

    def _resolved(self, app: Application, revision: str) -> str:
        found = next((commit(tag) for tag in app.tags if revision in (tag, commit(tag), commit(tag)[:12])), None)
        if found is None:
            raise Refused(400, self.refusal(400, f"Unable to resolve '{revision}' to a commit SHA"))
        return found

    def _told(self, app: Application) -> dict[str, Any]:
        sync = {"status": "OutOfSync" if app.busy else "Synced", "revision": app.last.revision if app.last else ""}
        status: dict[str, Any] = {"health": {"status": app.health}, "sync": sync, "history": app.history or None}
        told: dict[str, Any] = {
            "metadata": {"name": app.name, "namespace": "argocd", "annotations": dict(app.annotations)},
            "spec": {
                "project": PROJECT,
                "source": app.source,
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
                **({"syncPolicy": {"automated": {}}} if app.automated else {}),
            },
            "status": status,
        }
        begun = app.last
        if app.last is not None and app.last.began is None:
            told["operation"] = app.last.operation
            begun = app.before  # its state stays to be seen until the next one has begun
        if begun is not None:
            status["operationState"] = _state(app, begun)
        return told


def _operation(revision: str, user: str, notes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "sync": {"revision": revision},
        "initiatedBy": {"username": user},
        "info": [{"name": name, "value": value} for name, value in notes.items()],
        "retry": {},
    }


def _state(app: Application, it: Operating) -> dict[str, Any]:
    progress = it.progress
    phase = "Terminating" if progress.stopped and progress.ended is None else _PHASES[progress.state]
    log = progress.outcome.log if progress.ended else ""
    resource = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": app.name}
    told = {
        "operation": it.operation,
        "phase": phase,
        "startedAt": iso(it.began or 0),
        "message": _MESSAGES.get(progress.state, ""),
        "syncResult": {
            "revision": it.revision,
            "source": app.source,
            "resources": [{**resource, "status": "SyncFailed", "syncPhase": "Sync", "message": log}] if log else None,
        },
    }
    return {**told, "finishedAt": iso(progress.ended)} if progress.ended else told


_MESSAGES = {
    "good": "successfully synced (all tasks run)",
    "bad": "one or more objects failed to apply",
    "stopped": "Operation terminated",
}
