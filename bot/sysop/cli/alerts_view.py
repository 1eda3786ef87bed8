"""How replays look in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sysop.cli import show
from sysop.cli.chart import Chart, span
from sysop.incidents.comparing import Change, Comparison
from sysop.incidents.correlation import Knobs, Reason
from sysop.incidents.replaying import Replayed, ReplayedIncident

LARGEST: Final = 10
_HELD: Final = {
    "noise": "no problem by their own severity",
    "flapping": "they come and go without anything else",
    "alike": "firings of one symptom and no second one",
    "alone": "nothing else fits them",
    "old": "they came later than the engine remembers",
    "future": "the clock of their source is wrong",
    "waiting": "they came late and wait for their turn",
}
_ODDS: Final = frozenset(("text", "learnt"))
"""Reasons whose weight is a factor and no share."""
_SEVERITY_STYLE: Final = {"page": "bold red", "critical": "red", "error": "red", "warning": "yellow"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision about one alert, with its reasons in words."""

    alert: str
    at: str
    incident: str | None
    reason: str
    why: tuple[Reason, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def as_json(found: Replayed, settings: Knobs) -> dict[str, Any]:
    """Return a replay for machines: figures, the settings they came of, and every incident with its alerts."""
    told = asdict(found)
    del told["arrivals"]
    return {**told, "settings": asdict(settings)}


def summary(found: Replayed) -> RenderableType:
    """Return what came of a replay on one screen."""
    if not found.occurrences:
        return Text(f"no alerts in {_count(found.deliveries, 'delivery', 'deliveries')}")
    largest = sorted(found.incidents, key=lambda incident: (-len(incident.alerts), incident.began))[:LARGEST]
    left = len(found.incidents) - len(largest)
    parts: list[RenderableType] = [_figures(found), Text(), _chart(found)]
    if largest:
        parts += [Text(), Text("largest incidents", style="bold"), _incidents(largest)]
    if left:
        parts.append(Text(f"and {left} smaller; --json has all of them", style="dim"))
    return Group(*parts)


def explanations(told: Sequence[Explanation]) -> RenderableType:
    """Return every decision about the alerts that were asked for, in order, each with its reasons."""
    parts: list[RenderableType] = []
    for alert in dict.fromkeys(one.alert for one in told):
        parts.append(Text(show.visible(alert), style="bold"))
        parts += [_explanation(one) for one in told if one.alert == alert]
    return Group(*parts)


def comparison(first: tuple[Knobs, Replayed], second: tuple[Knobs, Replayed], found: Comparison) -> RenderableType:
    """Return two replays of the same deliveries side by side, and what becomes of incidents."""
    titles, others = ({one.id: one for one in side.incidents} for _, side in (first, second))
    parts: list[RenderableType] = [_side_by_side(first, second), Text(), _pairs(found)]
    if found.changes:
        shown = found.changes[:LARGEST]
        parts += [Text(), Text("what becomes of incidents, the largest changes first", style="bold")]
        parts.append(_changes(shown, titles, others))
    if len(found.changes) > LARGEST:
        parts.append(Text(f"and {len(found.changes) - LARGEST} more; --json has all of them", style="dim"))
    return Group(*parts)


def _figures(found: Replayed) -> RenderableType:
    shown = sum(len(incident.alerts) for incident in found.incidents)
    held = sum(found.held.values())
    grid = _grid()
    repeats = _count(found.repeats, "repeat or resolved notice", "repeats and resolved notices")
    deliveries = f"in {_count(found.deliveries, 'delivery', 'deliveries')}, with {repeats}"
    grid.add_row("alerts", f"{found.occurrences:,}", deliveries)
    moved = f"; {_count(found.moves, 'later move')}" if found.moves else ""
    grid.add_row("incidents", f"{len(found.incidents):,}", f"of {_count(shown, 'alert')}{moved}")
    grid.add_row("held back", f"{held:,}", f"{held / found.occurrences:.0%} of all alerts")
    for kind, count in found.held.items():
        grid.add_row("", f"{count:,}", Text(f"{kind}: {_HELD.get(kind, 'the engine did not say')}", style="dim"))
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _chart(found: Replayed) -> RenderableType:
    """Return alerts and incidents over the time of the recording, as they arrived."""
    rows = {"alerts": found.arrivals, "incidents": [one.arrived for one in found.incidents]}
    return Chart(rows, _seconds(found.since), _seconds(found.until))


def _incidents(found: Iterable[ReplayedIncident]) -> RenderableType:
    return show.table(
        "alerts",
        "title",
        "severity",
        "since (UTC)",
        "span",
        "why it began there",
        drop=("severity", "span", "since (UTC)"),
        rows=(
            (
                str(len(one.alerts)),
                show.one_line(one.title, 70),
                Text(one.severity, style=_SEVERITY_STYLE.get(one.severity, "")),
                show.when(round(one.began * 1000)),
                span(one.last - one.began),
                show.one_line(one.origins[0].words, 90) if one.origins else "undetermined",
            )
            for one in found
        ),
    )


def _explanation(one: Explanation) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    where = ("in ", one.incident) if one.incident else ("held back", "")
    grid.add_row(show.when(round(_seconds(one.at) * 1000)), Text(show.visible("".join(where)), style="cyan"))
    grid.add_row("", Text(show.visible(one.reason if one.incident else one.reason.removeprefix("held back: "))))
    for reason in one.why:
        if reason.words == one.reason:
            continue
        weight = "    " if reason.kind in _ODDS else f"{reason.weight:>4.0%}"
        grid.add_row("", Text(f"{weight}  {reason.kind}: {show.visible(reason.words)}", style="dim"))
    return grid


def _side_by_side(first: tuple[Knobs, Replayed], second: tuple[Knobs, Replayed]) -> RenderableType:
    figures: Sequence[tuple[str, Callable[[Replayed], int]]] = (
        ("incidents", lambda found: len(found.incidents)),
        ("alerts in them", lambda found: sum(len(one.alerts) for one in found.incidents)),
        ("held back", lambda found: sum(found.held.values())),
        ("largest incident", lambda found: max((len(one.alerts) for one in found.incidents), default=0)),
        ("later moves", lambda found: found.moves),
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for mine, theirs in ((first, second), (second, first)):
        table.add_column(_named(mine[0], theirs[0]), justify="right", overflow="fold")
    for name, count in figures:
        table.add_row(name, f"{count(first[1]):,}", f"{count(second[1]):,}")
    return table


def _named(settings: Knobs, other: Knobs) -> str:
    """Return the settings in which two differ."""
    mine, theirs = asdict(settings), asdict(other)
    return " ".join(f"{name}={value}" for name, value in mine.items() if value != theirs[name]) or "the same"


def _pairs(found: Comparison) -> RenderableType:
    text = Text(f"{_count(found.same, 'incident is', 'incidents are')} the same. Pairs of alerts in one incident: ")
    text.append(f"{found.pairs_both:,} both times, {found.pairs_before:,} only the first, ")
    return text.append(f"{found.pairs_after:,} only the second time")


def _changes(
    changes: Iterable[Change], before: Mapping[str, ReplayedIncident], after: Mapping[str, ReplayedIncident]
) -> RenderableType:
    return show.table(
        "what",
        "first",
        "second",
        "alerts shown or held",
        whole=("what",),
        rows=(
            (
                change.kind,
                _sides(before[id] for id in change.before),
                _sides(after[id] for id in change.after),
                ", ".join(f"{sign}{count}" for sign, count in (("+", change.gained), ("-", change.lost)) if count),
            )
            for change in changes
        ),
    )


def _sides(found: Iterable[ReplayedIncident]) -> str:
    every = list(found)
    shown = ", ".join(f"{show.one_line(one.title, 50)} ({len(one.alerts)})" for one in every[:3])
    return f"{shown} and {len(every) - 3} more" if len(every) > 3 else shown or "held back"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
