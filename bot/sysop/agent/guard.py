"""What stands between the model and the rest: fences around data, bounds on results, an end to circles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sysop.model import EffectState, Outcome

MAX_RESULT: Final = 8 * 1024
SAME: Final = 3
"""So many equal calls with no change in between get a hint; one more ends the run."""


def fence(text: str, source: str, kind: str = "untrusted") -> str:
    """Mark a text as data. The mark is a digest of the text itself, so no text can contain its own closing mark."""
    mark = hashlib.sha256(f"{source}\n{text}".encode(errors="replace")).hexdigest()[:16]
    return f'<{kind} {mark} from="{source}">\n{text}\n</{kind} {mark}>'


def bounded(text: str, limit: int = MAX_RESULT) -> str:
    """Cut the middle out of a long text and say so."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    note = f"\n[… {len(text) - head - tail} of {len(text)} characters left out; narrow the arguments to see more …]\n"
    return text[:head] + note + text[-tail:]


def told(outcome: Outcome) -> str:
    """Return an outcome as the model sees it: evidence id and state first, then its data in a fence."""
    state = "done" if outcome.state is EffectState.DONE else f"{outcome.state}; nothing else is known of it"
    lines = [f"evidence: {outcome.evidence}", f"{outcome.action} is {state}"]
    if outcome.verified is not None:
        lines.append(f"post-check: {'passed' if outcome.verified else 'FAILED: the change did not help'}")
    data = [outcome.verification, outcome.error]
    if outcome.state is EffectState.DONE:
        data.append(json.dumps(outcome.result, ensure_ascii=False))
    body = bounded("\n".join(text for text in data if text))
    return "\n".join([*lines, fence(body, outcome.action)])


def heading(text: str) -> str:
    """Return what is left of a told outcome when its data must go: evidence id and state."""
    kept = text.partition("\n<untrusted ")[0][:400]
    return f"{kept}\n[data left out to save space, it is stored as evidence; call again if you need it]"


def call_key(action: str, args: Mapping[str, Any] | str, schema: Mapping[str, Any]) -> str:
    """Return a text that is equal for calls that mean the same: defaults filled in, order and outer space ignored."""
    if isinstance(args, str):
        return f"{action} {args}"
    defaults = {name: p["default"] for name, p in schema.get("properties", {}).items() if "default" in p}
    given = {name: value.strip() if isinstance(value, str) else value for name, value in args.items()}
    return f"{action} {json.dumps({**defaults, **given}, sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class Made:
    """A call the model has asked for. `changed`: it surely changed the world."""

    key: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """What is circular about a call. `stop` where a hint has not helped."""

    why: str
    stop: bool


def circle(before: Sequence[Made], key: str) -> Circle | None:
    """Tell whether one more call with this key goes in circles."""
    same = 1 + _since_change(before, key)
    if same >= SAME:
        return Circle(f"this is the {same}th equal call, and nothing has changed since the first", same > SAME)
    keys = [*(made.key for made in before), key]
    if _alternates(keys[-6:], 6):
        return Circle("the same two calls alternate for the third time", stop=True)
    if _alternates(keys[-4:], 4):
        return Circle("the same two calls alternate", stop=False)
    return None


def _since_change(before: Sequence[Made], key: str) -> int:
    count = 0
    for made in reversed(before):
        if made.changed and made.key != key:
            break
        count += made.key == key
    return count


def _alternates(keys: Sequence[str], length: int) -> bool:
    return len(keys) == length and len(set(keys)) == 2 and all(a != b for a, b in pairwise(keys))
