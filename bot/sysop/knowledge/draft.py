"""A first version of a page, from what was done about an incident or with nothing in it, for a person to finish.

What people, alerts and machines wrote is data: it is put where it can open no block, heading, comment or front matter,
and never becomes an expression. A draft that changes something has errors of the linter until a person has said when,
so it is followed by nobody before.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sysop.actions import Action
from sysop.errors import InvalidRequest
from sysop.model import Risk

MAX_TITLE: Final = 120
MAX_PROSE: Final = 2_000
MAX_WORDS: Final = 300
MAX_ARGUMENTS: Final = 2_000
MAX_CALLS: Final = 50
MAX_NAMES: Final = 50

_EXAMPLE: Final = """\
An example of a step. To have one, write it below this, outside the frame, and take the example out; `sysop actions`
lists what a step can do.

~~~markdown
```step
id: errors                 # how later steps call it
note: How many fail?       # people see this while it runs
action: metrics.query      # reads only; a step that changes something asks a person first
with:
  query: sum(rate(http_requests_total{code=~"5.."}[5m]))
otherwise: continue        # or escalate: what to do where it fails
found: >-
  ${"failed requests in a second: " + show(steps.errors.result.value)}
```
~~~"""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MARKS: Final = re.compile(r"([\\`*~|#\[\]]|(?<=\])\(|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an incident. `verified` is None where nothing was verified; `note` says why it was made, if known."""

    action: str
    args: Mapping[str, Any]
    state: str
    verified: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an incident that is over; `minutes` is how long it took, None where that is not known."""

    title: str
    alerts: tuple[str, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    owner: str
    summary: str
    cause: str
    calls: tuple[Call, ...]
    minutes: int | None = None


def draft(facts: Facts, actions: Mapping[str, Action]) -> str:
    """Return a page: what happened, a step for each call that was made, those that read first, and a way to a person.

    A call becomes a step only where an action of its name is known and its arguments can be written as they were; every
    other one is told in the prose.
    """
    steps, told = _sorted(facts.calls[:MAX_CALLS], actions)
    title = _plain(facts.title, MAX_TITLE) or "An incident without a title"
    parts = [_front(facts, title), f"# {_prose(title)}", *_what_happened(facts)]
    parts += _how_to_look([s for s in steps if actions[s.action].risk is Risk.READ])
    parts += _what_helped([s for s in steps if actions[s.action].risk is not Risk.READ], told, len(facts.calls))
    parts += _stop(bool(steps))
    return "\n\n".join(parts) + "\n"


def blank(title: str, alerts: Sequence[str], services: Sequence[str], owner: str = "") -> str:
    """Return a page with front matter, the usual headings and an example of a step, and nothing said yet.

    Raises InvalidRequest for a title in which nothing can be read.
    """
    title = _plain(title, MAX_TITLE)
    if not any(character.isalnum() for character in title):
        raise InvalidRequest(
            "title: it has no letter and no digit; say in a few words what is wrong when this is needed"
        )
    parts = [
        _front(Facts(title, tuple(alerts), tuple(services), (), owner, "", "", ()), title),
        f"# {_prose(title)}",
        "## What it means\n\nTODO: what has happened where this is right, and what customers notice.",
        "## Common causes\n\nTODO: what it mostly is, the likeliest first.",
        f"## How to look\n\nTODO: what to look at, and what it shows.\n\n{_EXAMPLE}",
        "## What helps\n\nTODO: what to do for each cause, what risks least first, and how to see that it helped.",
        "## When to stop\n\nTODO: what not to do, and whom to call.",
    ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Step:
    id: str
    action: str
    lines: tuple[str, ...]
    call: Call


def _sorted(calls: Sequence[Call], actions: Mapping[str, Action]) -> tuple[list[_Step], list[Call]]:
    """Return each different call once: as a step, or as one that can only be told."""
    steps: list[_Step] = []
    told: list[Call] = []
    for call in calls:
        lines = _arguments(call.args) if call.action in actions else None
        if lines is None:
            told += [call] if call not in told else []
        elif not any((s.action, s.lines) == (call.action, lines) for s in steps):
            steps.append(_Step(_id(call.action, [s.id for s in steps]), call.action, lines, call))
    return steps, told


def _id(action: str, taken: Sequence[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", action.lower()).strip("_")[:32]
    first = f"step_{name}" if not name or name[0].isdigit() or name in ("escalate", "continue") else name
    return next(id for n in range(1, len(taken) + 2) if (id := first if n == 1 else f"{first}_{n}") not in taken)


def _arguments(args: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the lines below `with`, None where the format cannot hold a value as it was."""
    given = {name: value for name, value in args.items() if value is not None}
    if not all(isinstance(name, str) and _NAME.fullmatch(name) and _can_stand(v) for name, v in given.items()):
        return None
    lines = tuple(f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
    return lines if sum(len(line.encode()) for line in lines) <= MAX_ARGUMENTS else None


def _can_stand(value: Any, depth: int = 0) -> bool:
    """Tell whether a value reads back as it was: text that is no expression, numbers, lists and mappings of them."""
    if isinstance(value, str):
        return "${" not in value and all(c.isprintable() or c in "\n\t" for c in value)
    if isinstance(value, list | tuple):
        return depth < 8 and all(_can_stand(one, depth + 1) for one in value)
    if isinstance(value, Mapping):
        return depth < 8 and all(
            isinstance(key, str) and bool(_NAME.fullmatch(key)) and _can_stand(one, depth + 1)
            for key, one in value.items()
        )
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))


def _front(facts: Facts, title: str) -> str:
    lists = (("alerts", facts.alerts), ("services", facts.services), ("environments", facts.environments))
    lines = [f"title: {_quoted(title)}"]
    for key, names in lists:
        if clean := [name for one in names[:MAX_NAMES] if (name := _plain(one, MAX_TITLE))]:
            lines.append(f"{key}: [{', '.join(map(_quoted, dict.fromkeys(clean)))}]")
    if owner := _plain(facts.owner, MAX_TITLE):
        lines.append(f"owner: {_quoted(owner)}")
    return "\n".join(("---", *lines, "autonomy: ask", "---"))


def _what_happened(facts: Facts) -> Iterator[str]:
    yield "TODO: this is a draft. Make it right for the next time, then add `reviewed:` with the date at the top."
    yield "## What it means"
    yield f"What happened: {_prose(facts.summary) or 'TODO'}"
    if facts.minutes is not None and facts.minutes >= 0:
        long = (
            "less than a minute" if facts.minutes == 0 else f"{facts.minutes} minute{'s' if facts.minutes > 1 else ''}"
        )
        yield f"It took {long}."
    yield "TODO: say what customers notice."
    yield "## Common causes"
    yield f"The cause this time: {_prose(facts.cause) or 'TODO'}"


def _how_to_look(reads: Sequence[_Step]) -> Iterator[str]:
    yield "## How to look"
    if not reads:
        yield "TODO: say what to look at, and what it shows."
    for step in reads:
        yield _block(step, "say what this tells", "otherwise: continue")


def _what_helped(changes: Sequence[_Step], told: Sequence[Call], made: int) -> Iterator[str]:
    yield "## What helps"
    if not changes:
        yield "TODO: say what to do for each cause, what risks least first."
    for step in changes:
        yield "TODO: say by `when` what must have been seen before this is done, and add a step that sees it helped."
        yield _block(step, "say why this helps", "when: ${false}")
    if told:
        yield "This was done too, and is no step: there is no such action, or its arguments cannot be written here."
        yield "\n".join(
            f"- Called {_prose(_plain(call.action, MAX_TITLE))} with {_words(call.args)}: {_prose(_ended(call))}."
            for call in told
        )
    if made > MAX_CALLS:
        yield f"The first {MAX_CALLS} calls of {made} are told here; the incident has all of them."


def _stop(followed: bool) -> Iterator[str]:
    yield "## When to stop"
    yield "TODO: say what not to do, and whom to call."
    if followed:
        yield "\n".join(
            (
                "```conclude",
                "resolved: false",
                "summary: The steps of a draft were followed; a person must judge what they found.",
                "escalate: Call the owner of this page. It is a draft and does not know when this is resolved.",
                "```",
            )
        )


def _block(step: _Step, wanted: str, more: str) -> str:
    why = _plain(step.call.note, MAX_WORDS)
    note = f"{why} TODO: {wanted}. The last time it was {_ended(step.call)}.".lstrip()
    arguments = ("with:", *step.lines) if step.lines else ()
    lines = (f"id: {step.id}", f"note: {_quoted(note)}", f"action: {step.action}", *arguments, more)
    return "\n".join(("```step", *lines, "```"))


def _ended(call: Call) -> str:
    verified = {True: ", and it helped", False: ", and it did not help", None: ""}[call.verified]
    return f"{_plain(call.state, MAX_WORDS) or 'made'}{verified}"


def _words(args: Mapping[str, Any]) -> str:
    return _prose(_plain(json.dumps(args, ensure_ascii=False, default=str), MAX_WORDS)) if args else "no arguments"


def _plain(text: str, limit: int) -> str:
    """Return a text as one line of what can be seen, no expression in it, cut to a length."""
    seen = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(seen.split()).replace("${", "$ {")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _prose(text: str) -> str:
    """Return a text as one line of Markdown that shows it and means nothing more. It never begins a line here."""
    plain = _plain(text, MAX_PROSE).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", plain)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
