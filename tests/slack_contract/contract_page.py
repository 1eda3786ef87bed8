"""Write docs/contract.md from the tests of the contract suite. `--check` fails if the page is not current."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/contract.md"
sys.path[:0] = [str(HERE), str(HERE.parent)]

HEAD = """# The contract suite

`tests/slack_contract` drives the whole bot as people do: they type, click, fill forms in and look, over real sockets.

```sh
python -m pytest tests/slack_contract            # our own workspace, Socket Mode and signed HTTP
python -m pytest tests/slack_contract --transport http
python -m pytest tests/slack_contract --slack-url http://HOST/api/ --slack-control http://HOST/_control
```

The last line points it at another Slack-compatible server. `--slack-control` is where people act there: with
`--slack-control-token` a workspace of ours that runs elsewhere (`python -m sysop.workspace`), without one a server with
the control API of `local-slack`. `--slack-bot-token`, `--slack-app-token` and `--slack-signing-secret` are what the bot
connects with, `--slack-port` is where signed HTTP arrives on this machine. There it needs people called `requester`,
`on-call`, `lead`, `guest` and `external`, and the channels `incidents`, `general` and `shop`.

Each test names what it needs, and a server is asked for it first: what it does not know, or what people cannot do
there (`act:…`), is the reason of a skip. On our own workspace nothing is skipped; a test that uses a method it does not
name fails there, and so does one in which the server refuses a payload. The suite ends with the number of methods,
events and interactions it drove. Nothing of this ran on Slack itself; docs/slack.md ends with what only Slack can show.
"""


def _named(thing: Any) -> list[str]:
    marks = getattr(thing, "pytestmark", [])
    return [
        what for mark in (marks if isinstance(marks, list) else [marks]) if mark.name == "needs" for what in mark.args
    ]


def _modules() -> Iterator[ModuleType]:
    for file in sorted(HERE.glob("test_contract_*.py")):
        yield importlib.import_module(file.stem)


def page() -> str:
    """Return the page."""
    from conftest import ALWAYS, INSTEAD  # the one beside this file: it is first on the path

    lines = [HEAD, f"Every test needs {_list(ALWAYS)}.", ""]
    lines += [f"Where they are missing the bot does without {_list(INSTEAD)}."]
    for module in _modules():
        lines += ["", f"## {module.__doc__.splitlines()[0].rstrip('.')}", "", "| test | needs besides |", "|---|---|"]
        for name, test in vars(module).items():
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                needs = dict.fromkeys([*_named(module), *_named(test)])
                lines.append(f"| {name.removeprefix('test_').replace('_', ' ')} | {_list(needs)} |")
    return "\n".join(lines) + "\n"


def _list(names: Any) -> str:
    known = names if isinstance(names, dict) else sorted(names)
    return ", ".join(f"`{name}`" for name in known) or "nothing"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            0
            if PAGE.read_text() == page()
            else "docs/contract.md is not current: python tests/slack_contract/contract_page.py"
        )
    PAGE.write_text(page())
