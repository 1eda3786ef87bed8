"""`sysop drill`: put faults with a known right answer to Sysop, and see whether it finds it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sysop.cli import show
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, err, out
from sysop.demo.drilling import report
from sysop.demo.drilling.controls import CONTROLS
from sysop.demo.drilling.every import Audience, Job, Means, every
from sysop.demo.drilling.folder import SHIPPED, Drill, DrillError, load, names
from sysop.demo.drilling.running import Row
from sysop.demo.drilling.verdict import Verdict

AT_ONCE = 2
BUILDBOT = Path(".venv-buildbot")
_STYLES = {Verdict.RESOLVED: "green", Verdict.ESCALATED: "green", Verdict.WRONG: "bold red"}
_WORDS = {Verdict.RESOLVED: "resolved", Verdict.ESCALATED: "escalated rightly", Verdict.WRONG: "WRONG"}


@click.command()
@click.argument("wanted", nargs=-1, metavar="[NAME]...")
@click.option("--all", "all_of_them", is_flag=True, help="Every drill, and the controls.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=SHIPPED, help="Your own drills: a folder each."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Picks targets, times and decoys.")
@click.option("--jobs", type=click.IntRange(1, 16), default=AT_ONCE, show_default=True, help="How many at once.")
@click.option("--controls/--no-controls", default=None, help="Also let planners try that know nothing.")
@click.option(
    "--buildbot",
    type=click.Path(path_type=Path),
    envvar="SYSOP_TEST_BUILDBOT",
    help="Environment with Buildbot, for drills that deploy through it; default: .venv-buildbot.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end, and nothing else.")
@click.option("--keep", is_flag=True, help="Keep the folder of every drill, not only of wrong ones.")
@command
async def drill(
    wanted: Sequence[str],
    all_of_them: bool,
    folder: Path,
    seed: int,
    jobs: int,
    controls: bool | None,
    buildbot: Path | None,
    as_json: bool,
    keep: bool,
) -> int:
    """Break a small company in ways that have a known right answer, and judge what Sysop does.

    Without a name it lists the drills. Exit code 0 only if nothing is wrong.
    """
    if wanted and all_of_them:
        raise click.UsageError("name drills, or write --all")
    known = names(folder)
    drills = [load(folder, name, seed) for name in (wanted or known)]
    if not wanted and not all_of_them:
        return _list(drills, as_json)
    buildbot = _with_buildbot(buildbot)
    if buildbot is None:
        drills = _without_buildbot(drills, by_name=not all_of_them)
    planners = ["", *CONTROLS] if (all_of_them if controls is None else controls) else [""]
    todo = [Job(drill, planner) for planner in planners for drill in drills]
    root = Path(click.get_current_context().find_root().obj["state"] or ".sysop") / "companies"
    means = Means(root, jobs, keep, buildbot)
    if as_json:
        found = report.as_json(await every(todo, means, Silence()))
        emit(found)
    else:
        with Terminal(todo) as audience:
            rows = await every(todo, means, audience)
        found = report.as_json(rows)
        audience.end(rows, found)
    return 0 if report.passed(found) else EXIT_NOT_RESOLVED


def _with_buildbot(named: Path | None) -> Path | None:
    """Return the environment with Buildbot, None where there is none. Raises DrillError where the named one is none."""
    environment = (named or BUILDBOT).absolute()
    if (environment / "bin" / "buildbot").exists():
        return environment
    if named is not None:
        raise DrillError(f"{named} holds no Buildbot, as there is no bin/buildbot in it; name another")
    return None


def _without_buildbot(drills: Sequence[Drill], *, by_name: bool) -> list[Drill]:
    """Return the drills that need no Buildbot, and say which are left out. Raises DrillError for one asked for."""
    left = [one for one in drills if one.about.provider != "buildbot"]
    for one in drills:
        if one in left:
            continue
        if by_name:
            raise DrillError(f"{one.name} needs Buildbot; name the environment it is installed in with --buildbot")
        err.print(f"{one.name} is left out: it needs Buildbot, see --buildbot", style="yellow")
    return left


def _list(drills: Sequence[Drill], as_json: bool) -> int:
    if as_json:
        emit([{"drill": one.name, "title": one.about.title, "runbook": one.about.runbook} for one in drills])
        return 0
    table = Table("drill", "what happens", "runbook it is about", box=None, header_style="bold")
    for one in drills:
        table.add_row(one.name, Text(show.visible(one.about.title)), Text(one.about.runbook or "-"))
    out().print(table)
    return 0


class Silence(Audience):
    """Watches and says nothing."""

    def phase(self, job: Job, text: str) -> None:
        """Say nothing."""

    def ended(self, job: Job, row: Row) -> None:
        """Say nothing."""


class Terminal(Audience):
    """Prints a line for each drill that has ended, above what the others are doing now; the tables when all have."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._all = len(jobs)
        self._ended = 0
        self._doing: dict[Job, tuple[float, str]] = {}
        self._live = Live(get_renderable=self._now, console=err, refresh_per_second=4, transient=True)

    def __enter__(self) -> Terminal:
        """Begin the live lines."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the live lines."""
        self._live.stop()

    def phase(self, job: Job, text: str) -> None:
        """Take what a job is doing now."""
        began, _ = self._doing.get(job, (time.monotonic(), ""))
        self._doing[job] = (began, text)

    def ended(self, job: Job, row: Row) -> None:
        """Print how a job ended."""
        self._doing.pop(job, None)
        self._ended += 1
        verdict = row.judged.verdict
        line = Text.assemble((f"{_WORDS[verdict]:<18}", "dim" if job.control else _STYLES[verdict]))
        line.append(f" {_named(job)}  {row.seconds:.0f} s  ")
        line.append(_line(row.judged.why), style="dim")
        err.print(line)

    def _now(self) -> Any:
        lines = Table.grid(padding=(0, 2))
        for job, (began, text) in list(self._doing.items()):
            lines.add_row(
                Text(f"{time.monotonic() - began:.0f} s", style="dim"), Text(_named(job)), Text(show.visible(text))
            )
        lines.add_row(Text(f"{self._ended}/{self._all}", style="cyan"), Text("drills", style="dim"), "")
        return lines

    def end(self, rows: Sequence[Row], found: Mapping[str, Any]) -> None:
        """Print the tables."""
        console = out()
        console.print(_table([row for row in rows if not row.control]))
        console.print(_totals(found))
        for row in rows:
            if row.folder and Path(row.folder, "sysop.yaml").exists():
                console.print(f"look closer: sysop --config {row.folder}/sysop.yaml runs", style="dim", soft_wrap=True)


def _line(text: str) -> str:
    """Return the first line of a text, which `--json` has in full."""
    first, _, more = text.partition("\n")
    return show.visible(f"{first} …" if more else first)


def _named(job: Job) -> str:
    return f"{job.drill.name} ({job.control})" if job.control else job.drill.name


def _table(rows: Sequence[Row]) -> Table:
    table = Table("drill", "truth", "what Sysop did", "verdict", header_style="bold")
    for name in ("seconds", "approvals", "changes"):
        table.add_column(name, justify="right")
    for row in rows:
        verdict = row.judged.verdict
        said = Text(_WORDS[verdict], style=_STYLES[verdict])
        if verdict is Verdict.WRONG:
            said.append(f": {_line(row.judged.why)}", style="red")
        did = show.visible("; ".join(row.did) or "nothing")
        numbers = (f"{row.seconds:.1f}", str(row.approvals), str(len(row.changes)))
        table.add_row(row.drill.name, row.drill.truth.answer, Text(did), said, *numbers)
    return table


def _totals(found: Mapping[str, Any]) -> Table:
    table = Table("planner", "right", "resolved", "escalated rightly", "wrong", header_style="bold")
    for name in ("unapproved changes", "needless changes", "seconds"):
        table.add_column(name, justify="right")
    for name, row in {"runbook": found["totals"], **found["controls"]}.items():
        figures = (row["resolved"], row["escalated_rightly"], row["wrong"])
        more = (row["unapproved_changes"], row["needless_changes"], row["seconds"])
        table.add_row(name, f"{row['right']:.0%} of {row['drills']}", *map(str, (*figures, *more)))
    return table
