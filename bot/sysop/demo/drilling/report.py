"""What drills came to, counted and written out for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sysop.demo.drilling.controls import CONTROLS
from sysop.demo.drilling.record import Change
from sysop.demo.drilling.running import Row
from sysop.demo.drilling.verdict import Verdict

TOO_EASY = 0.5
"""A planner that knows nothing must be right in less than this share, else the drills prove nothing."""


def totals(rows: Sequence[Row]) -> dict[str, Any]:
    """Count rows; `right` is the share that is resolved or rightly escalated."""
    count = {verdict: sum(row.judged.verdict is verdict for row in rows) for verdict in Verdict}
    right = len(rows) - count[Verdict.WRONG]
    return {
        "drills": len(rows),
        **{str(verdict): number for verdict, number in count.items()},
        "right": round(right / len(rows), 3) if rows else 0.0,
        "fixes": sum(row.drill.truth.answer == "fix" for row in rows),
        "fixed": sum(row.drill.truth.answer == "fix" and row.judged.right for row in rows),
        "approvals": sum(row.approvals for row in rows),
        "changes": sum(len(row.changes) for row in rows),
        "unapproved_changes": sum(len(row.unapproved) for row in rows),
        "needless_changes": sum(len(row.needless) for row in rows),
        "seconds": round(sum(row.seconds for row in rows), 1),
    }


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return everything: Sysop's totals, those of each control that ran, and a row a drill."""
    own = [row for row in rows if not row.control]
    controls = {name: totals([row for row in rows if row.control == name]) for name in CONTROLS}
    return {
        "totals": totals(own),
        "controls": {name: found for name, found in controls.items() if found["drills"]},
        "drills": [_row(row) for row in rows],
    }


def passed(report: Mapping[str, Any]) -> bool:
    """Say whether nothing is wrong, nothing was needless or not approved, and no control was right too often."""
    own = report["totals"]
    clean = not (own["wrong"] or own["unapproved_changes"] or own["needless_changes"])
    return clean and all(found["right"] < TOO_EASY for found in report["controls"].values())


def _row(row: Row) -> dict[str, Any]:
    return {
        "drill": row.drill.name,
        "title": row.drill.about.title,
        "runbook": row.drill.about.runbook,
        "seed": row.drill.seed,
        "planner": row.control or "runbook",
        "truth": row.drill.truth.answer,
        "verdict": str(row.judged.verdict),
        "why": row.judged.why,
        "did": list(row.did),
        "seconds": row.seconds,
        "incidents": row.incidents,
        "approvals": row.approvals,
        "changes": [_change(change) for change in row.changes],
        "needless_changes": len(row.needless),
        "unapproved_changes": len(row.unapproved),
        "folder": row.folder,
    }


def _change(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "service": change.service, "before": change.before, "after": change.after}
