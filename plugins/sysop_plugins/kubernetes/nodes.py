"""The actions on nodes: let one take no new pods, and let it take them again."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from sysop.api import ActionFailed, Change, ChangeKind, Context, Preview, Reconciled, Risk, Verify, action
from sysop_plugins.kubernetes import affected
from sysop_plugins.kubernetes.changed import Changed, found, once, patch_of
from sysop_plugins.kubernetes.server import Server, server_of
from sysop_plugins.kubernetes.settings import Settings
from sysop_plugins.kubernetes.shapes import Node
from sysop_plugins.kubernetes.verify import node_is_so
from sysop_plugins.remote.card import card

NodeName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", description="A node's name")]
_CHECK = Verify(node_is_so, within=timedelta(minutes=2), every=timedelta(seconds=1))
_WORDS = {False: "takes new pods", True: "takes no new pods"}


def _server(ctx: Context) -> Server:
    settings: Settings = ctx.settings
    if not settings.nodes:
        raise ActionFailed("node: nodes may not be touched; set plugins.kubernetes.nodes to true to allow it")
    return server_of(ctx)


async def _preview(shuts: bool, ctx: Context, args: Any) -> Preview:
    server = _server(ctx)
    node = await server.node(args.node)
    settings: Settings = ctx.settings
    on = {space: len(await server.pods_on(args.node, space)) for space in settings.namespaces}
    asked = await affected.permitted_nodes(ctx, server)
    tried = await affected.tried(ctx, server, args.node, {"unschedulable": shuts})
    return card(
        f"{'Cordon' if shuts else 'Uncordon'} node {args.node}",
        (f"{_WORDS[node.spec.unschedulable]} -> {_WORDS[shuts]}", asked, tried),
        tuple(f"{number} pods in {space} stay where they are" for space, number in on.items()),
    )


async def _state(ctx: Context, args: Any) -> dict[str, Any]:
    node = await _server(ctx).node(args.node)
    return {"uid": node.metadata.uid, "unschedulable": node.spec.unschedulable}


async def _find(ctx: Context, args: Any) -> Reconciled:
    return found((await _server(ctx).node(args.node)).metadata, ctx.key)


def _told(args: Any, result: Any) -> Change:
    made = Changed.model_validate(result)
    return Change(
        ChangeKind.OTHER, None, at=made.at, before=made.before, after=made.after, title=f"{made.what} {args.node}"
    )


_change = partial(
    action,
    risk=Risk.CHANGE,
    target="node:{node}",
    precondition=_state,
    verify=_CHECK,
    reconcile=_find,
    idempotent=True,
    changes=_told,
)


@_change(preview=partial(_preview, True), undo="kubernetes.uncordon")
async def cordon(ctx: Context, node: NodeName) -> Changed:
    """Let a node take no new pods; those on it stay."""
    return await _set(ctx, node, "cordon")


@_change(preview=partial(_preview, False), undo="kubernetes.cordon")
async def uncordon(ctx: Context, node: NodeName) -> Changed:
    """Let a node take new pods again."""
    return await _set(ctx, node, "uncordon")


async def _set(ctx: Context, name: str, what: Literal["cordon", "uncordon"]) -> Changed:
    server, shuts = _server(ctx), what == "cordon"

    async def make(node: Node) -> tuple[Changed, dict[str, Any]]:
        before = _WORDS[node.spec.unschedulable]
        change = Changed(what=what, object=name, before=before, after=_WORDS[shuts], at=ctx.now())
        return change, patch_of(node.metadata, ctx.key, change, {"unschedulable": shuts})

    return await once(ctx.key, partial(server.node, name), make, partial(server.patch_node, name))
