"""The planner without a model: finds the runbook, follows its steps, decides by its conditions.

`plan` is called from the start after every park or crash and must come to the same calls. So it decides
by what the ledger holds, by the incident as the run saw it first, and by what it stored in the plan: the
runbook with its digest before the first call, likewise every page that one leads to, and every refusal before
it acts on it, as nothing else keeps those. `now` in expressions is the time of the newest finished call, not of
the clock. The clock only says whether the next look is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sysop.actions import Action
from sysop.agent.books import Books
from sysop.agent.cited import as_plan
from sysop.agent.collect import Collect, Memory, Reply, named
from sysop.agent.question import Unanswered, asks, in_words, nobody, only_told
from sysop.agent.quoted import Found, Pages, about_state
from sysop.agent.view import incident_view, page_urls, words_of
from sysop.agent.walk import Walk
from sysop.errors import RunbookError
from sysop.extension import Earlier, Toolbox
from sysop.inventory import Inventory
from sysop.knowledge.citation import MAX_AGE_DAYS, Citation, day_of, of_hit
from sysop.knowledge.index import Index, Match
from sysop.knowledge.retrieval.view import Filters
from sysop.knowledge.runbook import Runbook
from sysop.knowledge.shape import of_action
from sysop.model import Conclusion, Run

MAX_VISITS: Final = 2
"""How often one run follows a page: a second time where a second cause is left after the first was mended."""


class RunbookPlanner:
    """Follows the runbook that fits the incident or the question; without one, collects facts and hands over.

    A follow-up in a conversation is answered and not acted on where acting could mean to do again what an earlier run
    has done: in a run that may look only, about an incident some run has worked on, and where its words lead to a
    runbook that was followed here before. To have it done again, people start the triage again or name the action.
    So is what somebody wrote where a runbook that changes something would be begun by a question, by words that fit it
    loosely, or beside a run that works on an incident about the same services.

    What nobody wrote down comes to `unanswered`. A page reviewed more than `max_age_days` ago is marked as stale.
    """

    def __init__(
        self,
        index: Index,
        actions: Mapping[str, Action],
        inventory: Inventory,
        max_age_days: int = MAX_AGE_DAYS,
        unanswered: Unanswered = nobody,
    ) -> None:
        self._index = index
        self._books = Books(index, inventory, max_age_days)
        self._unanswered = unanswered
        self._shapes = {name: of_action(action) for name, action in actions.items()}
        self._inventory = inventory

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Work until there is a conclusion. Parked passes through untouched."""
        seen = incident_view(incident)
        plan = dict(run.plan)
        earlier = await toolbox.earlier() if run.conversation else ()
        today = day_of(await toolbox.now())
        if "digest" not in plan:
            try:
                plan = await self._choose(run, seen, earlier, toolbox, today)
            except RunbookError as unknown:
                return _hand_over(f"The runbook that was asked for cannot be followed: {unknown}")
            for one in await toolbox.recalled():
                await toolbox.say(one.said_as, one.text)
            await toolbox.remember(plan)
        memory = Memory(toolbox, plan)
        if plan.get("reply"):
            before = [one for one in earlier if not one.reply]
            return await (await self._reply(run, seen, memory, before, today)).conclude()
        if plan["runbook"] is None:
            pages = await self._pages(run.text, today) if in_words(run) else None
            if pages is not None and plan.get("open"):
                await self._collect_question(run, memory, pages)
            return await Collect(run, seen, self._about(run, seen), memory, plan["why"], pages).conclude()
        runbook = self._index.runbooks.get(plan["runbook"])
        if runbook is None or runbook.digest != plan["digest"]:
            return _changed(plan, runbook)
        cited = self._cite(runbook, today)
        await toolbox.say("runbook", f"Following {cited}, {runbook.title}: {plan['why']}.")
        end = await self._follow(Walk(run, seen, memory, runbook, self._shapes, review=cited.review), today)
        return end if end.resolved or not in_words(run) else await self._with_words(end, run.text, runbook, today)

    async def _with_words(self, end: Conclusion, asked: str, runbook: Runbook, today: date) -> Conclusion:
        """Return the end of a question that was not resolved with what the page that was followed says to people."""
        found = [one for one in (await self._pages(asked, today)).found if one.hit.page.path == runbook.path]
        says = Pages(asked, found)
        return replace(end, summary="\n".join([end.summary, *says.lines()])) if says.lead else end

    async def _follow(self, walk: Walk, today: date) -> Conclusion:
        """Follow a page and those it leads to, within `MAX_VISITS` of each."""
        plan, been = walk.memory.plan, [walk.runbook.path]
        while True:
            end = await walk.follow(lambda name: self._lead(name, been))
            if isinstance(end, Conclusion):
                return end
            runbook, pages = end.runbook, plan.setdefault("pages", {})
            if pages.setdefault(runbook.path, runbook.digest) != runbook.digest:
                return _changed({"runbook": runbook.path, "digest": pages[runbook.path]}, runbook)
            cited = self._cite(runbook, today)
            _add_cites(plan, [cited])
            await walk.memory.toolbox.remember(plan)
            been.append(runbook.path)
            text = f"Going on with {cited}, {runbook.title}: {end.why}"
            await walk.memory.toolbox.say(f"runbook.{len(been)}", text)
            walk = walk.onward(runbook, end.why, f"page_{len(been)}.", cited.review)

    def _lead(self, name: str, been: Sequence[str]) -> Runbook | None:
        """Return the page of a name; None where there is none to follow, or the run has been there often enough."""
        try:
            found = self._index.get(name)
        except RunbookError:
            return None
        return found if found.steps and been.count(found.path) < MAX_VISITS else None

    async def _choose(
        self, run: Run, seen: Mapping[str, Any], earlier: Sequence[Earlier], toolbox: Toolbox, today: date
    ) -> dict[str, Any]:
        """Return the plan: which runbook at which digest, and why; or that the run is a reply."""
        match = self._match(run, seen)
        if run.text and not run.request.get("runbook") and _only_asks(run, seen, match, earlier):
            return {"runbook": None, "digest": None, "why": "it is a follow-up", "reply": True}
        if in_words(run):
            about = self._about(run, seen)
            if why := only_told(run, match, await toolbox.standing(), about, toolbox.tools):
                note = {} if asks(run.text) else {"note": why}
                return {"runbook": None, "digest": None, "why": why, "reply": True, **note}
        if match is None:
            for_people = await self._for_people(seen, today)
            why = f"no runbook fits; a page for people fits: {for_people}" if for_people else "no runbook fits"
            return {"runbook": None, "digest": None, "why": why, "open": True, **_cites(for_people)}
        if not match.runbook.steps and in_words(run) and asks(run.text):
            return {"runbook": None, "digest": None, "why": "a page for people answers", "reply": True}
        cited = self._cite(match.runbook, today)
        if not match.runbook.steps:
            why = f"a page for people fits: {cited}; it has no steps that could be followed"
            return {"runbook": None, "digest": None, "why": why, **_cites(cited)}
        return {"runbook": match.runbook.path, "digest": match.runbook.digest, "why": match.why, **_cites(cited)}

    async def _for_people(self, seen: Mapping[str, Any], today: date) -> Citation | None:
        """Return the section that by its words leads for what the alerts say. People read it; nothing is done by it."""
        if not seen["alerts"]:
            return None
        services = tuple(seen["services"])
        environments = tuple(sorted({self._inventory.environment_of(service) for service in services}))
        wanted = Filters(services=services, environments=environments)
        hits = await asyncio.to_thread(self._index.search, words_of(seen), 1, "alert", wanted)
        return next((of_hit(hit, today, self._books.max_age_days) for hit in hits if hit.leads), None)

    async def _pages(self, text: str, today: date) -> Pages:
        hits = await asyncio.to_thread(self._index.search, text)
        return Pages(text, [Found(hit, of_hit(hit, today, self._books.max_age_days)) for hit in hits])

    def _cite(self, runbook: Runbook, today: date) -> Citation:
        return self._books.cite(runbook, today)

    async def _collect_question(self, run: Run, memory: Memory, pages: Pages) -> None:
        """Put what no page answers on the list of whoever owns the pages, once a run."""
        if pages.lead or memory.plan.get("unanswered") or about_state(run.text, self._inventory.services):
            return
        memory.plan["unanswered"] = await self._unanswered(run.text, run.place, pages.nearest)
        await memory.toolbox.remember(memory.plan)

    def _match(self, run: Run, seen: Mapping[str, Any]) -> Match | None:
        if asked := run.request.get("runbook"):
            return Match(self._index.get(str(asked)), "it was asked for")
        services = seen["services"]
        environments = sorted({self._inventory.environment_of(s) for s in services})
        found = self._index.find([a["name"] for a in seen["alerts"]], services, environments, page_urls(seen))
        words = run.text or seen["title"]
        return found or (self._index.suggest(words, in_words(run)) if words and not seen["alerts"] else None)

    def _about(self, run: Run, seen: Mapping[str, Any]) -> Sequence[str]:
        """Return the services a question is about: those it names, else those of the incident."""
        return named(run.text, self._inventory.services) or seen["services"]

    async def _reply(
        self, run: Run, seen: Mapping[str, Any], memory: Memory, earlier: Sequence[Earlier], today: date
    ) -> Reply:
        pages, match = await self._pages(run.text, today), self._match(run, seen)
        fits = self._cite(match.runbook, today) if match and match.leads else None
        note, about = str(memory.plan.get("note") or ""), self._about(run, seen)
        searched = not earlier and fits is None and not about_state(run.text, self._inventory.services)
        if searched and in_words(run):
            await self._collect_question(run, memory, pages)
        if "cites" not in memory.plan and (cites := [*pages.cites] or [one for one in [fits] if one]):
            _add_cites(memory.plan, cites)
            await memory.toolbox.remember(memory.plan)
        return Reply(about, memory, earlier, pages, str(fits) if fits else None, seen["id"], note, searched)


def _cites(citation: Citation | None) -> dict[str, Any]:
    return {"cites": as_plan([citation])} if citation else {}


def _add_cites(plan: dict[str, Any], cites: Sequence[Citation]) -> None:
    """Keep in the plan what an answer rests on, each once."""
    known = {(one["citation"], one["digest"]) for one in plan.get("cites", ())}
    new = [one for one in as_plan(cites) if (one["citation"], one["digest"]) not in known]
    plan["cites"] = [*plan.get("cites", ()), *new]


def _only_asks(run: Run, seen: Mapping[str, Any], match: Match | None, earlier: Sequence[Earlier]) -> bool:
    if run.read_only:
        return True
    followed = {one.runbook for one in earlier}
    return bool(earlier and seen["id"]) or (match is not None and match.runbook.path in followed)


def _changed(plan: Mapping[str, Any], runbook: Runbook | None) -> Conclusion:
    what = "is gone" if runbook is None else f"has changed (now {runbook.digest[:12]})"
    return _hand_over(
        f"{plan['runbook']} {what} since this run began to follow it at {str(plan['digest'])[:12]}. "
        "What was done so far is in the ledger; nothing more was done.",
        basis="the digest in the run's plan",
    )


def _hand_over(text: str, basis: str = "nothing was measured") -> Conclusion:
    return Conclusion(summary=text, resolved=False, basis=basis, escalate=text)
