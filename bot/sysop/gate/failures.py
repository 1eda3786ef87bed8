"""Repeated failure: after so many changes of one target that failed or did not help, people decide on the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from sysop.errors import ActionRefused
from sysop.gate.bind import Bound
from sysop.model import Approval, Decision, Risk, Verdict
from sysop.policy_sections import BudgetSettings
from sysop.store import targets
from sysop.store.effects import Effect

RULE = "repeated failure"
_SHOWN = 8
"""The newest failures are told on a card; more of them tell nobody more."""
_LONG = 160
Clean = Callable[[Any], str]
"""Returns any value as JSON text without secrets, as it stands on cards."""


class Tripped(ActionRefused):
    """So much has failed meanwhile that a person must decide, who has not been asked yet."""


def demand(conn: Connection, bound: Bound, budgets: BudgetSettings, now: int) -> Decision | None:
    """Return what repeated failure demands of a change, None where there were few failures.

    The ledger alone tells: nothing has to be reset, and no restart forgets.
    """
    if bound.action.risk is Risk.READ:
        return None
    since = now - budgets.failures_within_minutes * 60_000
    found = targets.failed(conn, bound.target, bound.environment, since)
    if len(found) < budgets.failures:
        return None
    reason = (
        f"{len(found)} change{'s' if len(found) != 1 else ''} of {bound.target} failed or did not help in the last "
        f"{budgets.failures_within_minutes} minutes: before the next somebody with a role to approve must look"
    )
    return Decision(Verdict.APPROVE, RULE, reason, count=1, notes=tuple(map(_told, found[-_SHOWN:])))


def unseen(approval: Approval, decision: Decision, clean: Clean) -> str | None:
    """Return what whoever approved was not shown, None where they saw all of it."""
    if not decision.notes:
        return None
    shown = json.loads(approval.preview)["changes"]
    return next((note for note in decision.notes if json.loads(clean(note)) not in shown), None)


def _told(row: Effect) -> str:
    """Return one line on a failure. It never changes, since people approve it with the rest of the card."""
    at = datetime.fromtimestamp((row.finished_at or row.created_at) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    how, why = ("did not help", row.verification) if row.verified is False else ("failed", row.error)
    what = _short(f"{row.action} {row.args}", _LONG)
    return f"before: {what} {how} at {at} (run {row.run}){f': {_short(why, _LONG)}' if why else ''}"


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
