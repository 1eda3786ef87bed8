"""`sysop demo`: watch a company break and be repaired."""

from __future__ import annotations

import asyncio
import shutil
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sysop.cli import show
from sysop.cli.common import EXIT_NOT_RESOLVED, Results, command, emit
from sysop.demo.business import Fares
from sysop.demo.conductor import Audience, Decide, Options, conduct
from sysop.demo.report import Result
from sysop.model import Approval

_BARS = "▁▂▃▄▅▆▇█"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Picks service, version, fault and decoys.")
@click.option("--yes", "decide", flag_value="yes", help="Let a separate demo approver approve.")
@click.option("--deny", "decide", flag_value="deny", help="Let a separate demo approver deny.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end, and nothing else.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where everything lies; default: .sysop/demo.")
@click.option("--again", is_flag=True, help="Keep what an earlier demo there has left: Sysop remembers it.")
@command
async def demo(seed: int, decide: Decide | None, as_json: bool, folder: Path | None, again: bool) -> int:
    """Break a release of a small company, and repair it under your approval.

    Exit code 0 only if the customers recovered, by the load generator's own count.
    """
    if decide is None and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("there is nobody to ask here; decide with --yes or --deny")
    state = click.get_current_context().find_root().obj["state"]
    options = Options(folder or Path(state or ".sysop") / "demo", seed, decide or "ask", again=again)
    if as_json:
        result = await conduct(options, Silence())
        emit(result.as_json())
    else:
        with Terminal() as audience:
            result = await conduct(options, audience)
        audience.end(result)
    return 0 if result.recovered and result.facts["audit_verified"] else EXIT_NOT_RESOLVED


class Silence(Audience):
    """Watches and says nothing."""

    def tell(self, text: str, *, style: str = "") -> None:
        """Say nothing."""

    def phase(self, text: str) -> None:
        """Say nothing."""

    def fares(self, fares: Fares) -> None:
        """Say nothing."""

    async def decide(self, approval: Approval, now: int) -> tuple[bool, str]:
        """Deny: nobody is here."""
        return False, "nobody is here to decide"


class Terminal(Audience):
    """Prints what happens with the seconds since the start, over a live line of how customers fare."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Results(highlight=False)
        self._began = time.monotonic()
        self._phase = ""
        self._fares: Fares | None = None
        self._ratios: deque[float] = deque(maxlen=60)
        self._live = Live(get_renderable=self.customers, console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Terminal:
        """Begin the live line."""
        self.banner()
        self._live.start()
        return self

    def banner(self) -> None:
        """Say what is about to happen."""
        self.console.print(
            Panel.fit(
                "[bold]sysop demo[/]  three real services, a bad release, real alerts; you approve the repair",
                border_style="cyan",
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the live line."""
        self._live.stop()

    def tell(self, text: str, *, style: str = "") -> None:
        """Print one line; a long one goes on under its own beginning."""
        line = Table.grid(padding=(0, 2))
        line.add_column(width=8, justify="right", style="dim")
        line.add_column(overflow="fold")
        line.add_row(f"{time.monotonic() - self._began:.1f} s", Text(show.visible(text), style=style))
        self.console.print(line)

    def phase(self, text: str) -> None:
        """Change what is waited for; without a terminal to redraw, print it."""
        self._phase = text
        if not self.console.is_terminal:
            self.tell(f"… {text}", style="dim")

    def fares(self, fares: Fares) -> None:
        """Take the newest figure."""
        self._fares = fares
        if fares.success_ratio is not None:
            self._ratios.append(fares.success_ratio)

    def customers(self) -> Any:
        """Return the live line: what is waited for, and how customers fare."""
        spin = _SPINNER[int(time.monotonic() * 8) % len(_SPINNER)]
        line = Text.assemble((f"{spin} ", "cyan"), (self._phase, "bold"))
        if self._fares is not None and self._ratios:
            now = self._ratios[-1]
            style = "green" if now >= 0.99 else "yellow" if now >= 0.9 else "red"
            line.append("\n  customers served  ")
            line.append("".join(_BARS[min(7, int(ratio * 7.99))] for ratio in self._ratios), style=style)
            line.append(f" {now:.0%}", style=f"bold {style}")
            line.append("   " + "  ".join(f"{s} {v}" for s, v in self._fares.versions.items()), style="dim")
        return line

    async def decide(self, approval: Approval, now: int) -> tuple[bool, str]:
        """Show the card and ask until the answer is y or n."""
        self._live.stop()
        self.console.print(show.approval_card(approval, now))
        try:
            while True:
                answer = (await _typed("Approve? [y/n] ")).strip().lower()
                if answer in ("y", "yes"):
                    return True, "approved at the prompt"
                if answer in ("n", "no"):
                    return False, "denied at the prompt"
        finally:
            self._live.start()

    def end(self, result: Result, *, look_closer: bool = True) -> None:
        """Print the outcome."""
        facts, seconds = result.facts, result.facts["seconds"]
        style = "green" if result.recovered else "red"
        rows = [
            ("customers", "recovered" if result.recovered else "NOT recovered"),
            ("right repair", "yes" if result.correct else "no"),
            ("alerts → incidents", f"{facts['alerts_in']} → {facts['incidents_out']}"),
            ("runbook", str(facts["runbook"])),
            ("after the break", ", ".join(f"{k} {v} s" for k, v in seconds.items() if v is not None)),
            ("audit log", f"{facts['audit_entries']} entries, {'verified' if facts['audit_verified'] else 'BROKEN'}"),
        ]
        if facts["approval"]:
            who = ", ".join(facts["approval"]["approver"]) or "nobody"
            rows.append(("approval", f"{facts['approval']['id']} {facts['approval']['state']}, approved by {who}"))
        if facts["recalled"]:
            rows.insert(2, ("what it remembered", "\n".join(facts["recalled"])))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in rows:
            grid.add_row(name, Text(text))
        self.console.print(Panel(grid, title="how it ended", border_style=style, title_align="left"))
        if not look_closer:
            return
        program = "sysop" if shutil.which("sysop") else sys.argv[0]
        config = f"{program} --config {facts['folder']}/sysop.yaml"
        self.console.print(
            f"look closer:  {config} incidents\n              {config} runs\n              {config} audit verify\n"
            f"once more:    {program} demo --again --seed {facts['seed']} --folder {facts['folder']}",
            style="dim",
            soft_wrap=True,
        )


async def _typed(prompt: str) -> str:
    """Read a line without holding the loop: the company and the runner go on meanwhile."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        try:
            text = input(prompt)
        except (EOFError, OSError):
            text = "n"
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answer, answer, text)

    threading.Thread(target=read, daemon=True).start()
    return await answer


def _answer(future: asyncio.Future[str], text: str) -> None:
    if not future.done():
        future.set_result(text)
