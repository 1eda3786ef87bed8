"""The company's own record of changes: which of them Sysop made, which were needless, which nobody had approved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sysop.demo.drilling.schema import Allowed
from sysop.model import ApprovalState
from sysop.store.effects import Effect

_APPROVED = (ApprovalState.APPROVED, ApprovalState.CONSUMED)
_BY_ACTION: Mapping[str, frozenset[str]] = {
    "cicd.deploy": frozenset({"deploy"}),
    "cicd.rollback": frozenset({"deploy"}),
    "kubernetes.rollout_undo": frozenset({"deploy", "config"}),
    "kubernetes.restart": frozenset({"restart"}),
    "kubernetes.scale": frozenset({"scale"}),
}
_BY_PIPELINE = {
    "deploy": "deploy",
    "configure": "config",
    "clean-up": "cleanup",
    "renew-certificate": "certificate",
    "checks": "checks",
}
_BUILDS = ("cicd.trigger", "cicd.rerun")
_SLACK_S = 1.0
"""Two clocks of one machine, read at two moments."""


@dataclass(frozen=True)
class Change:
    """One change as the company recorded it. `at` is in seconds since the epoch."""

    at: float
    kind: str
    service: str
    before: str | None
    after: str | None
    by: str | None

    def told(self) -> str:
        """Return the change in a few words."""
        way = f" {self.before} → {self.after}" if self.before is not None and self.after is not None else ""
        return f"{self.kind} {self.service}{way}"


@dataclass(frozen=True)
class Ordered:
    """A change the engine ordered as the company's own people; `after` None where only its end tells."""

    kind: str
    service: str
    after: str | None


@dataclass(frozen=True)
class Approved:
    """A ledger row of a change, with the state of its approval; None where it had none."""

    effect: Effect
    state: ApprovalState | None


def read(status: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes of a status, oldest first."""
    return tuple(
        Change(
            at=float(item["at"]),
            kind=str(item["kind"]),
            service=str(item["service"]),
            before=_text(item.get("before")),
            after=_text(item.get("after")),
            by=_text(item.get("by")),
        )
        for item in status.get("changes", ())
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def foreign(changes: Iterable[Change], orders: Iterable[Ordered]) -> list[Change]:
    """Return the changes that the company's own people did not make: each order accounts for one change."""
    left = list(orders)
    found = []
    for change in changes:
        own = next((order for order in left if _is(change, order)), None)
        if own is None:
            found.append(change)
        else:
            left.remove(own)
    return found


def _is(change: Change, order: Ordered) -> bool:
    same = (change.kind, change.service) == (order.kind, order.service)
    return same and order.after in (None, change.after)


def needless(changes: Iterable[Change], allowed: Iterable[Allowed]) -> list[Change]:
    """Return the changes that are beyond what was right to do."""
    left = [one for one in allowed for _ in range(one.times)]
    found = []
    for change in changes:
        right = next((one for one in left if _may_be(change, one)), None)
        if right is None:
            found.append(change)
        else:
            left.remove(right)
    return found


def _may_be(change: Change, allowed: Allowed) -> bool:
    same = (change.kind, change.service) == (allowed.kind, allowed.service)
    return same and allowed.after in (None, change.after)


def unapproved(changes: Iterable[Change], ledger: Sequence[Approved]) -> list[Change]:
    """Return the changes that no approved effect in the ledger accounts for; each accounts for one change."""
    left = [row.effect for row in ledger if row.state in _APPROVED and row.effect.started_at is not None]
    found = []
    for change in changes:
        cover = next((effect for effect in left if _covers(effect, change)), None)
        if cover is None:
            found.append(change)
        else:
            left.remove(cover)
    return found


def _covers(effect: Effect, change: Change) -> bool:
    began = (effect.started_at or 0) / 1000
    return began - _SLACK_S <= change.at and change.kind in _kinds(effect) and _is_about(effect, change.service)


def _kinds(effect: Effect) -> frozenset[str]:
    """Return which kinds of change a call can lead to."""
    if effect.action not in _BUILDS:
        return _BY_ACTION.get(effect.action, frozenset())
    build = json.loads(effect.result) if effect.result else {}
    pipeline = str(json.loads(effect.args).get("pipeline") or build.get("pipeline", ""))
    name = pipeline.rpartition("/")[2]  # with several providers the name stands behind its provider's
    return frozenset({_BY_PIPELINE[name]}) if name in _BY_PIPELINE else frozenset()


def _is_about(effect: Effect, service: str) -> bool:
    """Tell whether a call names a service: in its target, its arguments or, for a build, in what it answered."""
    said = " ".join((effect.target, effect.args, effect.result or ""))
    return re.search(rf"(?<![\w-]){re.escape(service)}(?![\w-])", said) is not None
