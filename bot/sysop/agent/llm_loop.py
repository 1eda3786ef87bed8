"""One attempt of one LLM run: think, store, act. See docs/llm.md for why a kill at any line costs nothing.

An answer is stored before any of its calls runs, and all results before the model is asked again. An attempt that
starts from a stored conversation makes the open calls again; the gate tells from its tables what became of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pydantic_ai
from pydantic_ai import Agent, CallToolsNode, DeferredToolRequests, ModelRequestNode, ModelRetry, RunContext, ToolOutput
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.usage import UsageLimits

from sysop.agent import history, prompts
from sysop.agent.finding import Finding, from_text, partial
from sysop.agent.guard import Circle, Made, circle
from sysop.agent.llm_model import GuardedModel, why
from sysop.agent.session import LlmFailed, LlmToolbox, Session, tool_names
from sysop.agent.toolset import GateToolset
from sysop.agent.usage import Enough, Meter
from sysop.errors import ApprovalRequired, Paused, together
from sysop.extension import Remembered
from sysop.model import Conclusion, Run
from sysop.sections import LlmSettings

pydantic_ai.BANNER_ENABLED = False

_SAID = 600
_OUTPUT_TRIES = 3


async def think(
    model: Model,
    limits: LlmSettings,
    run: Run,
    incident: Mapping[str, Any] | None,
    toolbox: LlmToolbox,
    runbook: str | None,
    recalled: Sequence[Remembered] = (),
) -> Conclusion:
    """Work until there is a conclusion. Raises Parked, RunStopped, or LlmFailed where the model is of no use."""
    stored, answers, usage = await toolbox.history()
    actions, known = tool_names(toolbox.tools.values()), toolbox.releases()
    releases = {tool: known[action] for tool, action in actions.items()}
    citable = frozenset(one.citation for one in recalled)
    session = Session(run, toolbox, Meter.resume(limits, usage), actions, releases, answers, citable=citable)
    before = () if stored else await toolbox.earlier()
    return await _Attempt(session, stored).work(model, prompts.task(run, incident, runbook, before, recalled))


class _Attempt:
    """The node loop. `_stored` is what the run's row holds now."""

    def __init__(self, session: Session, stored: bytes | None) -> None:
        self._session = session
        self._stored = stored
        self._messages = history.load(stored)

    async def work(self, model: Model, task: str) -> Conclusion:
        session = self._session
        session.numbers = history.numbers(self._messages)
        changes = await self._tell_changes()
        try:
            conclusion = await self._converse(GuardedModel(model, session), task)
        except Enough as enough:
            await self._save(spent=True)
            await session.toolbox.put_back(history.unheard(self._messages))
            conclusion = partial(str(enough), await session.outcomes(), self._undone())
        except LlmFailed as failed:
            await self._save(spent=True)
            raise LlmFailed(str(failed), history.unheard(self._messages)) from failed
        except AgentRunError as failed:
            begun = [wait for wait in session.waits if not isinstance(wait, ApprovalRequired | Paused)]
            if begun:  # an effect under way is seen to its end before anybody else takes over
                raise together(begun) from failed
            raise LlmFailed(why(failed), history.unheard(self._messages)) from failed
        return replace(conclusion, not_checked=[*conclusion.not_checked, *changes])

    async def _tell_changes(self) -> list[str]:
        """Tell people which actions changed in the middle of the conversation, and return it for the conclusion."""
        changes = [f"{change}; what was found before may not hold" for change in self._session.changes()]
        for change in changes:
            mark = hashlib.sha256(change.encode()).hexdigest()[:8]
            await self._session.toolbox.say(f"changed.{mark}", change)
        return changes

    async def _converse(self, model: Model, task: str) -> Conclusion:
        session, run = self._session, self._session.run
        self._messages, ended = history.settled(self._messages)
        if ended is not None:
            return from_text(run, ended)
        async with _agent(session).iter(
            None if self._messages else task,
            message_history=self._messages or None,
            deferred_tool_results=history.pending_results(self._messages),
            conversation_id=run.id,
            run_id=f"{run.id}.{run.fence}",
            model=model,
            toolsets=[GateToolset(session)],
            usage_limits=UsageLimits(request_limit=None),
        ) as conversation:
            async for node in conversation:
                self._messages = list(conversation.all_messages())
                if isinstance(node, ModelRequestNode):
                    if not self._messages or self._messages[-1] is not node.request:
                        self._messages.append(node.request)  # the newest results are nowhere else yet
                    await self._save(taken=await self._listen(node.request))
                elif isinstance(node, CallToolsNode):
                    await self._answered(node.model_response)
            assert conversation.result is not None
            output = conversation.result.output
            if isinstance(output, DeferredToolRequests):
                self._messages = list(conversation.all_messages())
                await self._save()
                raise together(session.waits)
        if isinstance(output, Finding):
            return output.conclusion(run, await _evidence(session), session.citable)
        return from_text(run, output)

    async def _listen(self, request: ModelRequest) -> list[str]:
        """Append what people have said since to a request, and return the names of those messages.

        Never while a call is open: the next thing a model is told after a call is what became of it.
        """
        if history.open_calls(self._messages):
            return []
        turns = history.fitting(await self._session.toolbox.heard())
        history.append(request, {turn.ts: prompts.heard(turn.text, turn.actor) for turn in turns})
        return [turn.ts for turn in turns]

    async def _answered(self, response: ModelResponse) -> None:
        """Store an answer, judge its calls and tell people, all before any of them runs."""
        session = self._session
        await self._save()
        session.numbers = history.numbers(self._messages)
        session.meter.before_calls(len(history.all_calls(self._messages)))
        self._look_for_circles()
        if text := (response.text or "").strip():
            await session.toolbox.say(f"a{history.answer_of(response)}", text[:_SAID])

    def _look_for_circles(self) -> None:
        session = self._session
        calls = history.all_calls(self._messages)
        made = history.made(self._messages, session.actions, session.toolbox.tools)
        newest = {call.tool_call_id for call in _newest_calls(self._messages)}
        for position, call in enumerate(calls):
            if call.tool_call_id in newest and (found := _circle(made, position)):
                if found.stop:
                    raise Enough(f"the model goes in circles: {found.why} ({call.tool_name})")
                session.hints[call.tool_call_id] = (
                    f"Not done: {found.why}. Use the results you have, look at something else, or conclude."
                )

    async def _save(self, *, spent: bool = False, taken: Sequence[str] = ()) -> None:
        """Store the conversation if it has grown; with `spent` also what requests without an answer have cost."""
        messages = history.dump(self._messages)
        if spent or taken or messages != self._stored:
            session = self._session
            await session.toolbox.save_history(messages, session.answers, session.meter.as_json(), taken)
            self._stored = messages

    def _undone(self) -> list[str]:
        """Return the calls that were asked for and are not answered."""
        done = history.answered(self._messages)
        calls = [call for call in history.all_calls(self._messages) if call.tool_call_id not in done]
        return [f"{self._session.actions.get(c.tool_name, c.tool_name)} {history.arguments(c)}" for c in calls]


def _circle(made: list[Made], position: int) -> Circle | None:
    return circle(made[:position], made[position].key)


def _newest_calls(messages: list[ModelMessage]) -> list[ToolCallPart]:
    newest = next((m for m in reversed(messages) if isinstance(m, ModelResponse)), None)
    return history.calls_of(newest) if newest else []


async def _evidence(session: Session) -> set[str]:
    return {outcome.evidence for outcome in await session.outcomes()}


def _agent(session: Session) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(
        output_type=[ToolOutput(Finding, name=history.CONCLUDE, max_retries=_OUTPUT_TRIES), str, DeferredToolRequests],
        instructions=prompts.system(),
        retries={"tools": _OUTPUT_TRIES, "output": _OUTPUT_TRIES},
        name="sysop",
    )

    @agent.output_validator
    async def check(ctx: RunContext[None], output: Any) -> Any:
        """Send a conclusion back that is mixed with calls, or, once, one that cites evidence nobody has."""
        if not isinstance(output, Finding):
            return output
        if len(_newest_calls(ctx.messages)) > 1:
            raise ModelRetry("Call conclude alone, once every other call is answered.")
        unknown = output.unknown(await _evidence(session) | session.citable)
        if unknown and _conclusions(ctx.messages) <= 1:
            raise ModelRetry(f"No result has the evidence id {', '.join(unknown)}. Cite the ids as they were given.")
        return output

    return agent


def _conclusions(messages: list[ModelMessage]) -> int:
    return sum(call.tool_name == history.CONCLUDE for message in messages for call in history.calls_of(message))
