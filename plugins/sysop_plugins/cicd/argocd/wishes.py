"""What may be asked of an application, and which of its operations a key has asked for."""

from __future__ import annotations

from sysop.api import ActionFailed
from sysop_plugins.cicd.argocd.applications import Place
from sysop_plugins.cicd.argocd.ids import OperationId
from sysop_plugins.cicd.argocd.reading import KEY, asked
from sysop_plugins.cicd.argocd.replies import App, Entry
from sysop_plugins.cicd.provider import Build
from sysop_plugins.cicd.record import Record


def own(app: App, known: list[Record], key: str) -> Build | None:
    """Return the operation a key asked for: the one that carries it, else the first after it was written down."""
    carried = [one.build for one in known if one.key == key]
    if carried:
        return carried[-1]
    said = asked(app)
    if said is None or said.key != key:
        return None
    after = [
        one.build
        for one in known
        if (one.build.started_at is None or one.build.started_at > said.after)
        and one.version == said.version
        and not one.key
    ]
    return after[0] if after else None


def may_carry(app: App, key: str) -> bool:
    """Tell whether an application can have an operation that a key asked for; it takes no further question."""
    said, state = asked(app), app.status.operationState
    operations = [*([app.operation] if app.operation else []), *([state.operation] if state else [])]
    return (said is not None and said.key == key) or any(one.noted(KEY) == key for one in operations)


def remembered(app: App, known: list[Record], version: str) -> Entry | None:
    """Return the newest entry of the history with a version, None for one that was not live before."""
    ids = {one.build.id for one in known if one.version == version and one.build.state == "succeeded"}
    found = [e for e in app.status.history if str(OperationId(app.metadata.name, e.began)) in ids]
    return found[-1] if found else None


def refuse_busy(place: Place, app: App, known: list[Record]) -> None:
    """Raise ActionFailed while an operation waits or goes on."""
    if app.busy:
        busy = [one.build for one in known if not one.build.finished]
        what = f"{busy[0].id} is still {busy[0].state}" if busy else "an operation goes on"
        raise ActionFailed(f"{place.service}: {what}; wait for it or cancel it")


def pauses(place: Place, app: App, version: str, entry: Entry | None) -> bool:
    """Tell whether automated sync has to be switched off first. Raises ActionFailed where that is not allowed."""
    target = app.spec.source.targetRevision if app.spec.source else ""
    if app.spec.sources and entry is None:
        raise ActionFailed(
            f"version: {place.application} has several sources, so only what its history has can be brought back"
        )
    if not app.automated or (entry is None and version == target):
        return False
    if not place.one.pause_auto_sync:
        raise ActionFailed(
            f"{place.application} follows {target or 'Git'} by itself and would undo it; change it in Git, or set "
            f"plugins.cicd.argocd.pipelines.{place.pipeline}.pause_auto_sync"
        )
    return True
