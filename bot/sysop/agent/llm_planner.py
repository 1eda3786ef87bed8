"""The planner with a language model, and what happens when the model is of no use."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast

from sysop.agent import prompts
from sysop.agent.books import Books
from sysop.agent.cited import Thought, as_plan, with_pages
from sysop.agent.question import Unanswered, in_words, nobody
from sysop.agent.session import LlmFailed, LlmToolbox
from sysop.errors import SettingsError
from sysop.extension import Earlier, Planner, Remembered, Standing, Tool, Toolbox
from sysop.knowledge.citation import day_of
from sysop.model import Conclusion, Outcome, Run
from sysop.redact import redact
from sysop.sections import LlmSettings

MISSING: Final = "llm.model is set, but the model's library is not installed; in the checkout: pip install -e '.[llm]'"
PREFIX: Final = "fallback."


class LlmPlanner:
    """Lets a model work on a run. Once it has failed, the run stays with the fallback, also when it is replayed.

    Nothing of the model's library is imported before the first run needs it.
    """

    def __init__(
        self,
        settings: LlmSettings,
        key: Callable[[], str | None],
        fallback: Planner,
        books: Books,
        unanswered: Unanswered = nobody,
    ) -> None:
        if importlib.util.find_spec("pydantic_ai") is None:
            raise SettingsError(MISSING)
        if not settings.base_url and not (settings.model or "").startswith("openai:"):
            raise SettingsError(f"llm.model: {settings.model!r} says too little; write openai:NAME or add llm.base_url")
        self._settings = settings
        self._key = key
        self._fallback = fallback
        self._books = books
        self._unanswered = unanswered
        self._connecting = asyncio.Lock()
        self._connected: tuple[Any, Any, Any] | None = None

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Work until there is a conclusion. Parked passes through untouched."""
        plan, box = dict(run.plan), cast(LlmToolbox, toolbox)
        if "degraded" not in plan:
            try:
                return await self._think(run, incident, box, plan)
            except (LlmFailed, SettingsError) as failed:
                plan["degraded"] = redact(str(failed))
                # The fallback reads nothing that was said meanwhile: that becomes a run of its own.
                await box.put_back(failed.unheard if isinstance(failed, LlmFailed) else (), plan)
        await toolbox.say(f"{PREFIX}degraded", f"Going on without the language model: {plan['degraded']}.")
        behind = Behind(toolbox, plan)
        conclusion = await self._fallback.plan(replace(run, plan=plan.get("fallback", {})), incident, behind)
        return replace(conclusion, degraded=plan["degraded"])

    async def _think(
        self, run: Run, incident: Mapping[str, Any] | None, toolbox: LlmToolbox, plan: dict[str, Any]
    ) -> Conclusion:
        model, think = await self._model()
        used = {"model": self._settings.model, "prompts": prompts.version()}
        if used not in plan.get("llm", []):
            plan["llm"] = [*plan.get("llm", []), used]
            plan.setdefault("recalled", await _told(toolbox))
            await toolbox.remember(plan)
        known = [Remembered(**one) for one in plan.get("recalled", [])]
        today = day_of(await toolbox.now())
        given = await asyncio.to_thread(self._books.fitting, run, incident, today)
        thought: Thought = await think(model, self._settings, run, incident, toolbox, given, known, self._books)
        await self._keep(run, plan, thought, toolbox)
        return with_pages(thought.conclusion, thought.cites)

    async def _keep(self, run: Run, plan: dict[str, Any], thought: Thought, toolbox: LlmToolbox) -> None:
        """Store what the answer cites, for the surfaces, and a question without an answer, for who owns the pages."""
        if thought.unanswered and in_words(run) and not plan.get("unanswered"):
            nearest = await asyncio.to_thread(self._books.nearest, run.text)
            plan["unanswered"] = await self._unanswered(run.text, run.place, nearest)
            await toolbox.remember(plan)
        if thought.cites:
            plan["cites"] = as_plan(thought.cites)
            await toolbox.remember(plan)

    async def _model(self) -> tuple[Any, Any]:
        """Return the model and what thinks with it. The first time takes seconds, so a thread does it."""
        async with self._connecting:
            if self._connected is None:
                self._connected = await asyncio.to_thread(self._connect)
        model, _, think = self._connected
        return model, think

    def _connect(self) -> tuple[Any, Any, Any]:
        library = importlib.import_module("sysop.agent.llm_model")
        model, client = library.connect(self._settings, self._key())
        return model, client, importlib.import_module("sysop.agent.llm_loop").think

    async def close(self) -> None:
        """Close connections."""
        if self._connected is not None:
            await self._connected[1].aclose()
            self._connected = None


async def _told(toolbox: Toolbox) -> list[dict[str, str]]:
    """Tell people what past incidents teach, and return it as the plan keeps it: the model is told the same."""
    found = await toolbox.recalled()
    for one in found:
        await toolbox.say(one.said_as, one.text)
    return [asdict(one) for one in found]


@dataclass(frozen=True, slots=True)
class Behind:
    """The toolbox of a fallback: ids of its own, and its plan kept inside ours."""

    toolbox: Toolbox
    plan: Mapping[str, Any]

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Return the actions by name."""
        return self.toolbox.tools

    async def call(self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "") -> Outcome:
        """Make a call under an id that no call of the model has."""
        return await self.toolbox.call(f"{PREFIX}{id}", action, args, reason=reason)

    async def say(self, id: str, text: str) -> None:
        """Tell people something, once per id."""
        await self.toolbox.say(f"{PREFIX}{id}", text)

    async def remember(self, plan: Mapping[str, Any]) -> None:
        """Store the fallback's plan beside why it is at work."""
        await self.toolbox.remember({**self.plan, "fallback": dict(plan)})

    async def now(self) -> int:
        """Return the database's time."""
        return await self.toolbox.now()

    async def earlier(self) -> Sequence[Earlier]:
        """Return what the conversation holds from before this run."""
        return await self.toolbox.earlier()

    async def recalled(self) -> Sequence[Remembered]:
        """Return past incidents that are like it, nothing where people were told of them before the model failed."""
        return () if "recalled" in self.plan else await self.toolbox.recalled()

    async def standing(self) -> Standing:
        """Return what is open now."""
        return await self.toolbox.standing()
