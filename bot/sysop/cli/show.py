"""How things look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sysop.model import Approval, Conclusion, Incident, Outcome, Risk, Run

STATE_STYLE = {
    "done": "green",
    "resolved": "green",
    "approved": "green",
    "consumed": "green",
    "passed": "green",
    "running": "cyan",
    "queued": "cyan",
    "waiting": "yellow",
    "pending": "yellow",
    "mitigated": "yellow",
    "executing": "yellow",
    "intent": "yellow",
    "open": "red",
    "failed": "red",
    "denied": "red",
    "unknown": "bold red",
}
RISK_STYLE = {Risk.READ: "green", Risk.CHANGE: "yellow", Risk.DESTRUCTIVE: "bold red"}


def state(word: str) -> Text:
    """Return a state in its colour."""
    return Text(word, style=STATE_STYLE.get(word, ""))


def when(ms: int | None) -> str:
    """Return a time in UTC, to the second."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: str) -> str:
    """Return text with every character that could hide or reorder what is read written out, such as `\\u202e`."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in text)


def table(*columns: str, rows: Iterable[Iterable[RenderableType]]) -> Table:
    """Return a plain table."""
    found = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        found.add_column(column, overflow="fold")
    for row in rows:
        found.add_row(*(cell if not isinstance(cell, str) else escape(visible(cell)) for cell in row))
    return found


def approval_card(approval: Approval, now: int) -> Panel:
    """Return everything that is bound, rendered from the stored bytes; what a model wrote comes last, labelled."""
    preview = json.loads(approval.preview)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    rows: list[tuple[str, str]] = [
        ("action", f"{approval.action}   risk: {approval.risk}"),
        ("target", f"{approval.target} in {approval.environment}"),
        ("arguments", approval.args),
        ("what changes", preview["summary"]),
        *(("", change) for change in preview["changes"]),
        ("who feels it", ", ".join(preview["affects"]) or "nobody else known"),
        ("requested by", ", ".join(approval.requesters)),
        ("needs", f"{approval.count} of role {' or '.join(approval.roles)}"),
        ("votes", ", ".join(f"{v.approver} {'yes' if v.approve else 'no'}" for v in approval.votes) or "none"),
        ("digest", approval.digest),
        ("state", _deadline(approval, now)),
    ]
    if approval.reason:
        rows.append(("reason given", approval.reason))
    for name, text in rows:
        grid.add_row(name, escape(visible(text)))
    style = RISK_STYLE[approval.risk]
    return Panel(grid, title=f"approval {approval.id}", border_style=style, title_align="left")


def _deadline(approval: Approval, now: int) -> str:
    if approval.state == "pending":
        left = max(0, approval.approve_by - now) // 1000
        return f"pending, {left // 60} min {left % 60} s left"
    return f"{approval.state}{f': {approval.closed_reason}' if approval.closed_reason else ''}"


def conclusion_panel(run: Run) -> Panel:
    """Return how a run ended."""
    found: Mapping[str, Any] = run.conclusion or {}
    lines = [escape(visible(str(found.get("summary", ""))))]
    if found.get("cause") not in (None, "undetermined"):
        lines.append(f"[bold]cause[/] {escape(visible(str(found['cause'])))}")
    if found.get("basis"):
        lines.append(
            f"[bold]confidence[/] {escape(str(found.get('confidence')))}: {escape(visible(str(found['basis'])))}"
        )
    lines += [f"· {escape(visible(c['text']))} [dim]({', '.join(c['evidence'])})[/]" for c in found.get("claims") or ()]
    lines += [f"[bold]proposed[/] {escape(visible(str(p)))}" for p in found.get("proposed") or ()]
    lines += [f"[dim]not checked: {escape(visible(str(n)))}[/]" for n in found.get("not_checked") or ()]
    if found.get("escalate"):
        lines.append(f"[bold yellow]a person must go on:[/] {escape(visible(str(found['escalate'])))}")
    if found.get("degraded"):
        lines.append(f"[yellow]degraded:[/] {escape(visible(str(found['degraded'])))}")
    style = "green" if found.get("resolved") else "yellow" if run.state == "done" else "red"
    title = f"run {run.id}: {'resolved' if found.get('resolved') else 'not resolved'}"
    return Panel("\n".join(lines), title=title, border_style=style, title_align="left")


def steps(outcomes: Iterable[Outcome]) -> Table:
    """Return a run's calls, one line each."""
    return table(
        "call",
        "action",
        "risk",
        "state",
        "at (UTC)",
        "result",
        rows=(
            (o.call, o.action, Text(o.risk, style=RISK_STYLE[o.risk]), state(o.state), when(o.at), _short(o))
            for o in outcomes
        ),
    )


def _short(outcome: Outcome) -> str:
    text = outcome.error or json.dumps(outcome.result, ensure_ascii=False)
    checked = (
        f"  [{'verified' if outcome.verified else 'NOT verified'}: {outcome.verification}]"
        if outcome.verification
        else ""
    )
    return text[:160] + ("…" if len(text) > 160 else "") + checked


def run_json(run: Run) -> dict[str, Any]:
    """Return a run for machines."""
    return {**asdict(run), "conclusion": run.conclusion}


def incident_lines(incident: Incident) -> Group:
    """Return an incident with its alerts and the reason of each membership."""
    head = f"[bold]{escape(visible(incident.title))}[/]  {incident.id}  {incident.severity}  since {when(incident.opened_at)}"
    members = table(
        "alert",
        "service",
        "state",
        "since (UTC)",
        "why it belongs here",
        rows=(
            (a.name, a.service or "", state("open" if a.firing else "resolved"), when(a.starts_at), reason)
            for a, reason in zip(incident.alerts, incident.reasons, strict=True)
        ),
    )
    return Group(head, Text.assemble("state ", state(incident.state), f"   run {incident.run or 'none'}"), members)


__all__ = [
    "Conclusion",
    "approval_card",
    "conclusion_panel",
    "incident_lines",
    "run_json",
    "state",
    "steps",
    "table",
    "visible",
    "when",
]
