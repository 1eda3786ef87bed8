"""`sysop alerts replay`: recorded deliveries through the engine that places live alerts, and settings compared."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sysop.cli import alerts_view as view
from sysop.cli.common import command, err, json_option, out
from sysop.cli.files import same, whole
from sysop.cli.output import echo
from sysop.incidents import recorded
from sysop.incidents.comparing import Comparison, compare
from sysop.incidents.correlation import Knobs, Topology
from sysop.incidents.recorded import BadLine, Recorded
from sysop.incidents.replaying import Decision, Replay, Replayed
from sysop.inventory import nearest

STDOUT = Path("-")
AFTER_S = 1.0
EVERY_S = 0.1


class BadInput(click.ClickException):
    """What was handed in cannot be replayed."""

    exit_code = 2


@click.command("replay")
@click.argument("deliveries", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--topology",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What calls what, as JSON; without it only labels and times tell what belongs together.",
)
@click.option(
    "--out",
    "predictions",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write every decision here, a line of JSON each; - is standard output.",
)
@click.option(
    "--set", "chosen", metavar="NAME=VALUE", multiple=True, help="Change a setting of the engine; repeatable."
)
@click.option(
    "--against",
    metavar="NAME=VALUE",
    multiple=True,
    help="Replay with this changed as well, and show what differs; repeatable.",
)
@click.option("--explain", metavar="ALERT", help="Show why an alert is where it is: its fingerprint@startsAt.")
@json_option
@command
def replay(
    deliveries: Path,
    topology: Path | None,
    predictions: Path | None,
    chosen: tuple[str, ...],
    against: tuple[str, ...],
    explain: str | None,
    as_json: bool,
) -> None:
    """Run recorded webhook deliveries through the engine, on the clock of the recording.

    DELIVERIES has a line of JSON for each call of the webhook, plain or gzipped; - is standard input. Nothing else is
    read or written: no settings, no database, no network.
    """
    if as_json and predictions == STDOUT:
        raise click.UsageError("--json and --out - both write to standard output; give --out a file")
    _keep_what_is_read(predictions, deliveries, topology)
    calls = _topology(topology)
    settings = _knobs(chosen, "--set", Knobs())
    sides = [Side(settings, Replay(calls, settings))]
    if against:
        other = _knobs(against, "--against", settings)
        sides.append(Side(other, Replay(calls, other)))
    explained = Explained(explain)
    with _reading(deliveries) as stream, _writing(predictions) as write:
        for decided in _decisions(stream, sides):
            explained.note(decided)
            write(decided)
    if explain and not explained.decisions:
        raise BadInput(f"--explain: no alert of the recording is {explain!r}; --out lists them all")
    told = Told([(side.settings, side.replay.result()) for side in sides], explained)
    if as_json:
        echo(json.dumps(told.as_json(), indent=2, sort_keys=True))
    else:
        told.show(err if predictions == STDOUT else out())


def _keep_what_is_read(predictions: Path | None, *sources: Path | None) -> None:
    """Raise UsageError where the answer would take the place of what it comes of."""
    for source in sources:
        if predictions and source and STDOUT not in (predictions, source) and same(predictions, source):
            raise click.UsageError(f"--out {predictions} would overwrite what is read; name another file")


@dataclass(frozen=True, slots=True)
class Side:
    """One engine with its settings; all sides are given the same deliveries."""

    settings: Knobs
    replay: Replay


@dataclass
class Explained:
    """Keeps what was decided about the alerts somebody asks for, with the reasons in words."""

    wanted: str | None

    def __post_init__(self) -> None:
        self.decisions: list[view.Explanation] = []

    def note(self, decided: Iterable[Decision]) -> None:
        """Take the decisions of one moment, while the engine can still say why."""
        if self.wanted is None:
            return
        for decision in decided:
            placement = decision.placement
            if self.wanted in (placement.key, placement.key.rpartition("@")[0]):
                why = decision.grounds()
                told = view.Explanation(placement.key, decision.at, placement.group, why.sentence, why.parts)
                self.decisions.append(told)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said at the end: what came of each side, by its settings, and what was asked about."""

    sides: Sequence[tuple[Knobs, Replayed]]
    explained: Explained

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        told, *others = (view.as_json(found, settings) for settings, found in self.sides)
        if self.explained.wanted is not None:
            told["explained"] = [one.as_json() for one in self.explained.decisions]
        for other in others:
            told |= {"against": other, "differences": asdict(self._compared())}
        return told

    def show(self, console: Console) -> None:
        """Print it for people."""
        if self.explained.wanted is not None:
            console.print(view.explanations(self.explained.decisions))
        elif len(self.sides) > 1:
            console.print(view.comparison(self.sides[0], self.sides[1], self._compared()))
        else:
            console.print(view.summary(self.sides[0][1]))

    def _compared(self) -> Comparison:
        (_, first), (_, second) = self.sides
        return compare(first.groups, second.groups)


def _decisions(stream: Iterable[Recorded], sides: Sequence[Side]) -> Iterator[Sequence[Decision]]:
    """Yield what the first side decides at each delivery, and at the end; the others go beside it."""
    first, *others = (side.replay for side in sides)
    try:
        for delivery in stream:
            yield first.take(delivery)
            for other in others:
                other.take(delivery)
    except BadLine as bad:
        raise BadInput(str(bad)) from None
    yield first.end()
    for other in others:
        other.end()


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[Iterator[Recorded]]:
    """Open the deliveries, with a progress bar at a terminal once it has taken a second."""
    with contextlib.ExitStack() as stack:
        if file == STDOUT:
            yield recorded.read(recorded.unzipped(cast("io.BufferedIOBase", sys.stdin.buffer)))
            return
        source = stack.enter_context(file.open("rb"))
        bar = stack.enter_context(Reading(err, file.stat().st_size))
        yield bar.counting(recorded.read(recorded.unzipped(source)), source)


class Reading:
    """Draws how much of a file is read."""

    def __init__(self, console: Console, total: int) -> None:
        columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._drawn = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._drawn.add_task("replaying", total=total)
        self._until = time.monotonic() + AFTER_S

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *about: object) -> None:
        self._drawn.stop()

    def counting(self, stream: Iterable[Recorded], source: io.BufferedIOBase) -> Iterator[Recorded]:
        """Yield what a stream yields; how far its source has been read moves the bar."""
        for delivery in stream:
            if time.monotonic() > self._until:
                self._until = time.monotonic() + EVERY_S
                self._drawn.update(self._task, completed=source.tell())
                self._drawn.start()
            yield delivery


@contextlib.contextmanager
def _writing(file: Path | None) -> Iterator[Callable[[Sequence[Decision]], None]]:
    """Yield what keeps decisions; the file appears once all of them are in it."""
    if file is None:
        yield lambda decided: None
    elif file == STDOUT:
        yield _print
    else:
        with whole(file) as target:
            yield lambda decided: target.writelines(f"{decision.as_line()}\n" for decision in decided)


def _print(decided: Sequence[Decision]) -> None:
    for decision in decided:
        echo(decision.as_line())


def _topology(file: Path | None) -> Topology:
    if file is None:
        return Topology()
    try:
        return Topology.from_json(json.loads(file.read_bytes()))
    except (ValueError, RecursionError) as bad:
        raise BadInput(f"--topology: {file} is not a topology ({bad})") from None


def _knobs(words: Sequence[str], option: str, usual: Knobs) -> Knobs:
    """Return settings of the engine with some changed, each written as `name=value`."""
    values: dict[str, Any] = {}
    known = [item.name for item in fields(Knobs)]
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE, such as join={usual.join}", param_hint=option)
        if name not in known:
            raise click.BadParameter(f"there is no setting {name!r}{nearest(name, known)}", param_hint=option)
        values[name] = _value(text, getattr(usual, name), name, option)
    try:
        return replace(usual, **values)
    except ValueError as bad:
        raise click.BadParameter(str(bad), param_hint=option) from None


def _value(text: str, usual: Any, name: str, option: str) -> Any:
    try:
        return type(usual)(text)
    except ValueError:
        kind = "a whole number" if isinstance(usual, int) else "a number"
        raise click.BadParameter(f"{name}: {text!r} is not {kind}, such as {usual}", param_hint=option) from None
