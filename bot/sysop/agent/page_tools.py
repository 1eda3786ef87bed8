"""The model's way to the pages: it searches and reads, in this process. Nothing of it acts or passes the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pydantic_ai import ModelRetry, RunContext, ToolDefinition, ToolFailed, ToolReturn
from pydantic_ai.toolsets.abstract import AbstractToolset, ToolsetTool

from sysop.agent import history
from sysop.agent.books import MAX_QUESTION, Books, Looked
from sysop.agent.session import Session
from sysop.agent.toolset import ANY_ARGUMENTS, TRIES, WITHHELD
from sysop.errors import InvalidCall
from sysop.expression import short
from sysop.knowledge.citation import day_of
from sysop.redact import redact_value

SEARCH: Final = "runbooks_search"
READ: Final = "runbooks_read"
_NAMED: Final = 5
_TOLD: Final = 160
_ABOUT: Final = {
    SEARCH: "Search all runbooks and pages; the best sections with their citations.",
    READ: "Read a page as a whole, or one of its sections.",
}
_NEEDS: Final[Mapping[str, Mapping[str, str]]] = {
    SEARCH: {"question": "what the page must answer, in words, or the name of an alert"},
    READ: {"page": "the page, such as runbooks/x.md"},
}
_MAY: Final[Mapping[str, Mapping[str, str]]] = {
    SEARCH: {},
    READ: {"section": "what stands behind the # of a section's citation; without it the whole page"},
}


class PageToolset(AbstractToolset[None]):
    """Search and reading of pages. What they return may be cited by this run, and by no other."""

    def __init__(self, session: Session, books: Books) -> None:
        self._session = session
        self._books = books
        self._tools = {name: self._offer(name) for name in _ABOUT}

    @property
    def id(self) -> str:
        """Return the toolset's name."""
        return "pages"

    def _offer(self, name: str) -> ToolsetTool[None]:
        described = {**_NEEDS[name], **_MAY[name]}
        fields = {one: {"type": "string", "description": about} for one, about in described.items()}
        schema = {"type": "object", "properties": fields, "required": list(_NEEDS[name]), "additionalProperties": False}
        definition = ToolDefinition(name=name, description=f"{_ABOUT[name]} Reads only.", parameters_json_schema=schema)
        return ToolsetTool(toolset=self, tool_def=definition, max_retries=TRIES, args_validator=ANY_ARGUMENTS)

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        """Return both tools by name."""
        return self._tools

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """Look something up, tell people what, and note what may be cited from now on."""
        asked = str(ctx.tool_call_id)
        if asked in self._session.hints:
            raise ToolFailed(self._session.hints[asked])
        if self._session.numbers[asked].withheld:
            raise ModelRetry(f"{name}: {WITHHELD}")
        try:
            found = await self._look(name, _texts(name, tool_args))
        except InvalidCall as wrong:
            raise ModelRetry(str(redact_value(str(wrong)))) from wrong
        self._session.pages.update({one.ref: one for one in found.citations})
        await self._session.toolbox.say(f"{self._session.numbers[asked].id}.pages", _told(name, tool_args, found))
        return ToolReturn(found.text, metadata=history.noted_pages(found.citations))

    async def _look(self, name: str, given: Mapping[str, str]) -> Looked:
        today = day_of(await self._session.toolbox.now())
        if name == SEARCH:
            return await asyncio.to_thread(self._books.search, given["question"], today)
        return await asyncio.to_thread(partial(self._books.read, given["page"], given.get("section", ""), today))


def _texts(name: str, args: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments. Raises InvalidCall for one that is missing, unknown, no text or too long."""
    given = {field: value for field, value in args.items() if value is not None}
    missing = [field for field in _NEEDS[name] if not isinstance(given.get(field), str) or not given[field].strip()]
    unknown = [field for field in given if field not in {**_NEEDS[name], **_MAY[name]}]
    if missing or unknown:
        raise InvalidCall(f"{name}: give {', '.join(_NEEDS[name])} as text, and nothing but {', '.join(_MAY[name])}")
    if long := [field for field, value in given.items() if not isinstance(value, str) or len(value) > MAX_QUESTION]:
        raise InvalidCall(f"{name}: {', '.join(long)}: a text of at most {MAX_QUESTION} characters")
    return given


def _told(name: str, args: Mapping[str, Any], found: Looked) -> str:
    """Return for people what was looked up; whatever a page says of itself stays out of it."""
    refs = list(dict.fromkeys(one.ref for one in found.citations if one.section or len(found.citations) == 1))
    if name == READ:
        return f"Read {found.citations[0].page if found.citations else args['page']}."
    what = short(str(args["question"]), _TOLD)
    return f"Looked in the pages for {what!r}: {', '.join(refs[:_NAMED]) or 'nothing fits'}."
