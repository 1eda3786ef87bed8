"""The model's only door: names and schemas in, every call to the gate."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic_ai import ApprovalRequired, ModelRetry, RunContext, ToolDefinition, ToolFailed
from pydantic_ai.toolsets.abstract import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from sysop.agent.guard import told
from sysop.agent.session import Numbered, Session
from sysop.errors import ActionRefused, InvalidCall, Parked
from sysop.extension import Tool
from sysop.model import EffectState, Outcome, Risk
from sysop.redact import redact_value

ANY_ARGUMENTS: Final = SchemaValidator(core_schema.dict_schema())  # the gate validates, once
TRIES: Final = 3
PARALLEL_READS: Final = 8
WITHHELD: Final = (
    "the arguments hold what looks like a credential, or characters that cannot be stored; leave it out, "
    "actions are given the credentials they need"
)
_RISKS: Final = {
    Risk.READ: "Reads only.",
    Risk.CHANGE: "Changes something; may wait for a person's approval.",
    Risk.DESTRUCTIVE: "Destroys or replaces something; waits for people's approval.",
}


class GateToolset(AbstractToolset[None]):
    """The actions of one attempt. It holds no code of actions and no credentials.

    What must wait is deferred, so that the other calls of an answer go on; the reasons gather in the session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reads = asyncio.Semaphore(PARALLEL_READS)
        tools = session.toolbox.tools
        self._tools = {name: self._offer(name, tools[action]) for name, action in session.actions.items()}

    @property
    def id(self) -> str:
        """Return the toolset's name."""
        return "gate"

    def _offer(self, name: str, tool: Tool) -> ToolsetTool[None]:
        definition = ToolDefinition(
            name=name,
            description=f"{tool.summary} {_RISKS[tool.risk]}",
            parameters_json_schema=dict(tool.schema),
            sequential=tool.risk is not Risk.READ,
        )
        return ToolsetTool(toolset=self, tool_def=definition, max_retries=TRIES, args_validator=ANY_ARGUMENTS)

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        """Return every action under its name for the model."""
        return self._tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """Make a call through the gate and say what the model must do about its end."""
        asked = str(ctx.tool_call_id)
        if asked in self._session.hints:
            raise ToolFailed(self._session.hints[asked])
        await self._check(self._session.numbers[asked], name)
        try:
            async with self._reads:
                outcome = await self._call(asked, name, tool_args)
        except InvalidCall as wrong:
            raise ModelRetry(str(redact_value(str(wrong)))) from wrong
        except ActionRefused as no:
            raise ToolFailed(str(redact_value(f"refused, nothing was done: {no}"))) from no
        except Parked as wait:
            self._session.waits.append(wait)
            raise ApprovalRequired from wait
        if outcome.state is not EffectState.DONE:
            raise ToolFailed(told(outcome))  # never a retry: that would invite a second effect
        return told(outcome)

    async def _check(self, call: Numbered, name: str) -> None:
        """Let nothing be called but what the model meant, as it knew it."""
        if call.withheld:
            raise ModelRetry(f"{name}: {WITHHELD}")
        if changed := await self._session.outdated(call):
            await self._session.toolbox.drop(call.id, changed)
            raise ToolFailed(f"Not done: {changed}. Read its description and decide again.")

    async def _call(self, asked: str, name: str, args: dict[str, Any]) -> Outcome:
        numbered = self._session.numbers[asked]
        action = self._session.actions[name]
        toolbox = self._session.toolbox
        return await toolbox.call(numbered.id, action, args, reason=numbered.reason, provider_id=numbered.provider_id)
