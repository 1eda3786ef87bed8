"""What became of a past incident, as far as its rows prove it: which change helped, how soon, or that none did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sysop.knowledge.page import Section
from sysop.model import Actor, EffectState
from sysop.redact import redact
from sysop.store.bygone import Bygone, Tried

LINE: Final = 400
"""So many characters of one line that a run, a model or another system wrote are kept."""
_ENDED: Final = {
    EffectState.EXECUTING: "had not ended",
    EffectState.DONE: "was done",
    EffectState.FAILED: "failed",
    EffectState.UNKNOWN: "may or may not have happened",
}
_CHECKED: Final = {True: "verified", False: "its check says that it did not help", None: "not verified"}
_MINUTE: Final = 60_000
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an incident teaches. Times are whole minutes.

    `fix` is the last change whose check held before the incident was over, in words, empty where there was none;
    `minutes` is how long after it that was. `quiet` tells whether it was over because no alert fired any more.
    """

    changes: int
    fix: str
    minutes: int | None
    lasted: int
    quiet: bool

    @property
    def helped(self) -> bool | None:
        """Tell whether a change helped; None where Sysop changed nothing."""
        return None if self.changes == 0 else bool(self.fix)


def lesson(one: Bygone) -> Lesson:
    """Return what an incident teaches."""
    held = [call for call in one.tried if call.state is EffectState.DONE and call.verified and call.at <= one.over_at]
    last = held[-1] if held else None
    return Lesson(
        changes=len(one.tried),
        fix=of(last) if last else "",
        minutes=round((one.over_at - last.at) / _MINUTE) if last else None,
        lasted=max(0, round((one.over_at - one.opened_at) / _MINUTE)),
        quiet=one.mitigated_at is not None,
    )


def of(call: Tried) -> str:
    """Return a call in words, such as `cicd.rollback of checkout`; a target that says no more is left out."""
    target = line(call.target.partition(":")[2] or call.target, 80)
    return f"{call.action} of {target}" if target and target != call.action.rpartition(".")[2] else call.action


def told(minutes: int) -> str:
    """Return a length of time in words, such as `4 minutes`."""
    if minutes < 1:
        return "less than a minute"
    if minutes < 2 * _HOUR:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{round(minutes / _HOUR)} hours" if minutes < 2 * _DAY else f"{round(minutes / _DAY)} days"


def line(text: str, limit: int = LINE) -> str:
    """Return text that others wrote as one line of what can be seen."""
    flat = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def person(actor: str) -> str:
    """Return the name behind an actor's id."""
    return line(Actor(actor).name or actor, 80)


def sections(one: Bygone, found: Lesson) -> tuple[Section, ...]:
    """Return an incident as a page with sections; each line number is the one it would have as Markdown."""
    notes = one.notes
    written = {
        "What happened": "\n".join(_happened(one)),
        "What was tried": "\n".join(map(_call, one.tried)) or "Sysop changed nothing.",
        "What helped": _helped(found),
        "Post-incident report": notes.report.text if notes.report else "",
        "Correction": f"{person(notes.correction.actor)}: {notes.correction.text}" if notes.correction else "",
    }
    return tuple(_numbered((title, text) for title, text in written.items() if text))


def _numbered(written: Iterable[tuple[str, str]]) -> Iterable[Section]:
    number = 3  # below the title and an empty line
    for title, text in written:
        yield Section(title, title.lower().replace(" ", "-"), text, number)
        number += 4 + text.count("\n")  # the heading, the text, and an empty line after each


def _happened(one: Bygone) -> Iterable[str]:
    yield f"{line(one.title)} ({line(one.severity, 40)})"
    if one.alerts:
        kinds = dict.fromkeys(f"{each.name} on {each.service}" if each.service else each.name for each in one.alerts)
        yield f"Alerts: {'; '.join(line(kind, 200) for kind in kinds)}"
    for found in one.found:
        if summary := line(str(found.get("summary") or ""), 2 * LINE):
            yield summary
        cause = str(found.get("cause") or "undetermined")
        if cause != "undetermined":
            yield f"Cause: {line(cause)} (confidence {line(str(found.get('confidence') or 'low'), 40)})"


def _call(call: Tried) -> str:
    args = " ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in call.args.items()
    )
    shown = line(redact(f"{call.action} {args}"))
    why = line("; ".join(filter(None, (call.error, call.verification))))
    checked = f", {_CHECKED[call.verified]}" if call.state is EffectState.DONE else ""
    return f"- {shown}: {_ENDED.get(call.state, str(call.state))}{checked}{f' ({why})' if why else ''}"


def _helped(found: Lesson) -> str:
    if found.minutes is None:
        return "Nothing that Sysop did."
    how = "no alert fired any more" if found.quiet else "it was closed"
    return f"{found.fix}; {how} {told(found.minutes)} later."
