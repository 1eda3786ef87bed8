"""What the parts of one attempt of an LLM run share. Nothing here needs the model's library."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sysop.agent.usage import Meter
from sysop.extension import Tool, Toolbox
from sysop.model import Outcome, Run

T = TypeVar("T")

BEAT_S = 5.0
"""So often a run looks, while the model thinks, whether anybody still wants the answer."""


class LlmFailed(Exception):
    """The model cannot be used for this run any more; the text says why and is fit for people."""


class LlmToolbox(Toolbox, Protocol):
    """What the runner's toolbox offers beyond the planner's door: the stored conversation and the ledger."""

    async def call(
        self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "", provider_id: str | None = None
    ) -> Outcome:
        """Make a call; `provider_id` is kept as an attribute only."""
        ...

    async def history(self) -> tuple[bytes | None, int, Mapping[str, Any]]:
        """Return the stored messages, the number of model answers so far and the usage."""
        ...

    async def save_history(self, messages: bytes, answers: int, usage: Mapping[str, Any]) -> None:
        """Store the messages before any call of the newest answer runs."""
        ...

    async def outcomes(self) -> Sequence[Outcome]:
        """Return what the ledger holds of this run, oldest first."""
        ...

    async def alive(self) -> None:
        """Do nothing while the run is ours. Raises RunStopped once it is not, or a person has cancelled it."""
        ...


@dataclass(frozen=True, slots=True)
class Numbered:
    """A call of the model under our id, `a3.0` for the first call of the third answer."""

    id: str
    provider_id: str | None
    reason: str


@dataclass(slots=True)
class Session:
    """One attempt. `numbers` and `hints` are keyed by the id a call has in the conversation."""

    run: Run
    toolbox: LlmToolbox
    meter: Meter
    actions: Mapping[str, str]
    answers: int = 0
    numbers: dict[str, Numbered] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    waits: list[Any] = field(default_factory=list)

    async def wanted(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something long; it is given up when the run is not ours any more or was cancelled."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=BEAT_S))[0]:
                await self.toolbox.alive()
            return task.result()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def outcomes(self) -> list[Outcome]:
        """Return the outcomes of the model's own calls, whose evidence ids it was given."""
        return [o for o in await self.toolbox.outcomes() if re.fullmatch(r"a\d+\.\d+", o.call)]


def tool_names(tools: Iterable[Tool]) -> dict[str, str]:
    """Return the actions by the names the model knows them by: 64 letters, digits, `_` or `-`, each unique."""
    names: dict[str, str] = {}
    for action in sorted(tool.name for tool in tools):
        name = re.sub(r"[^a-zA-Z0-9_-]", "-", action)
        if len(name) > 64 or name in names:
            name = f"{name[:55]}-{hashlib.sha256(action.encode()).hexdigest()[:8]}"
        names[name] = action
    return names
