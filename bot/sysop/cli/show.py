"""How things look in a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sysop.model import Approval, AuditEntry, Outcome, Risk, Run

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
_BLANK = "\u115f\u1160\u3164\uffa0" + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_ENVELOPE = ("chain", "seq", "kind", "actor", "ts")
_DIFF_STYLE = {"+": "green", "-": "red"}
Cell = str | Text
WHOLE = frozenset({"id", "run", "incident", "chain", "state", "risk", "at (UTC)", "since (UTC)", "until (UTC)"})
"""Columns that people copy from, or that say nothing when they are broken."""
ROOM = 20  # what a column that folds should have before another one goes
LEAST = 8  # what it must have before ids fold
GAP = 2
RISK_STYLE = {Risk.READ: "green", Risk.CHANGE: "yellow", Risk.DESTRUCTIVE: "bold red"}


def state(word: str) -> Text:
    """Return a state in its colour."""
    return Text(word, style=STATE_STYLE.get(word, ""))


def risk(level: Risk) -> Text:
    """Return a risk in its colour."""
    return Text(level, style=RISK_STYLE[level])


def when(ms: int | None) -> str:
    """Return a time in UTC, to the second."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def visible(text: str) -> str:
    """Return text with every character that could hide or reorder what is read written out, such as `\\u202e`."""
    return "".join(c if (c.isprintable() and c not in _BLANK) or c in "\n\t" else _written(c) for c in text)


def one_line(text: str, limit: int = 160) -> str:
    """Return text on one line, shortened, with nothing hidden in it."""
    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _written(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class Rows:
    """A plain table that fits: ids and times stay whole, other columns fold, and where that is too little some go."""

    def __init__(
        self, columns: Sequence[str], rows: Iterable[Iterable[Cell]], whole: AbstractSet[str], drop: Sequence[str]
    ):
        cells = [[Text(visible(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._columns = {name: [row[number] for row in cells] for number, name in enumerate(columns)}
        self._whole = whole
        self._drop = drop

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many columns as the width has room for."""
        shown = dict(self._columns)
        for name in self._drop:
            if self._need(shown, ROOM) > options.max_width:
                del shown[name]
        fits = self._need(shown, LEAST) <= options.max_width
        found = Table(box=None, header_style="bold", pad_edge=False)
        for name, cells in shown.items():
            whole = fits and name in self._whole
            found.add_column(name, overflow="fold", no_wrap=whole, min_width=_width(name, cells) if whole else None)
        for row in zip(*shown.values(), strict=True):
            found.add_row(*row)
        yield found

    def _need(self, columns: Mapping[str, Sequence[Text]], room: int) -> int:
        widths = {name: _width(name, cells) for name, cells in columns.items()}
        needed = [width if name in self._whole else min(width, room) for name, width in widths.items()]
        return sum(needed) + GAP * (len(needed) - 1)


def _width(name: str, cells: Iterable[Text]) -> int:
    return max(cell_len(name), *(cell.cell_len for cell in cells), 0)


def table(
    *columns: str, rows: Iterable[Iterable[Cell]], whole: Iterable[str] = (), drop: Sequence[str] = ()
) -> RenderableType:
    """Return a plain table. `whole` are columns that never fold, beside ids and times; `drop` those to go, in order."""
    return Rows(columns, rows, WHOLE | set(whole), drop)


def askers(requesters: Iterable[str]) -> str:
    """Return who asked; the uid beside a person's name is for the gate and tells a reader nothing more."""
    every = tuple(requesters)
    return ", ".join([who for who in every if not who.startswith("os:")] or every)


def approval_card(approval: Approval, now: int) -> Panel:
    """Return everything that is bound, rendered from the stored bytes; what a model wrote comes last, labelled."""
    preview = json.loads(approval.preview)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    rows: list[tuple[str, str]] = [
        ("action", f"{approval.action}   risk: {approval.risk}"),
        ("target", f"{approval.target} in {approval.environment}"),
        *_labelled("arguments", [f"{name} = {value}" for name, value in arguments(approval.args)] or ["none"]),
        ("what changes", preview["summary"]),
        *(("", change) for change in preview["changes"]),
        ("who feels it", ", ".join(preview["affects"]) or "nobody else known"),
        ("requested by", askers(approval.requesters)),
        ("needs", f"{approval.count} of role {' or '.join(approval.roles)}"),
        ("votes", ", ".join(f"{v.approver} {'yes' if v.approve else 'no'}" for v in approval.votes) or "none"),
        ("digest", approval.digest),
        ("state", deadline(approval, now)),
    ]
    if approval.reason:
        rows.append(("reason given", approval.reason))
    for name, text in rows:
        grid.add_row(
            name, Text(visible(text.replace("\n", "\\n")), style=_DIFF_STYLE.get(text[:1], "") if not name else "")
        )
    style = RISK_STYLE[approval.risk]
    return Panel(grid, title=f"approval {approval.id}", border_style=style, title_align="left")


def arguments(canonical: str) -> list[tuple[str, str]]:
    """Return every argument of bound bytes as (name, JSON)."""
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in json.loads(canonical).items()]


def call_line(action: str, canonical: str) -> str:
    """Return a call as one would type it."""
    return one_line(" ".join([action, *(f"{name}={value}" for name, value in arguments(canonical))]), 200)


def _labelled(name: str, lines: Iterable[str]) -> list[tuple[str, str]]:
    return [(name if number == 0 else "", line) for number, line in enumerate(lines)]


def deadline(approval: Approval, now: int) -> str:
    """Return how long an approval waits still, or how it was closed."""
    if approval.state == "pending":
        left = max(0, approval.approve_by - now) // 1000
        return f"pending, {left // 60} min {left % 60} s left"
    return f"{approval.state}{f': {approval.closed_reason}' if approval.closed_reason else ''}"


def conclusion_panel(run: Run) -> Panel:
    """Return how a run ended."""
    found: Mapping[str, Any] = run.conclusion or {}
    lines = [_emphasised(str(found.get("summary", "")))]
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


def _emphasised(text: str) -> str:
    """Return a text as markup: in lines that quote a page, the words that were asked for are bold."""
    lines = escape(visible(text)).split("\n")
    return "\n".join(re.sub(r"\*\*([^*]+)\*\*", r"[bold]\1[/]", line) if line[:2] == "> " else line for line in lines)


def steps(outcomes: Iterable[Outcome]) -> RenderableType:
    """Return a run's calls, one line each."""
    return table(
        "call",
        "action",
        "risk",
        "state",
        "at (UTC)",
        "result",
        whole=("call", "action"),
        drop=("risk", "at (UTC)"),
        rows=((o.call, o.action, risk(o.risk), state(o.state), when(o.at), _short(o)) for o in outcomes),
    )


def _short(outcome: Outcome) -> str:
    text = one_line(outcome.error or json.dumps(outcome.result, ensure_ascii=False))
    checked = (
        f"  [{'verified' if outcome.verified else 'NOT verified'}: {outcome.verification}]"
        if outcome.verification
        else ""
    )
    return text + checked


def approval_json(approval: Approval) -> dict[str, Any]:
    """Return an approval for machines, with what is bound as JSON and not as text that holds JSON."""
    bound = {name: json.loads(getattr(approval, name)) for name in ("args", "preview", "precondition")}
    return {**asdict(approval), **bound}


def entry_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an audit entry for machines."""
    return {"id": entry.id, "hash": entry.hash.hex(), **json.loads(entry.body)}


def entries(found: Iterable[AuditEntry]) -> RenderableType:
    """Return audit entries, one line each."""
    return table(
        "at (UTC)",
        "chain",
        "#",
        "what",
        "by",
        "facts",
        whole=("what",),
        drop=("#", "by", "at (UTC)"),
        rows=((when(e.ts), e.chain, str(e.seq), e.kind, e.actor, facts(e)) for e in found),
    )


def facts(entry: AuditEntry) -> str:
    """Return what an audit entry says beside who and when, on one line."""
    body = json.loads(entry.body)
    told = {k: v for k, v in body.items() if k not in _ENVELOPE and v not in (None, "", [], {})}
    text = " ".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in told.items())
    return one_line(_DIGEST.sub(r"\1…", text), 240)


def run_json(run: Run) -> dict[str, Any]:
    """Return a run for machines."""
    return {**asdict(run), "conclusion": run.conclusion}
