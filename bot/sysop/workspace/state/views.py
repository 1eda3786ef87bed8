"""Modals in their stacks, and App Home."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sysop.workspace.ids import Ids
from sysop.workspace.state.elements import INNER, INTERACTIVE
from sysop.workspace.wire import Json

STACK = 3


@dataclass
class View:
    """One view and whose it is. `hash` changes with each update; `values` holds what was typed so far."""

    id: str
    user: str
    body: Json
    hash: str
    root: str
    previous: str | None = None
    values: Json = field(default_factory=dict)
    channel: str | None = None

    @property
    def external_id(self) -> str:
        """Return the app's own name for it."""
        return str(self.body.get("external_id") or "")


class Views:
    """Every open modal and every published Home."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    def make(self, user: str, body: Json, now: float, below: View | None = None) -> View:
        """Return a new view that is not open yet."""
        view_id = self._ids.make("V")
        view = View(view_id, user, body, "", view_id)
        if below is not None:
            view.root, view.previous = below.root, below.id
        self.fill(view, body, now)
        return view

    def fill(self, view: View, body: Json, now: float) -> None:
        """Give a view its content and a new hash; blocks and elements without a name get one."""
        view.body = body | {"blocks": named(body.get("blocks") or [], self._ids)}
        view.hash = f"{int(now)}.{self._ids.hex()[:8]}"
        known = {block["block_id"] for block in view.body["blocks"]}
        view.values = {block: value for block, value in view.values.items() if block in known}

    def stack(self, user: str) -> list[View]:
        """Return somebody's open modals, the top one last."""
        return self._stacks.setdefault(user, [])

    def get(self, view_id: str) -> View | None:
        """Return an open modal or a Home by its id."""
        return next((view for view in self.all() if view.id == view_id), None)

    def external(self, external_id: str) -> View | None:
        """Return a view by the app's own name for it."""
        return next((view for view in self.all() if external_id and view.external_id == external_id), None)

    def all(self) -> Iterator[View]:
        """Return everything that is open."""
        for stack in self._stacks.values():
            yield from stack
        yield from self.homes.values()


def named(blocks: list[Json], ids: Ids) -> list[Json]:
    """Return blocks in which every block has a `block_id` and every interactive element an `action_id`."""
    return [_named(block, ids) for block in blocks]


def _named(block: Json, ids: Ids) -> Json:
    inner = INNER.get(block["type"])
    done: Json = {
        key: named(part, ids) if key == inner and isinstance(part, list) else _with_actions(part, ids)
        for key, part in block.items()
    }
    return done | {"block_id": block.get("block_id") or ids.hex()[:5]}


def _with_actions(part: Any, ids: Ids) -> Any:
    if isinstance(part, list):
        return [_with_actions(one, ids) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in INTERACTIVE:
        return part | {"action_id": part.get("action_id") or ids.hex()[:5]}
    return {key: _with_actions(inner, ids) for key, inner in part.items()}
