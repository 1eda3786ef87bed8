"""What was rolled out in the cluster by anybody, read off the revisions it keeps, for the record of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from sysop.api import Change, ChangeKind, ChangeSource, ChangeState, PluginContext
from sysop_plugins.kubernetes.rollout import RolloutState, rolled, same, template_of
from sysop_plugins.kubernetes.server import owned_by, server_with
from sysop_plugins.kubernetes.settings import Place, Settings
from sysop_plugins.kubernetes.shapes import Workload

SOURCE = "kubernetes"
_EVERY_S = 30.0
_CAUSE = "kubernetes.io/change-cause"
_STATES: dict[RolloutState, ChangeState] = {
    "rolling": ChangeState.STARTED,
    "paused": ChangeState.STARTED,
    "stuck": ChangeState.FAILED,
}


def sources(settings: Settings) -> Iterable[ChangeSource]:
    """Return the cluster as a place that is asked, where settings want that."""
    return [ChangeSource(SOURCE, _look, _EVERY_S)] if settings.url and settings.feed else []


def change_id(place: str, revision: int) -> str:
    """Return the name by which a rollout is known, whoever tells of it."""
    return f"{place}:{revision}"


def version_of(images: str) -> str:
    """Return the tag of a single image, and else the images as they are."""
    _, colon, tag = images.rpartition("/")[2].rpartition(":")
    return tag if colon and ", " not in images else images


async def _look(ctx: PluginContext, secret: Callable[[str], str], since: int) -> list[Change]:
    settings: Settings = ctx.settings
    server = server_with(ctx.http, settings, secret(settings.token_secret))
    found: list[Change] = []
    for namespace in settings.namespaces:
        sets = await server.workloads("replicasets", namespace)
        for it in await server.workloads("deployments", namespace):
            place = Place(namespace=namespace, name=it.metadata.name)
            told = rollouts(it, owned_by(it, sets), place, settings.service_of(place))
            found += [one for one in told if one.at >= since]
    return found


def rollouts(it: Workload, sets: Sequence[Workload], place: Place, service: str | None) -> list[Change]:
    """Return the rollouts of a Deployment, oldest first, by its ReplicaSets in the order of their revisions."""
    return [_rollout(it, before, after, place, service) for before, after in pairwise(sets)]


def _rollout(it: Workload, before: Workload, after: Workload, place: Place, service: str | None) -> Change:
    newest = after.revision == it.revision
    began = after.metadata.creation_timestamp
    if newest and began < before.metadata.creation_timestamp:  # taken up again: it is older than what it replaced
        began = max([began, *(one.last_update_time or 0 for one in it.status.conditions if one.type == "Progressing")])
    kind = _kind(before, after)
    deploys = kind is ChangeKind.DEPLOY
    return Change(
        kind,
        service,
        source=SOURCE,
        id=change_id(str(place), after.revision),
        at=began,
        state=_STATES.get(rolled(it).state, ChangeState.DONE) if newest else ChangeState.DONE,
        before=version_of(before.images) if deploys else "",
        after=version_of(after.images) if deploys else "",
        title=after.metadata.annotations.get(_CAUSE, f"{place}, revision {after.revision}"),
    )


def _kind(before: Workload, after: Workload) -> ChangeKind:
    if before.images != after.images:
        return ChangeKind.DEPLOY
    restarted = same(template_of(before), template_of(after), restarts=False)
    return ChangeKind.RESTART if restarted else ChangeKind.CONFIG
