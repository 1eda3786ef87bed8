"""The planner without a model: finds the runbook, follows its steps, decides by its conditions.

`plan` is called from the start after every park or crash and must come to the same calls. So it decides
by what the ledger holds, by the incident as the run saw it first, and by what it stored in the plan: the
runbook with its digest before the first call, likewise every page that one leads to, and every refusal before
it acts on it, as nothing else keeps those. `now` in expressions is the time of the newest finished call, not of
the clock. The clock only says whether the next look is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.actions import Action
from sysop.agent.collect import Collect, Memory, Reply, named
from sysop.agent.question import asks, in_words, only_told
from sysop.agent.view import incident_view
from sysop.agent.walk import Walk
from sysop.errors import RunbookError
from sysop.extension import Earlier, Toolbox
from sysop.inventory import Inventory
from sysop.knowledge.index import Index, Match
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
    """

    def __init__(self, index: Index, actions: Mapping[str, Action], inventory: Inventory) -> None:
        self._index = index
        self._shapes = {name: of_action(action) for name, action in actions.items()}
        self._inventory = inventory

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Work until there is a conclusion. Parked passes through untouched."""
        seen = incident_view(incident)
        plan = dict(run.plan)
        earlier = await toolbox.earlier() if run.conversation else ()
        if "digest" not in plan:
            try:
                plan = await self._choose(run, seen, earlier, toolbox)
            except RunbookError as unknown:
                return _hand_over(f"The runbook that was asked for cannot be followed: {unknown}")
            for one in await toolbox.recalled():
                await toolbox.say(one.said_as, one.text)
            await toolbox.remember(plan)
        memory = Memory(toolbox, plan)
        if plan.get("reply"):
            return await self._reply(run, seen, memory, [one for one in earlier if not one.reply]).conclude()
        if plan["runbook"] is None:
            return await Collect(run, seen, self._about(run, seen), memory, plan["why"]).conclude()
        runbook = self._index.runbooks.get(plan["runbook"])
        if runbook is None or runbook.digest != plan["digest"]:
            return _changed(plan, runbook)
        await toolbox.say("runbook", f"Following {runbook.path} ({runbook.title}): {plan['why']}.")
        return await self._follow(Walk(run, seen, memory, runbook, self._shapes))

    async def _follow(self, walk: Walk) -> Conclusion:
        """Follow a page and those it leads to, within `MAX_VISITS` of each."""
        plan, been = walk.memory.plan, [walk.runbook.path]
        while True:
            end = await walk.follow(lambda name: self._lead(name, been))
            if isinstance(end, Conclusion):
                return end
            runbook, pages = end.runbook, plan.setdefault("pages", {})
            if pages.setdefault(runbook.path, runbook.digest) != runbook.digest:
                return _changed({"runbook": runbook.path, "digest": pages[runbook.path]}, runbook)
            await walk.memory.toolbox.remember(plan)
            been.append(runbook.path)
            text = f"Going on with {runbook.path} ({runbook.title}): {end.why}"
            await walk.memory.toolbox.say(f"runbook.{len(been)}", text)
            walk = walk.onward(runbook, end.why, f"page_{len(been)}.")

    def _lead(self, name: str, been: Sequence[str]) -> Runbook | None:
        """Return the page of a name; None where there is none to follow, or the run has been there often enough."""
        try:
            found = self._index.get(name)
        except RunbookError:
            return None
        return found if found.steps and been.count(found.path) < MAX_VISITS else None

    async def _choose(
        self, run: Run, seen: Mapping[str, Any], earlier: Sequence[Earlier], toolbox: Toolbox
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
            return {"runbook": None, "digest": None, "why": "no runbook fits"}
        if not match.runbook.steps:
            why = f"{match.runbook.path} fits, but it has no steps that could be followed"
            return {"runbook": None, "digest": None, "why": why}
        return {"runbook": match.runbook.path, "digest": match.runbook.digest, "why": match.why}

    def _match(self, run: Run, seen: Mapping[str, Any]) -> Match | None:
        if asked := run.request.get("runbook"):
            return Match(self._index.get(str(asked)), "it was asked for")
        services = seen["services"]
        environments = sorted({self._inventory.environment_of(s) for s in services})
        found = self._index.find([a["name"] for a in seen["alerts"]], services, environments)
        words = run.text or seen["title"]
        return found or (self._index.suggest(words, in_words(run)) if words and not seen["alerts"] else None)

    def _about(self, run: Run, seen: Mapping[str, Any]) -> Sequence[str]:
        """Return the services a question is about: those it names, else those of the incident."""
        return named(run.text, self._inventory.services) or seen["services"]

    def _reply(self, run: Run, seen: Mapping[str, Any], memory: Memory, earlier: Sequence[Earlier]) -> Reply:
        page = next((hit for hit in self._index.search(run.text, 1) if hit.leads), None)
        match = self._match(run, seen)
        fits = match.runbook.path if match else None
        why = str(memory.plan.get("note") or "")
        return Reply(self._about(run, seen), memory, earlier, page, fits, seen["id"], why)


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
