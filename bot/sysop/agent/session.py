"""What the parts of one attempt of an LLM run share. Nothing here needs the model's library."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sysop.agent.usage import Meter
from sysop.extension import Tool, Toolbox
from sysop.knowledge.citation import Citation
from sysop.model import Outcome, Run
from sysop.store.conversations import Turn

T = TypeVar("T")

log = logging.getLogger(__name__)

BEAT_S = 5.0
"""So often a run looks, while the model thinks, whether anybody still wants the answer."""


class LlmFailed(Exception):
    """The model cannot be used for this run any more; the text says why and is fit for people.

    `unheard` names what people said and the model has never answered.
    """

    def __init__(self, message: str, unheard: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.unheard = tuple(unheard)


class LlmToolbox(Toolbox, Protocol):
    """What the runner's toolbox offers beyond the planner's door: the stored conversation, the ledger, releases."""

    def releases(self) -> Mapping[str, str]:
        """Return which release of which plugin each action is from; equal texts mean the same contract."""
        ...

    async def drop(self, call: str, reason: str) -> None:
        """Close what people are still asked about a call that is not made any more."""
        ...

    async def call(
        self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "", provider_id: str | None = None
    ) -> Outcome:
        """Make a call; `provider_id` is kept as an attribute only."""
        ...

    async def history(self) -> tuple[bytes | None, int, Mapping[str, Any]]:
        """Return the stored messages, the number of model answers so far and the usage."""
        ...

    async def heard(self) -> Sequence[Turn]:
        """Return what people have said to this run and it has not taken up yet, in the order it was said."""
        ...

    async def save_history(
        self, messages: bytes, answers: int, usage: Mapping[str, Any], taken: Sequence[str] = ()
    ) -> None:
        """Store the messages before any call of the newest answer runs; `taken` names what people said that is new.

        Whoever said it asks for all that comes after, in the same transaction.
        """
        ...

    async def put_back(self, unheard: Sequence[str], plan: Mapping[str, Any] | None = None) -> None:
        """Let what people said wait again for a run that answers it; in the same transaction store a plan, if any."""
        ...

    async def outcomes(self) -> Sequence[Outcome]:
        """Return what the ledger holds of this run, oldest first."""
        ...

    async def alive(self) -> None:
        """Do nothing while the run is ours. Raises RunStopped once it is not, or a person has cancelled it."""
        ...


@dataclass(frozen=True, slots=True)
class Numbered:
    """A call of the model under our id, `a3.0` for the first call of the third answer.

    `release` is what the tool was when the model called it, None where there was no such tool. A `withheld` call had
    a secret in its arguments: they are not what the model meant any more, so it is never made.
    """

    id: str
    tool: str
    provider_id: str | None
    reason: str
    release: str | None
    withheld: bool = False


@dataclass(slots=True)
class Session:
    """One attempt. `numbers` and `hints` are keyed by the id a call has in the conversation.

    `actions` and `releases` are keyed by the name a tool has for the model. `citable` is what may be cited beside the
    evidence of this run, and proves nothing about it. `pages` are the sections this run was given or has looked up, by
    their citations, each as it was when it was read last.
    """

    run: Run
    toolbox: LlmToolbox
    meter: Meter
    actions: Mapping[str, str]
    releases: Mapping[str, str]
    answers: int = 0
    citable: frozenset[str] = frozenset()
    numbers: dict[str, Numbered] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    pages: dict[str, Citation] = field(default_factory=dict)
    waits: list[Any] = field(default_factory=list)

    async def wanted(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something long; it is given up when the run is not ours any more or was cancelled."""
        task, answered = asyncio.ensure_future(work), False
        try:
            while not (await asyncio.wait({task}, timeout=BEAT_S))[0]:
                await self.toolbox.alive()
            answered = True
        finally:
            if not answered:
                await _give_up(task)
        return task.result()

    def changes(self) -> list[str]:
        """Return a sentence for each action that is not any more what the model called."""
        called = {(call.tool, call.release) for call in self.numbers.values() if call.release is not None}
        return [self._change(tool, then) for tool, then in sorted(called) if then != self.releases.get(tool)]

    async def outdated(self, call: Numbered) -> str | None:
        """Return why a call is not made that was asked for under another release.

        One that is in the ledger goes on all the same: it has begun, and the gate sees it to its end.
        """
        if call.release == self.releases.get(call.tool):
            return None
        begun = {outcome.call for outcome in await self.toolbox.outcomes()}
        return None if call.id in begun else self._change(call.tool, call.release)

    def _change(self, tool: str, release: str | None) -> str:
        then, now = (one or "not there" for one in (release, self.releases.get(tool)))
        return f"{self.actions.get(tool, tool)} has changed since the model called it: it was {then}, it is {now}"

    async def outcomes(self) -> list[Outcome]:
        """Return the outcomes of the model's own calls, whose evidence ids it was given."""
        return [o for o in await self.toolbox.outcomes() if re.fullmatch(r"a\d+\.\d+", o.call)]


async def _give_up(task: asyncio.Future[Any]) -> None:
    """Cancel what nobody waits for any more, and see it end; an error it ends with is told in the log."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (late := task.exception()):
        log.warning("a model request that was given up ended in an error", exc_info=late)


def tool_names(tools: Iterable[Tool]) -> dict[str, str]:
    """Return the actions by the names the model knows them by: 64 letters, digits, `_` or `-`, each unique."""
    names: dict[str, str] = {}
    for action in sorted(tool.name for tool in tools):
        name = re.sub(r"[^a-zA-Z0-9_-]", "-", action)
        if len(name) > 64 or name in names:
            name = f"{name[:55]}-{hashlib.sha256(action.encode()).hexdigest()[:8]}"
        names[name] = action
    return names
