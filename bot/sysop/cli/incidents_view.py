"""How incidents look in a terminal: one with all that is known of it, those like it, and the figures of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sysop.cli import show
from sysop.incidents.figures import Figures, Times
from sysop.incidents.figures import Group as Figure
from sysop.incidents.similar import Similar
from sysop.incidents.timeline import Timeline
from sysop.incidents.words import lasted, person
from sysop.model import Incident

BAR = 20
WINDOW_MS = 600_000
"""So long before the first alert and after the last one others were held back "around that time"."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An incident with what is told beside it. `held_back` counts other alerts around that time."""

    incident: Incident
    owners: Sequence[str]
    similar: Sequence[Similar]
    held_back: int
    timeline: Timeline

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            **asdict(self.incident),
            "owners": list(self.owners),
            "similar": [similar_json(one) for one in self.similar],
            "held_back": self.held_back,
            "timeline": [asdict(moment) for moment in self.timeline.moments],
            "left_out": self.timeline.left_out,
        }


def around(incident: Incident) -> tuple[int, int]:
    """Return the time around an incident's alerts, in milliseconds."""
    starts = [alert.starts_at for alert in incident.alerts] or [incident.opened_at]
    return min(starts) - WINDOW_MS, max(starts) + WINDOW_MS


def similar_json(one: Similar) -> dict[str, Any]:
    """Return a similar incident for machines."""
    helped = [{**asdict(call), "evidence": call.evidence} for call in one.helped]
    return {**asdict(one), "helped": helped, "ended": one.ended}


def whole(found: Whole) -> RenderableType:
    """Return an incident with its alerts, the reason of each membership, what is like it, and its timeline."""
    parts: list[RenderableType] = [_head(found.incident), _about(found), "", _members(found.incident)]
    if found.similar:
        parts += ["", Text("similar incidents", style="bold"), similar(found.similar)]
    parts += ["", Text("timeline", style="bold"), timeline(found.timeline)]
    return Group(*parts)


def _head(incident: Incident) -> Text:
    about = f"  {incident.id}  {incident.severity}  since {show.when(incident.opened_at)} UTC"
    return Text.assemble((show.visible(incident.title), "bold"), show.visible(about))


def _about(found: Whole) -> RenderableType:
    one = found.incident
    rows: list[tuple[str, Text]] = [("state", show.state(one.state))]
    if one.merged_into:
        rows.append(("part of", Text(one.merged_into)))
    rows.append(("run", Text(one.run or "none")))
    rows.append(("owner", _plain(", ".join(found.owners) or "none in the inventory")))
    rows.append(("looked after", _plain(_looked_after(one))))
    rows += [("origin" if at == 0 else "", _plain(line)) for at, line in enumerate(_origins(one))]
    if found.held_back:
        rows.append(
            ("held back", Text(f"{_count(found.held_back, 'other alert')} around that time: sysop alerts --held"))
        )
    return pairs(rows)


def _looked_after(one: Incident) -> str:
    if one.acknowledged_by is None:
        return "by nobody yet" if one.resolved_at is None else "by nobody"
    return f"by {person(one.acknowledged_by) or one.acknowledged_by} since {show.when(one.acknowledged_at)} UTC"


def _origins(one: Incident) -> list[str]:
    told = [
        f"{origin.get('service') or 'no service'}, {100 * float(origin.get('weight') or 0):.0f} %:"
        f" {origin.get('reason') or origin.get('alert')}"
        for origin in one.origins
    ]
    return told or ["undetermined"]


def _members(incident: Incident) -> RenderableType:
    return show.table(
        "alert",
        "service",
        "state",
        "since (UTC)",
        "fingerprint",
        "why it belongs here",
        whole=("fingerprint",),
        drop=("since (UTC)", "service", "fingerprint"),
        rows=(
            (
                alert.name,
                alert.service or "",
                show.state("open" if alert.firing else "resolved"),
                show.when(alert.starts_at),
                alert.fingerprint,
                reason,
            )
            for alert, reason in zip(incident.alerts, incident.reasons, strict=True)
        ),
    )


def similar(found: Iterable[Similar]) -> RenderableType:
    """Return past incidents, one line each, the likest first."""
    return show.table(
        "id",
        "likeness",
        "title",
        "since (UTC)",
        "why",
        "how it ended",
        drop=("title", "since (UTC)", "likeness"),
        rows=(
            (
                one.incident,
                f"{one.score:.2f}",
                show.one_line(one.title, 60),
                show.when(one.opened_at),
                show.one_line("; ".join(one.reasons)),
                show.one_line(one.ended),
            )
            for one in found
        ),
    )


def timeline(found: Timeline) -> RenderableType:
    """Return what happened, one line each."""
    rows = show.table(
        "at (UTC)",
        "what",
        "by",
        "evidence",
        drop=("evidence", "by"),
        rows=(
            (
                show.when(moment.at),
                show.one_line(moment.words, 300),
                (person(moment.actor) or "") if moment.actor else "",
                moment.evidence,
            )
            for moment in found.moments
        ),
    )
    more = f"{_count(found.left_out, 'moment')} more: the audit log has them" if found.left_out else ""
    return Group(rows, Text(more, style="dim")) if more else rows


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
        reduced = f"{100 * found.noise_reduction:.0f} %: {_count(found.of_alerts, 'incident')} of"
        rows.append(("noise reduction", f"{reduced} {_count(taken.alerts, 'alert')}"))
    if found.older:
        rows.append(("left out", f"{_count(found.older, 'older incident')}; choose a shorter time with --since"))
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
                group.name,
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


def pairs(rows: Iterable[tuple[str, Text]]) -> RenderableType:
    """Return names and what they stand for, side by side."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        grid.add_row(name, text)
    return grid


def _plain(text: str) -> Text:
    return Text(show.visible(text))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
