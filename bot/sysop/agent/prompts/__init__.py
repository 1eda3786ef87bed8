"""What the model is told: Markdown files in this folder, versioned together by their digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sysop.agent.guard import bounded, fence
from sysop.extension import Earlier, Remembered
from sysop.model import Origin, Run
from sysop.redact import redact, redact_value

_FOLDER = Path(__file__).parent
_MAX_REQUEST = 24 * 1024
_MAX_EARLIER = 16 * 1024
_MAX_RECALLED = 4 * 1024
_MAX_ASKED, _MAX_FOUND = 1024, 2048


@cache
def _texts() -> Mapping[str, str]:
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(_FOLDER.glob("*.md"))}


def system() -> str:
    """Return the instructions of every request."""
    return _texts()["system"]


def version() -> str:
    """Return the digest of all prompts, kept in the plan of each run that used them."""
    return hashlib.sha256(json.dumps(_texts(), sort_keys=True).encode()).hexdigest()[:16]


def task(
    run: Run,
    incident: Mapping[str, Any] | None,
    runbook: str | None,
    before: Sequence[Earlier] = (),
    recalled: Sequence[Remembered] = (),
) -> str:
    """Return the first message of a run. Whatever people or machines wrote stands in fences, without secrets.

    `runbook` is the page that fits, in its fence already.
    """
    parts = {
        "request": _request(run),
        "looks": f"{_texts()['looks'].strip()}\n\n" if run.read_only else "",
        "earlier": f"Earlier in this conversation, oldest first:\n{earlier(before)}\n\n" if before else "",
        "incident": f"The incident:\n{fence(_json(incident), 'incident')}\n\n" if incident else "",
        "recalled": f"{_texts()['recalled'].strip()}\n{_recalled(recalled)}\n\n" if recalled else "",
        "runbook": f"The page that fits:\n{runbook}\n\n" if runbook else "",
    }
    return re.sub(r"{{(\w+)}}", lambda place: parts[place[1]], _texts()["task"])


def heard(text: str, actor: str) -> str:
    """Return what a person says to a run under way."""
    return f"While you worked, somebody said:\n{fence(bounded(redact(text)), actor, 'request')}"


def earlier(before: Sequence[Earlier]) -> str:
    """Return the runs before this one as data, the newest as whole as they fit, older ones left out with a note."""
    told: list[str] = []
    for one in reversed(before):
        told.append(_one(one))
        if sum(map(len, told)) > _MAX_EARLIER:
            told.pop()
            break
    left = len(before) - len(told)
    head = [f"[{left} earlier runs left out]"] if left else []
    return "\n\n".join([*head, *reversed(told)])


def _one(one: Earlier) -> str:
    lines = [f"Run {one.run}, asked by {', '.join(one.requesters)}, is {one.state}:"]
    if one.text:
        lines.append(fence(bounded(redact(one.text), _MAX_ASKED), ", ".join(one.requesters)))
    lines.append(fence(bounded(redact("\n".join(_outcome(one))), _MAX_FOUND), one.run, "finding"))
    return "\n".join(lines)


def _outcome(one: Earlier) -> list[str]:
    lines = [one.summary, f"cause: {one.cause}", f"resolved: {'yes' if one.resolved else 'no'}"]
    return [*lines, *(f"change: {change}" for change in one.changes)]


def _request(run: Run) -> str:
    if not run.text:
        return f"Run {run.id} was started by {run.origin}.\n\n"
    kind = "request" if run.origin is Origin.ASKED else "untrusted"
    asked = fence(bounded(redact(run.text), _MAX_REQUEST), ", ".join(run.requesters), kind)
    return f"Run {run.id}, started by {run.origin}:\n{asked}\n\n"


def _recalled(past: Sequence[Remembered]) -> str:
    told = "\n".join(f"{one.citation}: {one.text}" for one in past)
    return fence(bounded(redact(told), _MAX_RECALLED), "memory")


def _json(incident: Mapping[str, Any]) -> str:
    return bounded(json.dumps(redact_value(dict(incident)), ensure_ascii=False, indent=1))
