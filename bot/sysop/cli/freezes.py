"""Freezes as `sysop policy show` tells them: which holds now, which comes next, and what may be done in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from sysop.cli import show
from sysop.gate import freeze as freezing
from sysop.policy_sections import Freeze


def as_json(freeze: Freeze, now: int) -> dict[str, Any]:
    """Return a freeze for machines, times in milliseconds: what was written, whether it holds, its next edge."""
    holds = freezing.holds(freeze, now)
    return {
        **freeze.model_dump(mode="json", by_alias=True),
        "holds": holds,
        "ends_at": freezing.ends(freeze, now) if holds else None,
        "begins_at": None if holds else freezing.begins(freeze, now),
    }


def table(freezes: Sequence[Freeze], now: int) -> RenderableType:
    """Return the freezes, those in force first, then in the order they begin; those that are over last."""
    return show.table(
        "freeze",
        "when",
        "holds for",
        "all the same",
        "reason",
        rows=(
            (freeze.name, _when(freeze, now), _about(freeze), _exceptions(freeze), freeze.reason)
            for freeze in sorted(freezes, key=lambda one: _order(one, now))
        ),
    )


def _order(freeze: Freeze, now: int) -> tuple[int, int]:
    if freezing.holds(freeze, now):
        return 0, 0
    begins = freezing.begins(freeze, now)
    return (2, 0) if begins is None else (1, begins)


def _when(freeze: Freeze, now: int) -> Text:
    if freezing.holds(freeze, now):
        ends = freezing.ends(freeze, now)
        until = f" until {freezing.told(freeze, ends)}" if ends is not None else ", without an end"
        return Text(f"now{until}", style="bold red")
    begins = freezing.begins(freeze, now)
    if begins is None:
        return Text("over", style="dim")
    ends = freezing.ends(freeze, begins)
    return Text(f"next from {freezing.told(freeze, begins)}{f' to {freezing.told(freeze, ends)}' if ends else ''}")


def _about(freeze: Freeze) -> str:
    keys = ("service", "environment", "action")
    parts = [f"{key} {', '.join(wanted)}" for key in keys if (wanted := getattr(freeze, key))]
    return "; ".join(parts) or "every change"


def _exceptions(freeze: Freeze) -> str:
    taken_back = [f"{', '.join(freeze.approve)}: 1 approves"] if freeze.approve else []
    asked = [f"asked by {' or '.join(freeze.exempt)}: {freeze.count} approve"] if freeze.exempt else []
    return "; ".join([*taken_back, *asked]) or "nothing"
