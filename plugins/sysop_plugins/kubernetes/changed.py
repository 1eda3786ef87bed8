"""What our changes leave at an object, so that they are found again and never made twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from sysop.api import ActionFailed, Reconciled
from sysop_plugins.kubernetes.rollout import Data
from sysop_plugins.kubernetes.shapes import CHANGE, KEY, Meta, Node, Workload

What = Literal["scale", "restart", "rollout_undo", "cordon", "uncordon"]
Changeable = TypeVar("Changeable", Workload, Node)
_TRIES = 3
_PAUSE_S = 0.05
_MOVED = "kubernetes: 409, "


class Changed(Data):
    """A change that the server took. `at` is when, in milliseconds; `before` and `after` are what it was about.

    `object` is `namespace/name` of a Deployment or the name of a node; `revision` is the one a rollout makes, 0 where
    none is made.
    """

    what: What
    object: str
    before: str
    after: str
    at: int
    revision: int = 0


def own(meta: Meta, key: str) -> Changed | None:
    """Return the change a key has already made, None where the object's last change of ours has another key."""
    if meta.annotations.get(KEY) != key:
        return None
    try:
        return Changed.model_validate_json(meta.annotations.get(CHANGE, ""))
    except ValidationError as bad:
        raise ActionFailed(f"kubernetes: {meta.name} has this call's key, but its {CHANGE} cannot be read") from bad


def found(meta: Meta, key: str) -> Reconciled:
    """Return what an object knows of a key."""
    change = own(meta, key)
    if change is None:
        return Reconciled("not_done", f"{meta.name} does not carry this call's key")
    return Reconciled("done", f"{meta.name} carries this call's key", change.model_dump(mode="json"))


def patch_of(meta: Meta, key: str, change: Changed, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a merge patch that holds only while the object is the one that was read, and leaves the key there."""
    annotations = {KEY: key, CHANGE: json.dumps(change.model_dump(mode="json"), sort_keys=True)}
    return {"metadata": {"resourceVersion": meta.resource_version, "annotations": annotations}, "spec": spec}


async def once(
    key: str,
    read: Callable[[], Awaitable[Changeable]],
    make: Callable[[Changeable], Awaitable[tuple[Changed, dict[str, Any]]]],
    write: Callable[[dict[str, Any]], Awaitable[Changeable]],
) -> Changed:
    """Change an object once under a key: read it, make the patch, write it; again where only its status had moved.

    An object whose spec somebody else has changed meanwhile is left alone. A refusal by the server's version check
    means that nothing was changed, so trying again is safe.
    """
    first = await read()
    meant, seen = first, first.metadata
    for attempt in range(_TRIES):
        if done := own(meant.metadata, key):
            return done
        change, patch = await make(meant)
        try:
            await write(patch)
            return change
        except ActionFailed as refused:
            if not str(refused).startswith(_MOVED) or attempt == _TRIES - 1:
                raise
        await asyncio.sleep(_PAUSE_S)
        meant = await read()
        if own(meant.metadata, key) is None and _spec(meant) != _spec(first):
            raise ActionFailed(f"kubernetes: {seen.name} was changed by somebody else just now; nothing was changed")
    raise AssertionError("unreachable")


def _spec(of: Workload | Node) -> Any:
    return of.spec.model_dump()
