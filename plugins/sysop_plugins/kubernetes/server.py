"""How the API server is talked to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, TypeAdapter

from sysop.api import ActionFailed, Context, Http, Response
from sysop_plugins.kubernetes.pods import Pod, PodUsage
from sysop_plugins.kubernetes.settings import Place, Settings
from sysop_plugins.kubernetes.shapes import (
    Autoscaler,
    DisruptionBudget,
    Event,
    Items,
    Node,
    Review,
    Workload,
)
from sysop_plugins.remote.wire import Wire

T = TypeVar("T", bound=BaseModel)
_PAGE = "500"
_APPS = "/apis/apps/v1"
_MANAGER = "sysop"
_LOG_BYTES = 4_000_000
_LOG_LINES = (5_000, 500, 50, 5)
_OK = frozenset({200})


@dataclass(frozen=True, slots=True)
class Server:
    """The API server, with the credential of one call."""

    wire: Wire

    async def deployment(self, at: Place) -> Workload:
        """Return a Deployment. Raises InvalidCall where there is none."""
        return await self._one(Workload, _deployment(at))

    async def workloads(self, kind: str, namespace: str) -> tuple[Workload, ...]:
        """Return the `deployments`, `statefulsets`, `daemonsets` or `replicasets` of a namespace."""
        return await self._all(Workload, f"{_APPS}/namespaces/{namespace}/{kind}")

    async def replica_sets(self, of: Workload) -> tuple[Workload, ...]:
        """Return the ReplicaSets of a Deployment, oldest revision first."""
        path = f"{_APPS}/namespaces/{of.metadata.namespace}/replicasets"
        return owned_by(of, await self._all(Workload, path, labelSelector=of.selector))

    async def pods(self, of: Workload) -> tuple[Pod, ...]:
        """Return the pods a workload's labels select."""
        path = f"/api/v1/namespaces/{of.metadata.namespace}/pods"
        return await self._all(Pod, path, labelSelector=of.selector)

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """Return the end of what a container wrote: five thousand lines, or as many as are within four megabytes.

        The server's own limit of bytes cuts the end off, so where it is reached fewer lines are asked for.
        """
        asked = {"container": container, "limitBytes": str(_LOG_BYTES), "timestamps": "true"}
        if previous:
            asked["previous"] = "true"
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/log"
        text = ""
        for lines in _LOG_LINES:
            text = await self.wire.text(path, tailLines=str(lines), **asked)
            if len(text.encode()) < _LOG_BYTES:
                break
        return text

    async def events(self, namespace: str) -> tuple[Event, ...]:
        """Return the events of a namespace the server still has."""
        return await self._all(Event, f"/api/v1/namespaces/{namespace}/events")

    async def autoscalers(self, namespace: str) -> tuple[Autoscaler, ...]:
        """Return the HorizontalPodAutoscalers of a namespace."""
        return await self._all(Autoscaler, f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")

    async def disruption_budgets(self, namespace: str) -> tuple[DisruptionBudget, ...]:
        """Return the PodDisruptionBudgets of a namespace."""
        return await self._all(DisruptionBudget, f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")

    async def usage(self, namespace: str) -> tuple[PodUsage, ...]:
        """Return what the pods of a namespace used. Raises InvalidCall where there is no metrics server."""
        return await self._all(PodUsage, f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods")

    async def node(self, name: str) -> Node:
        """Return a node."""
        return await self._one(Node, _node(name))

    async def pods_on(self, node: str, namespace: str) -> tuple[Pod, ...]:
        """Return the pods of a namespace that run on a node."""
        return await self._all(Pod, f"/api/v1/namespaces/{namespace}/pods", fieldSelector=f"spec.nodeName={node}")

    async def patch_deployment(self, at: Place, patch: Any, *, dry_run: bool = False) -> Workload:
        """Merge a patch into a Deployment and return it as it is then, or would be."""
        return await self._patch(Workload, _deployment(at), patch, dry_run)

    async def patch_node(self, name: str, patch: Any, *, dry_run: bool = False) -> Node:
        """Merge a patch into a node and return it as it is then, or would be."""
        return await self._patch(Node, _node(name), patch, dry_run)

    async def may(self, user: str | None, verb: str, group: str, resource: str, namespace: str = "") -> bool:
        """Ask the server whether a user may do something; without a user, whether this credential may.

        `pods/log` names a subresource.
        """
        name, _, sub = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": name, "subresource": sub, "namespace": namespace}
        spec = {"resourceAttributes": {name: value for name, value in attributes.items() if value}}
        kind = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
        path = f"/apis/authorization.k8s.io/v1/{kind.lower()}s"
        asked = {"user": user} if user else {}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": {**spec, **asked}}
        answer = await self.wire.question("POST", path, body, ok=frozenset({200, 201}))
        return self.wire.fits(TypeAdapter(Review), answer).status.allowed

    async def _one(self, shape: type[T], path: str) -> T:
        return await self.wire.read(TypeAdapter(shape), path)

    async def _all(self, shape: type[T], path: str, **params: str) -> tuple[T, ...]:
        page: TypeAdapter[Items[T]] = TypeAdapter(Items[shape])  # type: ignore[valid-type]
        asked = {"limit": _PAGE, **params}

        def following(answer: Response) -> str | None:
            mark = page.validate_python(answer.json()).metadata.continue_
            return f"{self.wire.base}{path}?{urlencode({**asked, 'continue': mark})}" if mark else None

        found: list[T] = []
        async for one in self.wire.pages(page, path, following, **asked):
            found += one.items
        return tuple(found)

    async def _patch(self, shape: type[T], path: str, patch: Any, dry_run: bool) -> T:
        query = {"fieldManager": _MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        headers = {**self.wire.headers, "content-type": "application/merge-patch+json"}
        wire = replace(self.wire, headers=headers)
        send = wire.question if dry_run else wire.change
        return wire.fits(TypeAdapter(shape), await send("PATCH", f"{path}?{urlencode(query)}", patch, ok=_OK))


def owned_by(of: Workload, sets: Iterable[Workload]) -> tuple[Workload, ...]:
    """Return those ReplicaSets that are a Deployment's, oldest revision first."""
    mine = [one for one in sets if any(owner.uid == of.metadata.uid for owner in one.metadata.owner_references)]
    return tuple(sorted(mine, key=lambda one: one.revision))


def server_of(ctx: Context) -> Server:
    """Return the server of the settings. Raises ActionFailed where there is none."""
    settings: Settings = ctx.settings
    if not settings.url:
        raise ActionFailed("no cluster is declared: set plugins.kubernetes.url")
    return server_with(ctx.http, settings, ctx.secret(settings.token_secret))


def server_with(http: Http, settings: Settings, token: str) -> Server:
    """Return the server of the settings with a credential."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    where = f"plugins.kubernetes.token_secret ({settings.token_secret})"
    return Server(Wire(http, "kubernetes", settings.url, headers, where, settings.timeout, said=_said))


def _said(answer: Response) -> str:
    """Return the message of a `Status`, or the text where a proxy answered."""
    try:
        said = json.loads(answer.text)
    except ValueError:
        return answer.text
    return str(said.get("message", "")) if isinstance(said, dict) else answer.text


def _deployment(at: Place) -> str:
    return f"{_APPS}/namespaces/{at.namespace}/deployments/{at.name}"


def _node(name: str) -> str:
    return f"/api/v1/nodes/{quote(name, safe='')}"
