"""How the figures of incidents look in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from sysop.cli import show
from sysop.cli.incidents_view import NAME, count, pairs
from sysop.incidents.figures import Figures, Times
from sysop.incidents.figures import Group as Figure
from sysop.incidents.words import lasted

BAR = 20


def figures(found: Figures) -> RenderableType:
    """Return figures: what there was, how long it took, and a bar for each group."""
    parts: list[RenderableType] = [_period(found), pairs(_sums(found)), "", _durations(found.whole)]
    if found.by:
        parts += ["", _groups(found.by, found.groups)]
    return Group(*parts)


def _period(found: Figures) -> Text:
    return Text(f"{show.when(found.since)} to {show.when(found.until)} UTC", style="bold")


def _sums(found: Figures) -> list[tuple[str, Text]]:
    whole, taken = found.whole, found.taken_in
    ends = f"{whole.unresolved:,} not resolved, {whole.unacknowledged:,} never acknowledged"
    fates = f"{taken.held:,} held back, {taken.silenced:,} silenced, {taken.waiting:,} waiting"
    rows = [("incidents", f"{whole.incidents:,}: {ends}"), ("alerts", f"{taken.alerts:,}: {fates}")]
    if whole.alerts_each is not None:
        rows.append(("an incident", f"{whole.alerts_each:.1f} alerts in the mean"))
    if found.noise_reduction is not None:
        reduced = f"{100 * found.noise_reduction:.0f} %: {count(found.of_alerts, 'incident')} of"
        rows.append(("noise reduction", f"{reduced} {count(taken.alerts, 'alert')}"))
    if found.older:
        rows.append(("left out", f"{count(found.older, 'older incident')}; choose a shorter time with --since"))
    return [(name, Text(text)) for name, text in rows]


def _durations(whole: Figure) -> RenderableType:
    named = (
        ("acknowledged (MTTA)", whole.acknowledged),
        ("mitigated (MTTR)", whole.mitigated),
        ("resolved", whole.resolved),
    )
    rows = ((name, *_numbers(found)) for name, found in named)
    return show.table(
        "from opened until", "incidents", "mean", "median", "p90", rows=rows, whole=("from opened until",)
    )


def _numbers(found: Times | None) -> tuple[str, ...]:
    if found is None:
        return ("0", "–", "–", "–")
    return (f"{found.count:,}", lasted(found.mean), lasted(found.median), lasted(found.p90))


def _groups(by: str, groups: Sequence[Figure]) -> RenderableType:
    most = max((group.incidents for group in groups), default=0)
    return show.table(
        by,
        "incidents",
        " ",
        "acknowledged",
        "mitigated",
        "resolved",
        "never acknowledged",
        "alerts",
        whole=(" ",),
        drop=("alerts", "never acknowledged", "resolved", "acknowledged", " "),
        rows=(
            (
                show.one_line(group.name, NAME),
                f"{group.incidents:,}",
                Text("█" * bar(group.incidents, most), style="cyan"),
                _median(group.acknowledged),
                _median(group.mitigated),
                _median(group.resolved),
                f"{group.unacknowledged:,}",
                f"{group.alerts:,}",
            )
            for group in groups
        ),
    )


def bar(part: int, most: int) -> int:
    """Return how many cells a bar has; one that stands for something has at least one."""
    return max(1, round(BAR * part / most)) if part and most else 0


def _median(found: Times | None) -> str:
    return lasted(found.median) if found else "–"
