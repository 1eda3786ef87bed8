# ruff: noqa: E501  one mistake a line reads best
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from sysop.actions import Context, Reconciled, ServiceName, Verification, Verify, action
from sysop.inventory import Inventory, Service
from sysop.knowledge.index import Index
from sysop.knowledge.lint import errors, lint, lint_text
from sysop.knowledge.runbook import parse
from sysop.model import Risk

TODAY = date(2026, 11, 23)


class Sample(BaseModel):
    labels: dict[str, str]
    value: float | None


class Samples(BaseModel):
    series: list[Sample]
    value: float
    count: int


@dataclass
class Rollback:
    service: str
    to: str


@action(risk=Risk.READ)
async def query(ctx: Context, query: str, minutes: Annotated[int, Field(ge=1)] = 5, exact: bool = False) -> Samples:
    """Ask."""
    raise NotImplementedError


async def check(ctx: Context, args: object, result: object) -> Verification:
    raise NotImplementedError


async def find(ctx: Context, args: object) -> Reconciled:
    raise NotImplementedError


@action(risk=Risk.CHANGE, target="service:{service}", verify=Verify(check, within=timedelta(minutes=1)), reconcile=find)
async def rollback(ctx: Context, service: ServiceName, to: str | None = None) -> Rollback:
    """Roll back."""
    raise NotImplementedError


@action(risk=Risk.CHANGE, reconcile=find)
async def restart(ctx: Context, services: list[ServiceName]) -> Rollback:
    """Restart."""
    raise NotImplementedError


ACTIONS = {a.name: a for a in (query.owned("metrics", "1"), rollback.owned("cicd", "1"), restart.owned("cicd", "1"))}
INVENTORY = Inventory({n: Service(n) for n in ("gateway", "checkout", "payments")})

GOOD = """---
title: Errors
alerts: [ErrorsHigh]
services: [checkout]
environments: [production]
owner: platform
reviewed: 2026-11-01
autonomy: ask
---
```step
id: look
action: metrics.query
with:
  query: errors
  minutes: 10
until: ${steps.look.result.series.exists(s, s.value != null && s.value > 0.1)}
within: 30s
otherwise: fix
```
```step
id: fix
action: cicd.rollback
when: ${steps.look.ok && incident.services.size() > 0 && alert.firing}
with:
  service: ${argmax(steps.look.result.series, "value").labels.service}
  to: "1.10"
found: ${"went back to " + steps.fix.result.to}
```
```step
id: after
action: metrics.query
with: {query: errors}
until: ${steps.after.result.value < 0.1}
within: 1m
```
```conclude
when: ${steps.after.ok}
resolved: true
summary: ${"fixed " + steps.fix.args.service}
confidence: high
claims:
- {text: it helped, evidence: [after]}
```
```conclude
resolved: false
summary: not fixed
```
"""


def test_a_good_runbook_has_no_findings():
    assert lint_text(GOOD, "runbooks/x.md", ACTIONS, INVENTORY, today=TODAY) == []


# what is replaced by what -> where, how bad, in which step, and what it says (message; fix)
MISTAKES = {
    "no front matter": ("---\ntitle: Errors", "title: Errors", 1, "error", "", "front matter is missing; begin the file"),
    "unknown front matter": ("owner: platform", "ownr: platform", 6, "error", "", "'ownr' is not a key of a front matter; did you mean 'owner'?"),
    "no title": ("title: Errors\n", "", 2, "error", "", "title is missing from the front matter; add a line `title: …`"),
    "autonomy auto": ("autonomy: ask", "autonomy: auto", 8, "error", "", "'auto' is not supported; write `autonomy: ask`; without a person"),
    "not a date": ("2026-11-01", "yesterday", 7, "error", "", "'yesterday' is not a date; write it as 2026-11-23"),
    "old review": ("2026-11-01", "2026-01-01", 7, "warning", "", "the last review is 326 days old; read it again"),
    "review to come": ("2026-11-01", "2027-01-01", 7, "error", "", "it is reviewed in the future; correct `reviewed:`"),
    "never reviewed": ("reviewed: 2026-11-01\n", "", 1, "warning", "", "it was never reviewed; add `reviewed: YYYY-MM-DD`"),
    "no owner": ("owner: platform\n", "", 1, "error", "", "nobody owns this runbook; add `owner: team`"),
    "unknown service": ("[checkout]", "[chekout]", 4, "warning", "", "'chekout' is no service in the inventory; use a service of the inventory; did you mean 'checkout'?"),
    "unknown environment": ("[production]", "[prod]", 5, "warning", "", "'prod' is no environment in the inventory"),
    "unknown step key": ("within: 30s", "wihtin: 30s", 17, "error", "look", "'wihtin' is not a key of a step; did you mean 'within'?"),
    "bad id": ("id: look", "id: Look-1", 11, "error", "", "'Look-1' cannot be an id; use a-z, 0-9 and _"),
    "duplicate id": ("id: fix", "id: look", 21, "error", "look", "the step on line 11 has the same id; choose another"),
    "unknown action": ("metrics.query\nwith:\n  query: errors\n  m", "metrics.qery\nwith:\n  query: errors\n  m", 12, "error", "look", "there is no action 'metrics.qery'; use an action of a loaded plugin; did you mean 'metrics.query'?"),
    "unknown argument": ("minutes: 10", "minuts: 10", 15, "error", "look", "metrics.query has no argument 'minuts'; remove it; did you mean 'minutes'?"),
    "missing argument": ("  query: errors\n  minutes", "  minutes", 13, "error", "look", "metrics.query needs the argument 'query'; add `query: …` below `with:`"),
    "wrong type": ("minutes: 10", "minutes: ten", 15, "error", "look", "argument 'minutes': Input should be a valid integer"),
    "out of range": ("minutes: 10", "minutes: 0", 15, "error", "look", "argument 'minutes': Input should be greater than or equal to 1"),
    "closed domain": ('service: ${argmax(steps.look.result.series, "value").labels.service}', "service: paymnts", 25, "error", "fix", "'paymnts' is no service in the inventory; use a service of the inventory; did you mean 'payments'?"),
    "does not compile": ("${steps.after.ok}", "${steps.after.ok &&}", 37, "error", "", "`steps.after.ok &&` is not valid CEL"),
    "unknown variable": ("&& alert.firing", "&& alrt.firing", 23, "error", "fix", "there is no variable 'alrt' in `steps.look.ok"),
    "unknown function": ("incident.services.size()", "incident.services.length()", 23, "error", "fix", "there is no function 'length' in"),
    "unknown step": ("when: ${steps.after.ok}", "when: ${steps.aftr.ok}", 37, "error", "", "there is no step 'aftr' in `steps.aftr.ok`; use the id of an earlier step; did you mean 'after'?"),
    "later step": ("when: ${steps.look.ok", "when: ${steps.after.ok", 23, "error", "fix", "steps.after is not finished yet in"),
    "itself in when": ("when: ${steps.look.ok", "when: ${steps.fix.ok", 23, "error", "fix", "steps.fix is not finished yet in"),
    "unknown result field": ("steps.after.result.value", "steps.after.result.valeu", 33, "error", "after", "steps.after.result has no field 'valeu' in `steps.after.result.valeu < 0.1`; use a declared one; did you mean 'value'?"),
    "unknown field in a macro": ("s.value > 0.1", "s.worth > 0.1", 16, "error", "look", "s has no field 'worth' in"),
    "unknown field for argmax": ('series, "value")', 'series, "size")', 25, "error", "fix", "an entry has no field 'size' in"),
    "unknown field of a step": ("steps.look.ok", "steps.look.okay", 23, "error", "fix", "steps.look has no field 'okay' in"),
    "unknown argument of a step": ("steps.fix.args.service", "steps.fix.args.name", 39, "error", "", "steps.fix.args has no field 'name' in"),
    "unknown field of the alert": ("alert.firing", "alert.frring", 23, "error", "fix", "alert has no field 'frring' in"),
    "field of a list": ("steps.after.result.value <", "steps.after.result.series.value <", 33, "error", "after", "steps.after.result.series is a list, it has no field 'value'"),
    "field of a number": ("steps.after.result.value <", "steps.after.result.count.value <", 33, "error", "after", "steps.after.result.count is an int, it has no field 'value'"),
    "int and double": ("steps.after.result.value < 0.1", "steps.after.result.count * 0.5 < 0.1", 33, "error", "after", "`*` mixes int and double, which CEL refuses in"),
    "text and number": ('"went back to " + steps.fix.result.to', '"went back to " + now', 27, "error", "fix", "`+` joins text and a number, which CEL refuses in"),
    "condition that is none": ("until: ${steps.after.result.value < 0.1}", "until: ${steps.after.result.value}", 33, "error", "after", "it gives a number, not true or false in"),
    "text in a condition": ("until: ${steps.after.result.value < 0.1}", "until: soon", 33, "error", "after", "until must be an expression; write it as `${…}`"),
    "template": ("query: errors\n  minutes", "query: errors{service=${alert.service}}\n  minutes", 14, "error", "look", "with.query mixes text and `${…}`; write all of it as one expression"),
    "back jump": ("within: 1m", "within: 1m\notherwise: look", 35, "error", "after", "otherwise: 'look' is not a later step"),
    "unknown jump": ("otherwise: fix", "otherwise: fxi", 18, "error", "look", "otherwise: 'fxi' is no step; did you mean 'fix'?"),
    "until without within": ("within: 1m\n", "", 33, "error", "after", "until needs a limit; add `within: 2m`; `within: 0s` checks once"),
    "within without until": ("until: ${steps.after.result.value < 0.1}\n", "", 33, "error", "after", "within means nothing without until; add `until: ${…}` or remove it"),
    "not a duration": ("within: 1m", "within: soon", 34, "error", "after", "'soon' is not a duration; write a number and s, m or h, such as 90s"),
    "too many looks": ("within: 1m", "within: 24h\nevery: 1s", 34, "error", "after", "that is over 24h or 1000 checks; shorten within or lengthen every"),
    "until on a change": ('  to: "1.10"\n', '  to: "1.10"\nuntil: ${steps.fix.ok}\nwithin: 1m\n', 27, "error", "fix", "until would repeat cicd.rollback, which changes things; put the condition on a read step"),
    "change without a check": ("until: ${steps.after.result.value < 0.1}\nwithin: 1m\n", "", 21, "warning", "fix", "nothing checks afterwards that cicd.rollback helped; add a later read step"),
    "change without any check": ("action: cicd.rollback", "action: cicd.restart", 25, "error", "fix", "cicd.restart has no argument 'service'"),
    "always false": ("when: ${steps.look.ok && incident.services.size() > 0 && alert.firing}", "when: ${1 > 2}", 23, "error", "fix", "it is never reached: when is always false; remove the step"),
    "behind what never holds": ("until: ${steps.look.result.series.exists(s, s.value != null && s.value > 0.1)}\nwithin: 30s\notherwise: fix", "until: ${false}\nwithin: 30s\notherwise: after", 21, "error", "fix", "it is never reached; correct `until` of look, which never holds, or remove the step"),
    "no ending": (GOOD[GOOD.index("```conclude") :], "", 30, "error", "", "it does not say how it ends; add a conclude block after the last step"),
    "ending behind an ending": ("when: ${steps.after.ok}\n", "", 37, "error", "", "the endings after this one are never reached; give it a `when: ${…}`, or move it to the end"),
    "no summary": ("summary: not fixed\n", "", 45, "error", "", "summary is missing from the conclude; add a line `summary: …`"),
    "maybe resolved": ("resolved: true", "resolved: maybe", 38, "error", "", "resolved must say how it ended; write true, false or `${…}`"),
    "no such confidence": ("confidence: high", "confidence: sure", 40, "error", "", "'sure' is not a confidence; write low, medium or high"),
    "no evidence": ("evidence: [after]", "evidence: []", 42, "error", "", "a claim needs evidence; name the ids of the steps that show it"),
    "unknown evidence": ("evidence: [after]", "evidence: [aftr]", 42, "error", "", "the evidence 'aftr' is no step; name a step of this page; did you mean 'after'?"),
    "summary that is no text": ('${"fixed " + steps.fix.args.service}', "${steps.after.ok}", 39, "error", "", "it gives true or false, not text in `steps.after.ok`; use show()"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "level", "step", "text"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_told_with_its_place_and_fix(old, new, line, level, step, text):
    assert old in GOOD
    findings = lint_text(GOOD.replace(old, new, 1), "runbooks/x.md", ACTIONS, INVENTORY, today=TODAY)
    told = [(f.line, f.level, f.step, f"{f.message}; {f.fix}") for f in findings]
    assert any((line, level, step) == t[:3] and text in t[3] for t in told), told
    assert all(f.fix and f.message for f in findings)


def test_an_action_without_a_post_check_must_be_checked_by_a_later_step():
    changed = GOOD.replace("action: cicd.rollback", "action: cicd.restart").replace(
        "until: ${steps.after.result.value < 0.1}\nwithin: 1m\n", ""
    )
    found = lint_text(changed, "r/x.md", ACTIONS, INVENTORY, today=TODAY)
    assert ("error", "nothing checks afterwards that cicd.restart helped") in [(f.level, f.message) for f in found]


def test_members_of_a_list_are_held_against_the_inventory_too():
    changed = GOOD.replace("cicd.rollback", "cicd.restart").replace(
        '  service: ${argmax(steps.look.result.series, "value").labels.service}\n  to: "1.10"',
        "  services: [checkout, chekout]",
    )
    found = lint_text(changed, "r/x.md", ACTIONS, INVENTORY, today=TODAY)
    assert "'chekout' is no service in the inventory" in [f.message for f in found]


def test_what_has_no_declared_model_is_never_judged():
    assert not [f for f in lint(parse(GOOD, "r/x.md"), {}, Inventory(), today=TODAY) if "action" not in f.message]


def test_runbooks_with_errors_can_be_kept_out_of_the_index(tmp_path):
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "good.md").write_text(GOOD)
    (folder / "old.md").write_text(GOOD.replace("2026-11-01", "2025-01-01"))
    (folder / "bad.md").write_text(GOOD.replace("metrics.query", "metrics.qery"))

    def check(runbook) -> Iterable[str]:
        return errors(lint(runbook, ACTIONS, INVENTORY, today=TODAY))

    index = Index.load([folder], check)
    assert sorted(index.runbooks) == ["runbooks/good.md", "runbooks/old.md"]
    assert "did you mean 'metrics.query'?" in index.broken[0].reason
