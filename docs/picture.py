"""Draw docs/demo.svg or docs/drills.svg: a real run of the demo or of all drills, recorded from the terminal.

python docs/picture.py [--seed 11]
python docs/picture.py --drills [--seed 1]     # takes a quarter of an hour
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sysop.cli import show
from sysop.cli.demo import Terminal
from sysop.demo.conductor import Options, conduct
from sysop.model import Approval


class Recorder(Terminal):
    """The demo's terminal, with a console that records, and a person who looks at the card and says yes."""

    def __init__(self) -> None:
        console = Console(record=True, width=112, force_terminal=True, highlight=False, legacy_windows=False)
        super().__init__(console)

    def __enter__(self) -> Recorder:
        """Begin without the live line, which a picture cannot move."""
        self.banner()
        return self

    def phase(self, text: str) -> None:
        """Change what is waited for; show once how customers suffer and once how they are well again."""
        if text == "waiting for the customers":
            self.console.print(self.customers())
        self._phase = text

    async def decide(self, approval: Approval, now: int) -> tuple[bool, str]:
        """Show the card, approve."""
        self.console.print(show.approval_card(approval, now))
        self.console.print("Approve? \\[y/n] [bold]y[/]")
        return True, "approved at the prompt"


def demo(seed: int) -> tuple[Console, str]:
    """Run the demo and return what the terminal showed, and the folder it ran in."""
    with tempfile.TemporaryDirectory(prefix="sysop-picture-") as folder, Recorder() as audience:
        result = asyncio.run(conduct(Options(Path(folder) / "demo", seed), audience))
        audience.console.print(audience.customers())
        audience.end(result, look_closer=False)
    return audience.console, folder


def drills(seed: int) -> tuple[Console, str]:
    """Run all drills with the controls, their progress to be seen here, and return the tables at the end."""
    width = 160
    with tempfile.TemporaryDirectory(prefix="sysop-picture-") as folder:
        command = [sys.executable, "-m", "sysop", "--state", folder, "drill", "--all", "--seed", str(seed)]
        colours = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(width)}
        told = subprocess.run(command, env=colours, stdout=subprocess.PIPE, text=True, check=False).stdout  # noqa: S603  ours
    console = Console(record=True, width=width, force_terminal=True, highlight=False, legacy_windows=False)
    console.print(Text.from_ansi(told.rstrip()))
    return console, folder


def _svg(console: Console, title: str) -> str:
    drawn = console.export_svg(title=title)
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # no fonts from elsewhere: the reader's own


def _at_home(drawn: str, folder: str) -> str:
    """Write `~` for the folder; a line of text that was as long as it said would be stretched."""
    lines = re.sub(rf' textLength="[^"]*"(?=[^<>]*>[^<]*{re.escape(folder)})', "", drawn)
    return lines.replace(folder, "~")


def main() -> None:
    """Run one of the two, write the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--drills", action="store_true")
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    name, run, seed = ("drills", drills, 1) if given.drills else ("demo", demo, 11)
    console, folder = run(seed if given.seed is None else given.seed)
    title = "sysop drill --all" if given.drills else "sysop demo"
    text = _at_home(_svg(console, title), folder)
    Path(__file__).with_name(f"{name}.svg").write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


if __name__ == "__main__":
    main()
