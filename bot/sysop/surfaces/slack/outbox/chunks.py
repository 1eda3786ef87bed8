"""A plan as what must still be written of it: chunks for a stream, and the note of what the stream shows by then.

Title and status of a task are replaced by a later chunk, but details and output are added to what is there, so each
is written once. The note holds no text, only digests: it is small, and redaction cannot change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sysop.surfaces.slack.blocks.plan import PlanDocument, Status, TaskEntry
from sysop.surfaces.slack.text import cut

Json = dict[str, Any]
MOST_CHARACTERS: Final = 10_000
"""After so many a new stream goes on."""
_TITLE: Final = 256
_TEXT: Final = 256
_SAID: Final = 9_000
_WORDS: Final = ("text", "title", "details", "output")
_CLOSED: Final = ("complete", "error")


def mark(text: str) -> str:
    """Return a short digest."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def begin(title: str) -> tuple[list[Json], Json]:
    """Return the first chunks of a stream. They hold nothing that would be doubled if they were written again."""
    return [_plan(title)], {"title": mark(title), "tasks": {}, "past": [], "says": [], "chars": 0}


def go_on(title: str, shown: Mapping[str, Any]) -> tuple[list[Json], Json]:
    """Return the first chunks of a stream that goes on where another one ended: what is closed stays there."""
    chunks, fresh = begin(title)
    closed = [id for id, seen in _tasks(shown).items() if seen[1] in _CLOSED]
    past = [*dict.fromkeys([*shown.get("past", ()), *closed])]
    return chunks, {**fresh, "past": past, "says": list(shown.get("says", ()))}


@dataclass(frozen=True, slots=True)
class Written:
    """What a stream shows in the thread, read back after an answer was lost. `open` says whether it still is one."""

    text: str
    open: bool

    def has(self, text: str) -> bool:
        """Tell whether a text is there, however it is formatted now."""
        wanted = _letters(text)
        return bool(wanted) and wanted in self.text


def written(message: Mapping[str, Any]) -> Written:
    """Return what a message read from a thread shows."""
    return Written(
        _letters(" ".join(strings([message.get("text"), message.get("blocks")]))),
        message.get("streaming_state") == "in_progress",
    )


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a message or in blocks."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if not isinstance(part, str) or name in _WORDS:
                yield from strings(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from strings(part)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def missing(plan: PlanDocument, shown: Mapping[str, Any], there: Written | None = None) -> tuple[list[Json], Json]:
    """Return what a stream does not show yet, as much as one call holds, and the note of it once that is written.

    `there` is what was read back: of what it holds nothing is written again, though the note does not know of it.
    """
    chunks: list[Json] = []
    after: Json = {**shown, "tasks": dict(_tasks(shown)), "says": list(shown.get("says", ()))}
    if shown.get("title") != mark(plan.title):
        chunks.append(_plan(plan.title))
        after["title"] = mark(plan.title)
    for entry in plan.entries:
        if entry.id not in shown.get("past", ()):
            chunks += _task(entry, after["tasks"], there)
    chunks += _said(plan, after["says"], there)
    after["chars"] = int(shown.get("chars", 0)) + sum(map(_length, chunks))
    return chunks, after


def faces(plan: PlanDocument, shown: Mapping[str, Any]) -> tuple[list[Json], Json]:
    """Return the same for titles and status of the tasks that are shown already, and nothing else."""
    known = tuple(replace(one, details="", output="") for one in plan.entries if one.id in _tasks(shown))
    return missing(replace(plan, entries=known, says=()), shown)


def too_long(shown: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether a stream that holds something would grow too long by what comes next."""
    return int(shown.get("chars", 0)) > 0 and int(after["chars"]) > MOST_CHARACTERS


def settled(plan: PlanDocument, running: Status, note: str = "") -> PlanDocument:
    """Return a plan in which no task runs: Slack would show an error for one that runs when its stream ends."""
    entries = tuple(
        replace(one, status=running, title=f"{one.title[: _TITLE - len(note)]}{note}")
        if one.status == "in_progress"
        else one
        for one in plan.entries
    )
    return replace(plan, entries=entries)


def _tasks(shown: Mapping[str, Any]) -> Mapping[str, list[Any]]:
    found = shown.get("tasks")
    return found if isinstance(found, Mapping) else {}


def _plan(title: str) -> Json:
    return {"type": "plan_update", "title": (title or "Working")[:_TITLE]}


def _task(entry: TaskEntry, seen: dict[str, list[Any]], there: Written | None) -> Iterator[Json]:
    """Yield the chunk of a task that changed, and note it: title and status, then marks of what can be said once."""
    before = seen.get(entry.id, ["", "", "", ""])
    face = mark(entry.title)
    details = "" if before[2] else entry.details[:_TEXT]
    output = "" if before[3] else entry.output[:_TEXT]
    seen[entry.id] = [face, entry.status, before[2] or _once(details), before[3] or _once(output)]
    details, output = _unless(there, details), _unless(there, output)
    if before[:2] == [face, entry.status] and not details and not output:
        return
    chunk: Json = {"type": "task_update", "id": entry.id[:255], "title": entry.title[:_TITLE] or "–"}
    chunk |= {"status": entry.status, **{k: v for k, v in (("details", details), ("output", output)) if v}}
    if (
        entry.sources and not before[0] and (there is None or not there.has(entry.title))
    ):  # like details, sources are added to what is there
        chunk["sources"] = [{"type": "url", "url": url, "text": text} for url, text in entry.sources]
    yield chunk


def _once(text: str) -> str:
    return mark(text) if text else ""


def _unless(there: Written | None, text: str) -> str:
    return "" if there is not None and there.has(text) else text


def _said(plan: PlanDocument, said: list[str], there: Written | None) -> Iterator[Json]:
    room = _SAID
    for id, text in plan.says:
        if id in said:
            continue
        if len(text) > room < _SAID:
            return  # what does not fit any more comes with the next call
        said.append(id)
        if there is not None and there.has(cut(text, _SAID)):
            continue
        room -= len(text)
        yield {"type": "markdown_text", "text": f"{cut(text, _SAID)}\n"}


def _length(chunk: Json) -> int:
    return sum(len(chunk.get(name, "")) for name in ("title", "details", "output", "text"))
