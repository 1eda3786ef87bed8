"""A message that is still being written: text, a plan with tasks, and blocks, in the order they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sysop.workspace.wire import Json

LIFE = 300.0
"""Seconds after which a stream ends by itself, traffic or not."""
BLOCKS = 50
TEXT = 13_200
"""Characters one message holds when rendered."""


@dataclass
class Stream:
    """What has been streamed. `mode` is locked by the first payload; `ended` says how it ended."""

    display: str = "timeline"
    mode: str | None = None
    ended: str | None = None
    plan_title: str = ""
    tasks: dict[str, Json] = field(default_factory=dict)
    _parts: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Tell whether more can be appended."""
        return self.ended is None

    @property
    def state(self) -> str:
        """Return what `streaming_state` says."""
        return "in_progress" if self.open else "completed"

    @property
    def text(self) -> str:
        """Return all text so far."""
        return "".join(part for kind, part in self._parts if kind == "text")

    @property
    def block_count(self) -> int:
        """Return how many blocks have come in chunks."""
        return sum(len(part) for kind, part in self._parts if kind == "blocks")

    def write(self, text: str) -> None:
        """Append text."""
        if self._parts and self._parts[-1][0] == "text":
            text = self._parts.pop()[1] + text
        self._parts.append(("text", text))

    def take(self, chunks: Sequence[Json]) -> None:
        """Append checked chunks."""
        for chunk in chunks:
            if chunk["type"] == "markdown_text":
                self.write(chunk["text"])
            elif chunk["type"] == "plan_update":
                self.plan_title = chunk["title"]
                self._place_plan()
            elif chunk["type"] == "task_update":
                self._update(chunk)
            else:
                self._parts.append(("blocks", list(chunk["blocks"])))

    def end(self, how: str) -> None:
        """End the stream; a task still running is shown as failed."""
        self.ended = how
        for task in self.tasks.values():
            if task["status"] == "in_progress":
                task["status"] = "error"

    def _update(self, chunk: Json) -> None:
        """Merge one task: title and status are replaced, details, output and sources are added to."""
        task = self.tasks.get(chunk["id"])
        if task is None:
            task = self.tasks[chunk["id"]] = {"id": chunk["id"], "title": "", "status": "pending"}
            task.update(details="", output="", sources=[])
            self._place_plan() if self.display == "plan" else self._parts.append(("task", chunk["id"]))
        for name in ("title", "status"):
            if chunk.get(name):
                task[name] = chunk[name]
        for name in ("details", "output"):
            task[name] += chunk.get(name) or ""
        task["sources"] = [*task["sources"], *(chunk.get("sources") or [])]

    def _place_plan(self) -> None:
        if not any(kind == "plan" for kind, _ in self._parts):
            self._parts.append(("plan", None))

    def blocks(self) -> list[Json]:
        """Return the content as blocks."""
        shown: list[Json] = []
        for kind, part in self._parts:
            if kind == "text":
                shown.append({"type": "markdown", "text": part})
            elif kind == "blocks":
                shown += part
            elif kind == "task":
                shown.append(_card(self.tasks[part]))
            elif self._planned():
                shown.append({"type": "plan", "title": self.plan_title, "tasks": [_card(t) for t in self._planned()]})
        return shown

    def _planned(self) -> list[Json]:
        return list(self.tasks.values()) if self.display == "plan" else []

    def as_page(self) -> Json:
        """Return what the page shows of it."""
        tasks = list(self.tasks.values())
        shown = {"state": self.state, "ended": self.ended, "display": self.display, "plan_title": self.plan_title}
        return shown | {"text": self.text, "tasks": [dict(task) for task in tasks]}


def _card(task: Json) -> Json:
    card: Json = {"type": "task_card", "task_id": task["id"], "title": task["title"], "status": task["status"]}
    for name in ("details", "output"):
        if task[name]:
            section = {"type": "rich_text_section", "elements": [{"type": "text", "text": task[name]}]}
            card[name] = {"type": "rich_text", "elements": [section]}
    if task["sources"]:
        card["sources"] = list(task["sources"])
    return card
