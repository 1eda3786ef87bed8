"""What `sysop watches test` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from sysop.cli import show
from sysop.sections import LogWatchSettings, MetricWatchSettings
from sysop.watches.chart import rows, thin
from sysop.watches.logs.survey import Survey
from sysop.watches.rehearsal import Found, Rehearsal

WIDTH = 100
_STYLES = {"●": "bold red", "░": "dim", "•": "cyan"}
_LEGEND = "• value   ● in a finding   ░ normal"


def metric_lines(
    watch: MetricWatchSettings, past: Sequence[Rehearsal], since: int, most: int
) -> Iterator[RenderableType]:
    """Yield what a metric watch would have said, at most so many series of it drawn."""
    found = sum(len(one.found) for one in past)
    with_findings = sum(bool(one.found) for one in past)
    findings = "1 finding" if found == 1 else f"{found} findings"
    yield Text(f"{watch.name}: {findings} in {_hours(since)}, in {with_findings} of {len(past)} series")
    yield Text(f"{', '.join(watch.methods)}; sensitivity {watch.sensitivity}, direction {watch.direction}", style="dim")
    for one in past[:most]:
        yield from _series(one)
    if len(past) > most:
        yield Text(f"{len(past) - most} more series; see --series", style="dim")


def _series(past: Rehearsal) -> Iterator[RenderableType]:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(past.labels.items())) or "the only series"
    yield Text(f"\n{show.visible(labels)}", style="bold")
    drawn = rows(thin(past.marks, WIDTH))
    for line in drawn:
        yield _coloured(line)
    if drawn:
        yield _times(past, drawn[0].index("│"))
        yield Text(_LEGEND, style="dim")
    if past.counter:
        yield Text("this only ever grows: a counter? ask for its rate, or set counter: true", style="yellow")
    for reason, count in past.not_judged.items():
        yield Text(f"{count} of {len(past.marks)} samples not judged: {reason}", style="yellow")
    if past.found:
        lines = (_finding(one) for one in past.found)
        yield show.table("since (UTC)", "until (UTC)", "value", "expected", "method", "why", rows=lines, drop=("why",))


def _finding(found: Found) -> tuple[str, ...]:
    words = found.words
    until = show.when(found.end * 1000) if found.end is not None else "still"
    why = words["description"].partition(": ")[2]
    return show.when(found.start * 1000), until, words["value"], words["expected"], words["method"], why


def log_lines(watch: LogWatchSettings, found: Survey) -> Iterator[RenderableType]:
    """Yield the kinds of lines in the files of a log watch, the commonest first."""
    yield Text(f"{watch.name}: {found.lines:,} lines of {found.templates:,} kinds in {found.files} files")
    if found.left_out:
        yield Text(f"only the last {found.bytes_read:,} bytes were read", style="yellow")
    if found.commonest:
        lines = ((f"{one.count:,}", f"{one.share:.1%}", show.visible(one.template)) for one in found.commonest)
        yield show.table("lines", "share", "template", rows=lines)


def _times(past: Rehearsal, indent: int) -> Text:
    """Return the axis of time: where the chart begins and where it ends."""
    begin, end = show.when(past.begin * 1000), f"{show.when(past.end * 1000)} (UTC)"
    wide = min(WIDTH, len(past.marks))
    axis = f"{begin}{end:>{wide - len(begin)}}" if wide > len(begin) + len(end) else f"{begin} to {end}"
    return Text(f"{' ' * (indent + 1)}{axis}", style="dim", no_wrap=True, overflow="crop")


def _coloured(line: str) -> Text:
    text = Text(no_wrap=True, overflow="crop")
    for sign in line:
        text.append(sign, style=_STYLES.get(sign, ""))
    return text


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds < 172_800 else f"{seconds / 86_400:g} d"
