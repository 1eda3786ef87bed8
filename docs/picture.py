"""Draw docs/demo.svg: a real run of the demo, recorded from the terminal.

python docs/picture.py [--seed 11]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from pathlib import Path

from rich.console import Console

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


def _svg(console: Console) -> str:
    drawn = console.export_svg(title="sysop demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # no fonts from elsewhere: the reader's own


def main() -> None:
    """Run the demo, write the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=11)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sysop-picture-") as folder, Recorder() as audience:
        result = asyncio.run(conduct(Options(Path(folder) / "demo", given.seed), audience))
        audience.console.print(audience.customers())
        audience.end(result, look_closer=False)
    text = _svg(audience.console).replace(folder, "~")
    Path(__file__).with_name("demo.svg").write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n")


if __name__ == "__main__":
    main()
