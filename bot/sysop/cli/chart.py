"""How often something happened over a time, as rows of bars as wide as the terminal has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from sysop.cli import show

LEAST: Final = 10
MOST: Final = 60
_BARS: Final = "·▁▂▃▄▅▆▇█"
_WIDE: Final = 26  # room for "at most 1,000 in 20.0 days" beside the bars, which goes where there is none
_GAP: Final = 2


class Chart:
    """Draws rows of times, in seconds, by name, over one and the same span."""

    def __init__(self, rows: Mapping[str, Sequence[float]], began: float, ended: float) -> None:
        self._rows = rows
        self._began = began
        self._ended = ended

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them."""
        room = options.max_width - max(map(cell_len, self._rows)) - 2 * _GAP
        roomy = room - _WIDE >= LEAST
        width = max(LEAST, min(MOST, room - _WIDE if roomy else room + _GAP))
        grid = Table.grid(padding=(0, _GAP))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(no_wrap=True)
        if roomy:
            grid.add_column(style="dim", no_wrap=True)
        for name, times in self._rows.items():
            counts = self._counts(times, width)
            top = f"at most {max(counts):,} in {span((self._ended - self._began) / width)}"
            grid.add_row(name, Text(bars(counts), style="cyan"), *([top] if roomy else ()))
        grid.add_row("", Text(self._axis(width), style="dim"), *(["UTC"] if roomy else ()))
        yield grid

    def _counts(self, times: Iterable[float], width: int) -> list[int]:
        counts = [0] * width
        each = (self._ended - self._began) / width or 1.0
        for time in times:
            counts[min(width - 1, max(0, int((time - self._began) / each)))] += 1
        return counts

    def _axis(self, width: int) -> str:
        left, right = (show.when(round(time * 1000))[:16] for time in (self._began, self._ended))
        if left[:10] == right[:10]:
            right = right[11:]
        return left + right.rjust(width - len(left)) if width > len(left) + len(right) else left[:width]


def bars(counts: Sequence[int]) -> str:
    """Return one character a count, in relation to the largest; a count above 0 is always seen."""
    top = max(counts) or 1
    return "".join(_BARS[max(1, round(count / top * 8)) if count else 0] for count in counts)


def span(seconds: float) -> str:
    """Return a length of time in the unit that fits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
