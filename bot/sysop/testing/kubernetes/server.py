"""The HTTP side of the API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sysop.testing.kubernetes import changing, statuses
from sysop.testing.kubernetes.access import Rights
from sysop.testing.kubernetes.cluster import Cluster
from sysop.testing.kubernetes.objects import Document
from sysop.testing.kubernetes.resources import METRICS, Place, discovered, place_of
from sysop.testing.kubernetes.selecting import BadSelector, labelled, matching, page
from sysop.testing.wire import Reply, StandIn

_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_VERSION = {
    "major": "1",
    "minor": "31",
    "gitVersion": "v1.31.2",
    "gitCommit": "stand-in",
    "gitTreeState": "clean",
    "buildDate": "2024-10-22T20:28:14Z",
    "goVersion": "go1.22.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_NOWHERE = Reply(404, "404 page not found\n")
_LOG_QUERY = {"container", "tailLines", "limitBytes", "previous", "timestamps", "follow"}


class ApiServer(StandIn):
    """An API server before a cluster. `tokens` says who may do what; `changes` holds a line for each change."""

    def __init__(self, cluster: Cluster, tokens: Mapping[str, Rights]) -> None:
        super().__init__()
        self.cluster = cluster
        self.tokens = dict(tokens)

    def refusal(self, status: int, message: str) -> Any:
        """Return the `Status` with which the real server would refuse."""
        return statuses.status(status, message)

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer as an API server does."""
        if path in ("/readyz", "/livez", "/healthz") and method == "GET":
            return Reply(200, "ok")
        if path in ("/version", "/version/") and method == "GET":
            return Reply(200, _VERSION)
        rights = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if rights is None:
            raise statuses.refused(401, "Unauthorized")
        if (found := discovered(path, self.cluster.metrics_server)) is not None and method == "GET":
            return Reply(200, found)
        place = place_of(path)
        if place is None or (place.resource.group == METRICS and not self.cluster.metrics_server):
            if place is None and not path.startswith(("/openapi", "/apis/metrics")):
                self.problems.append(f"{method} {path} is no address of the API's")
            return _NOWHERE
        if place.resource.plural == "selfsubjectaccessreviews":
            return self._review(method, place, rights, _json(raw))
        verb = _VERBS.get(method) or ("get" if place.name else "list")
        self._may(verb, place, rights)
        if place.resource.plural == "subjectaccessreviews":
            body = _json(raw)
            users = {one.user: one for one in self.tokens.values()}
            return self._review(method, place, users.get(body["spec"].get("user"), Rights("", ())), body)
        return self._carry(verb, place, query, changing.Request(rights.user, verb, query, headers, raw))

    def _may(self, verb: str, place: Place, rights: Rights) -> None:
        resource = place.resource
        what = f"{resource.plural}/{place.sub}" if place.sub else resource.plural
        if not rights.may(verb, what, place.namespace):
            raise statuses.forbidden(rights.user, verb, resource, place.sub, place.namespace, place.name)
        served = {"scale": ("deployments", ("get", "patch", "update")), "log": ("pods", ("get",))}
        if place.sub:
            of, verbs = served.get(place.sub, ("", ()))
            if of != resource.plural:
                self.problems.append(f"{what} is no subresource")
                raise statuses.refused(404, "the server could not find the requested resource")
        else:
            verbs = resource.verbs
        if verb not in verbs:
            self.problems.append(f"{verb} {what} is not served")
            raise statuses.refused(405, "the server does not allow this method on the requested resource")

    def _carry(self, verb: str, place: Place, query: Mapping[str, str], request: changing.Request) -> Reply:
        if verb == "list":
            return self._list(place, query)
        if verb != "get":
            document, changes = changing.change(self.cluster, place, request)
            self.changes += changes
            return Reply(200, document)
        if place.sub == "log":
            return self._log(place, query)
        found = self.cluster.get(place.resource.plural, place.namespace, place.name)
        if found is None:
            raise statuses.missing(place.resource, place.name)
        return Reply(200, changing.scale_of(found) if place.sub == "scale" else found)

    def _list(self, place: Place, query: Mapping[str, str]) -> Reply:
        resource = place.resource
        if query.get("watch") in ("1", "true"):
            self.problems.append(f"watch of {resource.plural} is not served")
            raise statuses.refused(405, "the stand-in serves no watch")
        try:
            fits = _both(labelled(query.get("labelSelector", "")), query.get("fieldSelector", ""), resource.plural)
            metrics = resource.group == METRICS
            found = self.cluster.usage(place.namespace) if metrics else self._all(place)
            items, meta = page([one for one in found if fits(one)], query, self.cluster.version)
        except BadSelector as bad:
            self.problems.append(f"{resource.plural}: {bad}")
            raise statuses.refused(400, str(bad)) from bad
        bare = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return Reply(200, {**kind, "metadata": meta, "items": bare})

    def _all(self, place: Place) -> list[Document]:
        return self.cluster.every(place.resource.plural, place.namespace)

    def _log(self, place: Place, query: Mapping[str, str]) -> Reply:
        if unknown := set(query) - _LOG_QUERY or (query.get("follow") == "true" and {"follow"}):
            self.problems.append(f"log: {sorted(unknown)} is not served")
        pod = self.cluster.get("pods", place.namespace, place.name)
        if pod is None:
            raise statuses.missing(place.resource, place.name)
        container = pod["status"]["containerStatuses"][0]
        if query.get("container", container["name"]) != container["name"]:
            raise statuses.refused(400, f"container {query['container']} is not valid for pod {place.name}")
        previous = query.get("previous") == "true"
        lines = self.cluster.logs(place.namespace, place.name, previous=previous)
        of = f'container "{container["name"]}" in pod "{place.name}"'
        if lines is None:
            raise statuses.refused(400, f"previous terminated {of} not found")
        waits = container["state"].get("waiting", {}).get("reason", "")
        if waits in ("ContainerCreating", "ImagePullBackOff", "ErrImagePull") and not previous and not lines:
            raise statuses.refused(400, f"{of} is waiting to start: {waits}")
        lines = lines[len(lines) - min(len(lines), int(query.get("tailLines", len(lines)))) :]
        stamped = query.get("timestamps") == "true"
        text = "".join(f"{at} {line}\n" if stamped else f"{line}\n" for at, line in lines)
        return Reply(200, text.encode()[: int(query.get("limitBytes", 1 << 30))].decode("utf-8", "ignore"))

    def _review(self, method: str, place: Place, rights: Rights, body: Any) -> Reply:
        spec = body.get("spec", {}) if isinstance(body, dict) else {}
        asked = spec.get("resourceAttributes")
        if method != "POST" or not isinstance(asked, dict) or not {"verb", "resource"} <= set(asked):
            self.problems.append(f"{place.resource.plural}: POST spec.resourceAttributes with verb and resource")
            raise statuses.refused(422, "spec.resourceAttributes: Required value")
        what = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        allowed = rights.may(asked["verb"], what, asked.get("namespace", ""))
        told = {"allowed": allowed, **({"reason": "RBAC: allowed by a rule"} if allowed else {})}
        kind = {"kind": place.resource.kind, "apiVersion": place.resource.api_version}
        return Reply(201, {**kind, "metadata": {}, "spec": spec, "status": told})


def _both(one: Callable[[Document], bool], fields: str, plural: str) -> Callable[[Document], bool]:
    other = matching(plural, fields)
    return lambda document: one(document) and other(document)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as bad:
        raise statuses.refused(400, f"the object provided is unrecognized: {bad}") from bad
