"""Write docs/actions.md from the bundled plugins' actions. `--check` fails if the page is not current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from sysop import host
from sysop.actions import Action
from sysop.inventory import Inventory

PAGE = Path(__file__).with_name("actions.md")


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Actions"
    yield ""
    yield "What the bundled plugins can do. Written by `python docs/actions.py`."
    for name, action in sorted(host.load({}).actions.items()):
        yield from ("", f"## {name}", "", action.summary, "")
        yield f"- risk: {action.risk}; target: `{action.target}`"
        yield from _arguments(action)
        yield f"- {', '.join(_declared(action)) or 'nothing else declared'}"


def _arguments(action: Action) -> Iterator[str]:
    for name, field in action.schema(Inventory())["properties"].items():
        default = f", default `{field['default']!r}`" if "default" in field else ""
        kind = field.get("type") or " or ".join(part.get("type", "object") for part in field.get("anyOf", ()))
        domain = f" ({action.domains[name]} of the inventory)" if name in action.domains else ""
        yield f"- `{name}`: {kind}{domain}{default}"


def _declared(action: Action) -> Iterator[str]:
    for word in ("preview", "precondition", "verify", "reconcile"):
        if getattr(action, word):
            yield word
    if action.idempotent:
        yield "idempotent"
    if action.undo:
        yield f"undo: `{action.undo}`"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == page() else "docs/actions.md is not current: python docs/actions.py")
    PAGE.write_text(page())
