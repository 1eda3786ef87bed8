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

from sysop.agent import cited, history, prompts
from sysop.agent.books import Books, Looked
from sysop.agent.cited import Thought
from sysop.agent.finding import Finding, from_text, partial
from sysop.agent.guard import Circle, Made, circle
from sysop.agent.llm_model import GuardedModel, why
from sysop.agent.page_tools import PageToolset
from sysop.agent.session import LlmFailed, LlmToolbox, Session, tool_names
from sysop.agent.toolset import GateToolset
from sysop.agent.usage import Enough, Meter
from sysop.errors import ApprovalRequired, Paused, together
from sysop.extension import Remembered
from sysop.model import Run
from sysop.sections import LlmSettings

pydantic_ai.BANNER_ENABLED = False

_SAID = 600
_MAY = 20
_OUTPUT_TRIES = 3


async def think(
    model: Model,
    limits: LlmSettings,
    run: Run,
    incident: Mapping[str, Any] | None,
    toolbox: LlmToolbox,
    given: Looked | None,
    recalled: Sequence[Remembered] = (),
    books: Books | None = None,
) -> Thought:
    """Work until there is a conclusion. Raises Parked, RunStopped, or LlmFailed where the model is of no use.

    `given` is the page that fits, for a run that has not begun; `books` are the pages the model may look into.
    """
    stored, answers, usage = await toolbox.history()
    actions, known = tool_names(toolbox.tools.values()), toolbox.releases()
    releases = {tool: known[action] for tool, action in actions.items()}
    citable = frozenset(one.citation for one in recalled)
    session = Session(run, toolbox, Meter.resume(limits, usage), actions, releases, answers, citable=citable)
    before = () if stored else await toolbox.earlier()
    task = prompts.task(run, incident, given.text if given else None, before, recalled)
    return await _Attempt(session, stored, books, None if stored else given).work(model, task)


class _Attempt:
    """The node loop. `_stored` is what the run's row holds now."""

    def __init__(self, session: Session, stored: bytes | None, books: Books | None, given: Looked | None) -> None:
        self._session = session
        self._stored = stored
        self._books = books
        self._given = given
        self._messages = history.load(stored)

    async def work(self, model: Model, task: str) -> Thought:
        session = self._session
        session.numbers = history.numbers(self._messages)
        session.pages = history.pages(self._messages)
        changes = await self._tell_changes()
        try:
            thought = await self._converse(GuardedModel(model, session), task)
        except Enough as enough:
            await self._save(spent=True)
            await session.toolbox.put_back(history.unheard(self._messages))
            thought = Thought(partial(str(enough), await session.outcomes(), self._undone()))
        except LlmFailed as failed:
            await self._save(spent=True)
            raise LlmFailed(str(failed), history.unheard(self._messages)) from failed
        except AgentRunError as failed:
            begun = [wait for wait in session.waits if not isinstance(wait, ApprovalRequired | Paused)]
            if begun:  # an effect under way is seen to its end before anybody else takes over
                raise together(begun) from failed
            raise LlmFailed(why(failed), history.unheard(self._messages)) from failed
        found = thought.conclusion
        return replace(thought, conclusion=replace(found, not_checked=[*found.not_checked, *changes]))

    async def _tell_changes(self) -> list[str]:
        """Tell people which actions changed in the middle of the conversation, and return it for the conclusion."""
        changes = [f"{change}; what was found before may not hold" for change in self._session.changes()]
        for change in changes:
            mark = hashlib.sha256(change.encode()).hexdigest()[:8]
            await self._session.toolbox.say(f"changed.{mark}", change)
        return changes

    async def _converse(self, model: Model, task: str) -> Thought:
        session, run = self._session, self._session.run
        self._messages, ended = history.settled(self._messages)
        if ended is not None:
            return self._said(ended)
        async with _agent(session).iter(
            None if self._messages else task,
            message_history=self._messages or None,
            deferred_tool_results=history.pending_results(self._messages),
            conversation_id=run.id,
            run_id=f"{run.id}.{run.fence}",
            model=model,
            toolsets=[GateToolset(session), *([PageToolset(session, self._books)] if self._books else [])],
            usage_limits=UsageLimits(request_limit=None),
        ) as conversation:
            async for node in conversation:
                self._messages = list(conversation.all_messages())
                if isinstance(node, ModelRequestNode):
                    if not self._messages or self._messages[-1] is not node.request:
                        self._messages.append(node.request)  # the newest results are nowhere else yet
                    self._note_given(node.request)
                    await self._save(taken=await self._listen(node.request))
                elif isinstance(node, CallToolsNode):
                    await self._answered(node.model_response)
            assert conversation.result is not None
            output = conversation.result.output
            if isinstance(output, DeferredToolRequests):
                self._messages = list(conversation.all_messages())
                await self._save()
                raise together(session.waits)
        if not isinstance(output, Finding):
            return self._said(output)
        known = await _evidence(session)
        conclusion = output.conclusion(run, known, {*session.citable, *session.pages})
        cites = cited.used(output.texts, output.evidence, session.pages)
        return Thought(cited.settle(conclusion, session.pages), cites, output.unanswered)

    def _said(self, text: str) -> Thought:
        """Return how a run ends whose model answered in plain text."""
        pages = self._session.pages
        return Thought(cited.settle(from_text(self._session.run, text), pages), cited.used([text], (), pages))

    def _note_given(self, request: ModelRequest) -> None:
        """Note with the first request, which holds it, what may be cited of the page that fits."""
        if self._given is not None and len(self._messages) == 1:
            history.note(request, "pages", [one.as_json() for one in self._given.citations])
            self._session.pages = history.pages(self._messages)

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
            await session.toolbox.say(f"a{history.answer_of(response)}", cited.struck(text[:_SAID], session.pages))

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
        """Send a conclusion back that is mixed with calls, or, once, one that cites what nobody has."""
        if isinstance(output, str):
            if ctx.retry == 0 and (pages := cited.strangers([output], session.pages)):
                raise ModelRetry(_not_looked_up(pages, session))
            return output
        if not isinstance(output, Finding):
            return output
        if len(_newest_calls(ctx.messages)) > 1:
            raise ModelRetry("Call conclude alone, once every other call is answered.")
        if _conclusions(ctx.messages) <= 1 and (wrong := await _unfounded(output, session)):
            raise ModelRetry(wrong)
        return output

    return agent


async def _unfounded(found: Finding, session: Session) -> str:
    """Return what to say of a conclusion that cites what no result and no page has, "" where all is well."""
    unknown = found.unknown({*await _evidence(session), *session.citable, *session.pages})
    pages = cited.strangers([*found.texts, *unknown], session.pages)
    ids = [one for one in unknown if one not in pages]
    text = f"No result has the evidence id {', '.join(ids)}. Cite the ids as they were given." if ids else ""
    return " ".join(filter(None, (text, _not_looked_up(pages, session) if pages else "")))


def _not_looked_up(pages: Sequence[str], session: Session) -> str:
    may = ", ".join(list(session.pages)[:_MAY]) or "none"
    return f"This run was not given and has not looked up {', '.join(pages)}. Pages that may be cited: {may}."


def _conclusions(messages: list[ModelMessage]) -> int:
    return sum(call.tool_name == history.CONCLUDE for message in messages for call in history.calls_of(message))
