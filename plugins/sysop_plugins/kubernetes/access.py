"""The action that asks the API server what we may do there."""

from __future__ import annotations

from collections.abc import Iterator

from sysop.api import Context, Risk, action
from sysop_plugins.kubernetes.server import server_of
from sysop_plugins.kubernetes.settings import Settings
from sysop_plugins.kubernetes.told import Access, Right

_NEEDED = (
    *(("list", "apps", kind) for kind in ("deployments", "replicasets", "statefulsets", "daemonsets")),
    ("get", "apps", "deployments"),
    ("list", "", "pods"),
    ("get", "", "pods/log"),
    ("list", "", "events"),
    ("list", "autoscaling", "horizontalpodautoscalers"),
    ("list", "policy", "poddisruptionbudgets"),
    ("list", "metrics.k8s.io", "pods"),
    ("patch", "apps", "deployments"),
)
_NODES = (("get", "", "nodes"), ("patch", "", "nodes"))


@action(risk=Risk.READ)
async def access(ctx: Context) -> Access:
    """Ask the API server which of the rights that are needed it gives us in each namespace."""
    settings: Settings = ctx.settings
    server = server_of(ctx)
    rights: list[Right] = []
    for namespace, verb, group, resource in _needed(settings):
        user = settings.write_user if verb == "patch" else None
        allowed = await server.may(user, verb, group, resource, namespace)
        name = f"{resource}.{group}" if group else resource
        rights.append(Right(namespace=namespace, verb=verb, resource=name, allowed=allowed))
    lacks = (f"{one.verb} {one.resource}{f' in {one.namespace}' if one.namespace else ''}" for one in _denied(rights))
    return Access(writer=settings.write_user or "the same", rights=tuple(rights), missing=tuple(lacks))


def _needed(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    for namespace in settings.namespaces:
        for verb, group, resource in _NEEDED:
            yield namespace, verb, group, resource
    for verb, group, resource in _NODES if settings.nodes else ():
        yield "", verb, group, resource


def _denied(rights: list[Right]) -> list[Right]:
    return [one for one in rights if not one.allowed]
