"""What each message shows right now, read from the database. Rendered when it is sent, so the newest word wins."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from sysop.errors import InvalidRequest
from sysop.model import Approval, ApprovalState, Incident, Run
from sysop.store import approvals, conversations, effects, held, incidents, mode, runs
from sysop.store.members import Member
from sysop.surfaces.slack import keys, reads, seconds
from sysop.surfaces.slack.blocks import approval as approval_card
from sysop.surfaces.slack.blocks import home as home_view
from sysop.surfaces.slack.blocks import incident as incident_card
from sysop.surfaces.slack.blocks import root as root_message
from sysop.surfaces.slack.blocks.bound import Card
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Block, Shown
from sysop.surfaces.slack.look import Look, names
from sysop.surfaces.slack.stretches import stretch
from sysop.surfaces.slack.timelines import incident_view

Document = Shown | PlanDocument
DAY_MS = 24 * 3_600_000


def document(conn: Connection, key: str, now: int, look: Look) -> Document | None:
    """Return what a message shows now; None where there is nothing to show. A Home has a function of its own."""
    try:
        wanted = keys.parse(key)
        match wanted.kind:
            case "root":
                return _root(conn, wanted.id, look)
            case "incident":
                return _incident(conn, incidents.load(conn, wanted.id), look)
            case "approval":
                return _approval(conn, approvals.load(conn, wanted.id), now, look, second=wanted.stretch > 1)
            case "plan":
                return stretch(conn, runs.load(conn, wanted.id), wanted.stretch, look)
            case _:
                return None
    except InvalidRequest:
        return None


def _root(conn: Connection, id: str, look: Look) -> Shown:
    talk = conversations.load(conn, id)
    said = conversations.turns(conn, id)
    text = said[0].text if said else ""
    about = (talk.owner, talk.title, text, talk.run)
    return root_message.root(*about, names(conn, talk.team), look.links, asks=seconds.holds(id))


def _incident(conn: Connection, incident: Incident, look: Look) -> Shown:
    talk = conversations.of_incident(conn, incident.id)
    view = incident_view(conn, incident, look)
    return incident_card.card(view, names(conn, talk.team if talk else ""), look.links)


def incident_summary(conn: Connection, incident: str, look: Look) -> Shown:
    """Return the last message of an incident's thread."""
    talk = conversations.of_incident(conn, incident)
    view = incident_view(conn, incidents.load(conn, incident), look)
    return incident_card.summary(view, names(conn, talk.team if talk else ""), look.links)


def approval_of(conn: Connection, approval: Approval, look: Look) -> Card:
    """Return an approval with all that its card says."""
    fact = reads.closed(conn, approval)
    effect = effects.find(conn, approval.run, approval.call)
    ran = effect is not None and effect.approval == approval.id
    switch = mode.read(conn)
    return Card(
        approval,
        approvers=tuple(who for who in look.holding(approval.roles) if who not in approval.requesters),
        rule=reads.rule(conn, approval),
        evidence=_evidence(conn, runs.load(conn, approval.run), look),
        closed=(fact.actor, fact.at) if fact else None,
        outcome=effect.outcome() if effect is not None and ran else None,
        paused=switch if switch.paused else None,
    )


def _approval(conn: Connection, approval: Approval, now: int, look: Look, *, second: bool) -> Shown:
    """Return the card. One whose time is over counts no vote any more, whether or not its row says so yet."""
    there = seconds.thread(approval.run)
    talk = conversations.load(conn, there) if second else conversations.of_run(conn, approval.run)
    card = approval_of(conn, approval, look)
    if approval.state is ApprovalState.PENDING and now >= approval.approve_by:
        over = replace(approval, state=ApprovalState.EXPIRED, closed_reason="nobody answered in time")
        card = replace(card, approval=over, closed=("service:gate", approval.approve_by))
    return approval_card.card(card, names(conn, talk.team if talk else ""), look.links)


def _evidence(conn: Connection, run: Run, look: Look) -> tuple[tuple[str, str], ...]:
    """Return (text, address) of the pages that an approver may want to look at, those on the allow-list."""
    found: list[tuple[str, str]] = []
    if run.plan.get("runbook"):
        cited = look.cited(str(run.plan["runbook"]))
        found.append((cited.title or cited.citation, cited.url or ""))
    if run.incident is not None:
        found += [(alert.name, alert.url) for alert in incidents.load(conn, run.incident).alerts]
    allowed = [(text, url) for text, url in found if look.links.allows(url)]
    return tuple({url: (text, url) for text, url in allowed}.values())[:5]


def home(conn: Connection, member: Member, now: int, look: Look) -> Block:
    """Return the Home of a member: what this person may decide comes first."""
    team = member.id.removeprefix("slack:").partition(".")[0]
    waiting = approvals.listed(conn, pending_only=True, limit=200)
    mine = [one for one in waiting if _may_decide(one, member, look) and one.approve_by > now]
    desk = home_view.Desk(
        now,
        mode.read(conn),
        mine,
        len(waiting) - len(mine),
        *incidents.briefs(conn, home_view.MOST_INCIDENTS),
        look.plugins,
        held.counts(conn, now - DAY_MS),
    )
    return home_view.view(desk, names(conn, team), look.links)


def _may_decide(approval: Approval, member: Member, look: Look) -> bool:
    """Tell whether a member may answer: a person with the role who has not asked for it and has not answered yet."""
    ids = {member.id, member.actor}
    done = ids & {vote.approver for vote in approval.votes}
    asks = ids & set(approval.requesters)
    return member.human and not asks and not done and member.actor in look.holding(approval.roles)
