"""How incidents look in a terminal: one with all that is known of it, those like it, and the figures of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sysop.cli import show
from sysop.incidents import changed
from sysop.incidents.similar import Similar
from sysop.incidents.timeline import Timeline
from sysop.incidents.words import origins_of, person, place
from sysop.model import Alert, Change, Incident

MOST = 200
"""So many alerts of an incident are shown."""
NAME = 80
LONGEST = 300
"""So many characters of a name or of a sentence are shown: what is in it, others wrote."""
COPIED = 64
"""Fingerprints and evidence that are longer are folded, for they would leave no room for anything else."""
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
    changed: Sequence[Change] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            **asdict(self.incident),
            "owners": list(self.owners),
            "similar": [similar_json(one) for one in self.similar],
            "held_back": self.held_back,
            "timeline": [asdict(moment) for moment in self.timeline.moments],
            "left_out": self.timeline.left_out,
            "changed_before": changed.as_json(self.changed, changed.begin_of(self.incident)),
        }


def around(incident: Incident) -> tuple[int, int]:
    """Return the time around an incident's alerts, in milliseconds."""
    starts = [alert.starts_at for alert in incident.alerts] or [incident.opened_at]
    return min(starts) - WINDOW_MS, max(starts) + WINDOW_MS


def similar_json(one: Similar) -> dict[str, Any]:
    """Return a similar incident for machines."""
    helped = [{**asdict(call), "evidence": call.evidence} for call in one.helped]
    return {**asdict(one), "helped": helped, "ended": one.ended}


def listed(found: Iterable[Incident]) -> RenderableType:
    """Return incidents, one line each."""
    return show.table(
        "id",
        "state",
        "severity",
        "title",
        "services",
        "alerts firing",
        "since (UTC)",
        "run",
        drop=("services", "since (UTC)", "run", "alerts firing", "severity"),
        rows=(
            (
                one.id,
                show.state(one.state),
                show.one_line(one.severity, NAME),
                show.one_line(one.title, 60),
                show.one_line(", ".join(one.services), NAME),
                f"{one.firing} of {len(one.alerts)}" if one.merged_into is None else f"part of {one.merged_into}",
                show.when(one.opened_at),
                one.run or "",
            )
            for one in found
        ),
    )


def whole(found: Whole) -> RenderableType:
    """Return an incident with its alerts, the reason of each membership, what is like it, and its timeline."""
    parts: list[RenderableType] = [_head(found.incident), _about(found), "", _members(found.incident)]
    if found.similar:
        parts += ["", Text("similar incidents", style="bold"), similar(found.similar)]
    parts += ["", Text("timeline", style="bold"), timeline(found.timeline)]
    return Group(*parts)


def _head(incident: Incident) -> Text:
    about = f"  {incident.id}  {incident.severity}  since {show.when(incident.opened_at)} UTC"
    return Text.assemble((show.one_line(incident.title, LONGEST), "bold"), show.visible(about))


def _about(found: Whole) -> RenderableType:
    one = found.incident
    rows: list[tuple[str, Text]] = [("state", show.state(one.state))]
    if one.merged_into:
        rows.append(("part of", Text(one.merged_into)))
    rows.append(("run", Text(one.run or "none")))
    rows.append(("owner", Text(show.one_line(", ".join(found.owners), LONGEST) or "none in the inventory")))
    rows.append(("looked after", _plain(_looked_after(one))))
    rows += [("origin" if at == 0 else "", _plain(line)) for at, line in enumerate(_origins(one))]
    rows += [("changed" if at == 0 else "", _plain(line)) for at, line in enumerate(_changed(found))]
    if found.held_back:
        rows.append(
            ("held back", Text(f"{count(found.held_back, 'other alert')} around that time: sysop alerts --held"))
        )
    return pairs(rows)


def _looked_after(one: Incident) -> str:
    if one.acknowledged_by is None:
        return "by nobody yet" if one.resolved_at is None else "by nobody"
    return f"by {person(one.acknowledged_by) or one.acknowledged_by} since {show.when(one.acknowledged_at)} UTC"


def _origins(one: Incident) -> list[str]:
    told = [
        f"{show.one_line(str(origin.get('service') or 'no service'), NAME)},"
        f" {100 * float(origin.get('weight') or 0):.0f} %:"
        f" {show.one_line(str(origin.get('reason') or origin.get('alert')), LONGEST)}"
        for origin in origins_of(one)
    ]
    return told or ["undetermined"]


def _changed(found: Whole) -> list[str]:
    begin = changed.begin_of(found.incident)
    told = [show.one_line(changed.sentence(one, begin), LONGEST) for one in found.changed]
    return told or ["nothing that is known, in the 30 minutes before"]


def _members(incident: Incident) -> RenderableType:
    if not incident.alerts:
        return Text("no alert belongs to it")
    pairs = list(zip(incident.alerts, incident.reasons, strict=True))
    more = f"{count(len(pairs) - MOST, 'alert')} more: --json has them" if len(pairs) > MOST else ""
    found = _alerts(pairs[:MOST])
    return Group(found, Text(more, style="dim")) if more else found


def _alerts(found: Sequence[tuple[Alert, str]]) -> RenderableType:
    short = all(len(alert.fingerprint) <= COPIED for alert, _ in found)
    return show.table(
        "alert",
        "on",
        "state",
        "since (UTC)",
        "fingerprint",
        "why it belongs here",
        whole=("fingerprint",) if short else (),
        drop=("since (UTC)", "fingerprint", "on"),
        rows=(
            (
                show.one_line(alert.name, NAME),
                show.one_line(place(alert) or "", NAME),
                show.state("open" if alert.firing else "resolved"),
                show.when(alert.starts_at),
                alert.fingerprint,
                show.one_line(reason, LONGEST),
            )
            for alert, reason in found
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
        whole=("evidence",) if all(len(moment.evidence) <= COPIED for moment in found.moments) else (),
        drop=("evidence", "by"),
        rows=(
            (
                show.when(moment.at),
                show.one_line(moment.words, LONGEST),
                (person(moment.actor) or "") if moment.actor else "",
                moment.evidence,
            )
            for moment in found.moments
        ),
    )
    more = f"{count(found.left_out, 'moment')} more: the audit log has them" if found.left_out else ""
    return Group(rows, Text(more, style="dim")) if more else rows


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


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
