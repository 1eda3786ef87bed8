"""`sysop policy`: who decides about what, and what another policy would change."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click
from rich.text import Text

from sysop import app as composition
from sysop import settings as settings_file
from sysop.cli import Group, freezes, replay, show
from sysop.cli.ask import merged
from sysop.cli.common import (
    EXIT_NOT_RESOLVED,
    EXIT_WAITING,
    command,
    emit,
    json_option,
    load_settings,
    me_of,
    opened,
    out,
)
from sysop.cli.judge import Judge, conditions, sentence, why_not
from sysop.gate.bind import Bound, bind
from sysop.gate.policy import Policy
from sysop.gate.question import Question
from sysop.model import Actor, Call, Decision, Origin, Verdict

_EXIT = {Verdict.ALLOW: 0, Verdict.APPROVE: EXIT_WAITING, Verdict.FORBID: EXIT_NOT_RESOLVED}
_STYLE = {Verdict.ALLOW: "green", Verdict.APPROVE: "yellow", Verdict.FORBID: "bold red"}


@click.group(cls=Group)
def policy() -> None:
    """Explain or replay policy decisions."""


@policy.command("show")
@json_option
@command
async def show_policy(as_json: bool) -> None:
    """Show every rule in force, in order, and every freeze, now and next.

    Forbid wins, else the first rule that matches, else it is denied; a freeze only makes that stricter.
    """
    found = Policy(load_settings().policy)
    now = time.time_ns() // 1_000_000
    if as_json:
        rules = [rule.model_dump(mode="json", by_alias=True) for rule in found.rules]
        emit({"digest": found.digest, "rules": rules, "freezes": [freezes.as_json(one, now) for one in found.freezes]})
        return
    lines = (
        (
            rule.name,
            conditions(rule),
            Text(rule.then, style=_STYLE[rule.then]),
            f"{rule.count} of {' or '.join(rule.roles)}" if rule.then is Verdict.APPROVE else "",
        )
        for rule in found.rules
    )
    out().print(show.table("rule", "applies to", "then", "who", rows=lines))
    out().print("anything else: forbid")
    if found.freezes:
        out().print(freezes.table(found.freezes, now))
    out().print(f"digest {found.digest}")


@policy.command("explain")
@click.argument("action")
@click.argument("arguments", nargs=-1, metavar="[KEY=TEXT | KEY:=JSON]...")
@click.option("--args", "json_args", metavar="JSON", help="Arguments as one JSON object.")
@click.option("--origin", type=click.Choice([o.value for o in Origin]), default="asked", help="What started the run.")
@click.option(
    "--as-role", "roles", multiple=True, metavar="ROLE", help="As if the requester held this role; repeatable."
)
@json_option
@command
async def explain(
    action: str, arguments: tuple[str, ...], json_args: str | None, origin: str, roles: tuple[str, ...], as_json: bool
) -> int:
    """Say who would decide about a call, by which rule, and why no other rule did. Nothing is run or written.

    Exit code 0 for allow, 3 for approve, 1 for forbid.
    """
    call = Call("explain", action, merged(arguments, json_args))
    settings = load_settings()
    host = composition.load_plugins(settings)
    bound = bind(host, settings.services(), "explain", call)
    asker = me_of(settings)
    asker = replace(asker, roles=frozenset(roles)) if roles else asker
    question = _question(bound, asker.roles, Origin(origin))
    judge = Judge.of(settings, host)
    decision = judge.decide(question, call, bound.action, asker)
    _, considered = judge.policy.explain(question)
    rules = [
        {"rule": rule.name, "matched": c.matched, "why": why_not(rule, c, question, decision)}
        for rule, c in zip(judge.policy.rules, considered, strict=True)
    ]
    if as_json:
        emit({**_decision_json(decision, judge, asker), **_question_json(bound, question), "rules": rules})
    else:
        _print(decision, judge.others(decision, asker), bound, question, rules)
    return _EXIT[decision.verdict]


def _question(bound: Bound, roles: frozenset[str], origin: Origin) -> Question:
    now = time.time_ns() // 1_000_000
    return Question(bound.action.name, bound.action.risk, bound.environment, bound.target, roles, origin, now)


def _decision_json(decision: Decision, judge: Judge, asker: Actor) -> dict[str, object]:
    return {
        "verdict": decision.verdict,
        "rule": decision.rule,
        "reason": decision.reason,
        "roles": list(decision.roles),
        "count": decision.count,
        "people": list(judge.others(decision, asker)),
        "policy": judge.policy.digest,
    }


def _question_json(bound: Bound, question: Question) -> dict[str, object]:
    return {
        "action": question.action,
        "risk": question.risk,
        "target": question.target,
        "environment": question.environment,
        "args": bound.args.model_dump(mode="json"),
        "requester_roles": sorted(question.roles),
        "origin": question.origin,
    }


def _print(
    decision: Decision, people: list[str], bound: Bound, question: Question, rules: list[dict[str, object]]
) -> None:
    console = out()
    console.print(
        f"{show.call_line(question.action, bound.canonical)}  on {question.target} in {question.environment},"
        f" risk {question.risk}, {question.origin} by roles {', '.join(sorted(question.roles)) or 'none'}",
        markup=False,
        soft_wrap=True,
    )
    console.print(Text(sentence(decision), style=_STYLE[decision.verdict]))
    console.print(decision.reason, markup=False, soft_wrap=True)
    if decision.verdict is Verdict.APPROVE:
        console.print(f"people who can: {', '.join(people)} (never who asks)", markup=False)
    lines = ((str(r["rule"]), "yes" if r["matched"] else "no", str(r["why"])) for r in rules)
    console.print(show.table("rule", "matches", "why", rows=lines))


@policy.command("replay")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file with the policy to try; default: this one's.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="How many calls, the newest ones."
)
@click.option("--fail-on-looser", is_flag=True, help="Exit code 1 if any call would be asked less than it was.")
@json_option
@command
async def replay_policy(file: Path | None, limit: int, fail_on_looser: bool, as_json: bool) -> int:
    """Show what a policy would have decided about the calls that were made, where it differs from what was decided."""
    other = settings_file.load(file) if file else load_settings()
    async with opened() as app:
        recorded, unclear = await app.store.read(lambda conn: replay.read(conn, limit))
        found = replay.differences(recorded, Judge.of(other, app.host))
    looser = sum(difference.looser for difference in found)
    if as_json:
        differences = [difference.as_json() for difference in found]
        emit({"calls": len(recorded), "looser": looser, "left_out": unclear, "differences": differences})
    else:
        _print_replay(found, len(recorded), looser, unclear)
    return EXIT_NOT_RESOLVED if looser and fail_on_looser else 0


def _print_replay(found: list[replay.Difference], calls: int, looser: int, unclear: int) -> None:
    console = out()
    console.print(f"{calls} calls, {len(found)} decided otherwise, {looser} of them looser")
    if unclear:
        console.print(f"{unclear} calls are left out: neither the log nor the ledger says what they were about")
    if not found:
        return
    lines = (
        (
            show.when(d.recorded.question.now),
            d.recorded.run.id,
            d.recorded.question.action,
            d.recorded.question.target,
            sentence(d.recorded.was),
            sentence(d.now),
            d.now.rule,
            Text("looser", style="bold red") if d.looser else Text("stricter or others", style="green"),
        )
        for d in found
    )
    console.print(
        show.table("at (UTC)", "run", "action", "target", "was", "would be", "by rule", "which is", rows=lines)
    )
