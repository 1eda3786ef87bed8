"""The incident's opening card, which stays true while things change, and the summary at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sysop.model import Incident, IncidentState
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.origins import changed_before, origins
from sysop.surfaces.slack.blocks.regroup import parted
from sysop.surfaces.slack.blocks.remembered import Past, remembered
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, bullets, date, link, rich, said, section, styled
from sysop.surfaces.slack.text import date as date_token
from sysop.surfaces.slack.text import duration, mrkdwn, one_line, times, word

ACKNOWLEDGE: Final = "incident.acknowledge"
TRIAGE: Final = "incident.triage"
RESOLVE: Final = "incident.resolve"
REOPEN: Final = "incident.reopen"
SILENCE: Final = "incident.silence"
MORE: Final = "incident.more"
SPLIT: Final = "split"
MERGE: Final = "merge"
REPORT: Final = "report"
ASK_REPORT: Final = "incident.report"
MOST_ALERTS: Final = 8
MOST_SERVICES: Final = 8
MOST_MOMENTS: Final = 10
_MARKS: Final = {IncidentState.OPEN: "🔴", IncidentState.MITIGATED: "🟡", IncidentState.RESOLVED: "🟢"}
_MEANS: Final = {
    IncidentState.OPEN: "open",
    IncidentState.MITIGATED: "mitigated: no alert fires, waiting whether it stays so",
    IncidentState.RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `actor` is None where nobody in particular did it."""

    at: int
    text: str
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Cited:
    """A runbook: its citation, its title, and an address if people can read it somewhere."""

    citation: str
    title: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The incident that another one is part of; `url` is where its card stands, in the chat itself."""

    id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known at the end: of the cause, of what was done, and by which evidence."""

    cause: str = ""
    done: Sequence[str] = ()
    evidence: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class View:
    """An incident with what its card says beside it.

    `busy` means: a run looks into it right now. `changed` are lines on what was changed shortly before it. `past` is
    the past incident that people were told of first.
    """

    incident: Incident
    owner: str = ""
    runbook: Cited | None = None
    timeline: Sequence[Moment] = ()
    findings: Findings = Findings()
    busy: bool = False
    changes: int = 0
    part_of: Part | None = None
    changed: Sequence[str] = ()
    past: Past | None = None


def card(view: View, names: Names, links: Links) -> Shown:
    """Return the card as it must look now."""
    i = view.incident
    title = f"{_head(view)} · {i.title}"
    ended = i.state is IncidentState.RESOLVED and view.part_of is None
    return shown(
        mrkdwn(one_line(f"{title} · {i.severity}", 400), links),
        parts.header(title),
        parts.fields(_facts(view, names, links)),
        _part_of(view),
        origins(i, links),
        changed_before(view.changed, links),
        rich(section(styled(_alerts_title(i), "bold")), bullets(_alerts(i, links)))
        if i.alerts
        else _by_hand(view, names),
        _runbook(view, links),
        *remembered(i.id, view.past, links),
        rich(section(styled("What happened", "bold")), bullets(_moments(view, names, links)))
        if view.timeline
        else None,
        *(_ending(view, links) if ended else ()),
        parts.context([f"incident `{i.id}`", *([f"run `{i.run}`"] if i.run else [])]),
        parts.actions(f"incident:{i.id}:{view.changes}", buttons(view)),
    )


def _head(view: View) -> str:
    if view.part_of is not None:
        return f"🔗 Part of {view.part_of.id}"
    return f"{_mark(view.incident)} {view.incident.state.capitalize()}"


def _part_of(view: View) -> Block | None:
    it = view.part_of
    if it is None:
        return None
    where = {"type": "link", "url": it.url, "text": it.id} if it.url else styled(it.id, "code")
    return rich(section(styled("All of it goes on at "), where, styled(".")))


def _early(incident: Incident) -> bool:
    """Tell whether an incident was resolved while alerts of it fired that fire still."""
    return incident.state is IncidentState.RESOLVED and incident.firing > 0


def _mark(incident: Incident) -> str:
    return "🟡" if _early(incident) else _MARKS[incident.state]


def _firing(incident: Incident) -> str:
    return f"{times(incident.firing, 'alert')} still firing"


def _facts(view: View, names: Names, links: Links) -> list[tuple[str, str]]:
    i = view.incident
    services = [word(name) or mrkdwn(one_line(name, 40), links) for name in i.services[:MOST_SERVICES]]
    more = f" and {len(i.services) - MOST_SERVICES} more" if len(i.services) > MOST_SERVICES else ""
    seen = names.mrkdwn(i.acknowledged_by) if i.acknowledged_by else "nobody yet"
    return [
        ("State", _state(view)),
        ("Severity", mrkdwn(one_line(i.severity, 60), links)),
        ("Services", (", ".join(services) + more) or "none named"),
        ("Owner", mrkdwn(one_line(view.owner, 120), links) or "nobody named"),
        ("Since", date_token(i.opened_at)),
        ("Acknowledged by", seen),
    ]


def _state(view: View) -> str:
    if view.part_of is not None:
        return f"part of `{view.part_of.id}`"
    return f"resolved by hand; {_firing(view.incident)}" if _early(view.incident) else _MEANS[view.incident.state]


def _alerts_title(incident: Incident) -> str:
    return f"{times(len(incident.alerts), 'alert')}, {incident.firing} firing"


def _alerts(incident: Incident, links: Links) -> list[list[Element]]:
    """Return the alerts with the reasons why they belong here, those that fire still before those that are over."""
    found: list[list[Element]] = []
    pairs = sorted(zip(incident.alerts, incident.reasons, strict=False), key=lambda pair: not pair[0].firing)
    for alert, reason in pairs[:MOST_ALERTS]:
        name = (
            link(one_line(alert.name, 80), alert.url, links)
            if links.allows(alert.url)
            else styled(one_line(alert.name, 80), "bold")
        )
        where = [styled(f" on {one_line(alert.service, 60)}")] if alert.service else []
        state = styled(" fires since " if alert.firing else " is over; it fired at ")
        why = [styled(" ("), *said(one_line(reason, 200), links), styled(")")] if reason.strip() else []
        found.append([name, *where, state, date(alert.starts_at), *why])
    if len(pairs) > MOST_ALERTS:
        found.append([styled(f"… and {times(len(pairs) - MOST_ALERTS, 'alert')} more", "italic")])
    return found


def _by_hand(view: View, names: Names) -> Block | None:
    i = view.incident
    if view.part_of is not None:
        return None
    if i.opened_by is None:
        return rich(section(styled("No alert belongs to it any more.")))
    who = [styled(" by "), names.element(i.opened_by)]
    return rich(section(styled("Opened by hand"), *who, styled("; no alert belongs to it.")))


def _runbook(view: View, links: Links) -> Block | None:
    if view.runbook is None:
        return None
    it = view.runbook
    title = [styled(f" {one_line(it.title, 150)}")] if it.title else []
    return rich(section(styled("Runbook ", "bold"), link(one_line(it.citation, 150), it.url, links), *title))


def _moments(view: View, names: Names, links: Links) -> list[list[Element]]:
    hidden = len(view.timeline) - MOST_MOMENTS
    first = [[styled(f"… {times(hidden, 'earlier entry', 'earlier entries')}", "italic")]] if hidden > 0 else []
    return [*first, *[moment(m, names, links) for m in list(view.timeline)[-MOST_MOMENTS:]]]


def moment(it: Moment, names: Names, links: Links) -> list[Element]:
    """Return one entry of a timeline."""
    who = [names.element(it.actor), styled(" ")] if it.actor else []
    return [date(it.at), styled(" "), *who, *said(one_line(it.text, 240), links)]


def _ending(view: View, links: Links) -> list[Block]:
    """Return how it ended, under a heading."""
    return [rich(section(styled(_took(view.incident), "bold")), *_found(view, links))]


def _took(incident: Incident) -> str:
    took = duration((incident.resolved_at or incident.opened_at) - incident.opened_at)
    return f"Resolved after {took}" + (f", {_firing(incident)}" if _early(incident) else "")


def _found(view: View, links: Links) -> list[Element | None]:
    """Return the findings. They are rich text, as text of models and of other systems is in them."""
    found = view.findings
    cause = [section(styled("Cause: ", "bold"), *said(one_line(found.cause, 500), links))] if found.cause else []
    done = [section(styled("What was done", "bold")), bullets(_lines(found.done, 8, links))] if found.done else []
    nothing = [section(styled("Sysop changed nothing for it."))] if not found.done else []
    proof = [section(styled("Evidence: ", "bold"), *_evidence(found.evidence))] if found.evidence else []
    return [*cause, *done, *nothing, *proof]


def _lines(texts: Sequence[str], most: int, links: Links) -> list[list[Element]]:
    rest = [[styled(f"… and {len(texts) - most} more", "italic")]] if len(texts) > most else []
    return [*[said(one_line(text, 240), links) for text in texts[:most]], *rest]


def _evidence(ids: Sequence[str]) -> list[Element]:
    found: list[Element] = []
    for one in ids[:10]:
        found += [*([styled(", ")] if found else []), styled(one_line(one, 80), "code")]
    return [*found, styled(f" and {len(ids) - 10} more")] if len(ids) > 10 else found


def buttons(view: View) -> list[Block]:
    """Return the buttons that make sense in this state."""
    i = view.incident
    if i.state is IncidentState.RESOLVED:
        return _afterwards(view)
    found = [] if i.acknowledged_by else [parts.button("Acknowledge", ACKNOWLEDGE, i.id, "primary")]
    if not view.busy:
        found.append(parts.button("Run triage", TRIAGE, i.id, None, _TRIAGE))
    confirm = parts.confirm("Resolve this incident?", _ask(view), "Resolve", "danger" if i.firing else "primary")
    found.append(parts.button("Resolve", RESOLVE, i.id, None, confirm))
    return [*found, parts.button("Silence", SILENCE, i.id), parts.menu(MORE, _more(i))]


def _afterwards(view: View) -> list[Block]:
    """Return the buttons of one that is over; of one that is part of another there is nothing left to do."""
    if view.part_of is not None:
        return []
    i = view.incident
    again = [parts.button("Reopen", REOPEN, i.id)] if _early(i) else []
    return [*again, parts.button("Report", ASK_REPORT, i.id)]


def _more(incident: Incident) -> list[tuple[str, str]]:
    """Return what people know better than correlation."""
    apart = [("Not this incident …", f"{SPLIT}:{incident.id}")] if parted(incident) else []
    return [*apart, ("Merge into …", f"{MERGE}:{incident.id}"), ("Report so far", f"{REPORT}:{incident.id}")]


_TRIAGE: Final = parts.confirm(
    "Run the triage?",
    "You will count as one of those who ask for what comes of it: another person has to approve its changes.",
    "Run triage",
)


def _ask(view: View) -> str:
    stops = " What Sysop has under way for it is stopped." if view.busy else ""
    if not view.incident.firing:
        return f"No alert fires.{stops}"
    return (
        f"{_firing(view.incident)}: this takes a person with a role. Only alerts that come anew open another incident;"
        f" this one can be opened again by hand.{stops}"
    )


def summary(view: View, names: Names, links: Links) -> Shown:
    """Return the last message of an incident's thread."""
    i = view.incident
    return shown(
        f"{_mark(i)} {_took(i)}: {mrkdwn(one_line(i.title, 300), links)}",
        parts.header(f"{_mark(i)} {_took(i)}"),
        rich(*_found(view, links)),
        parts.context([f"incident `{i.id}`", *([f"run `{i.run}`"] if i.run else [])]),
    )


def entry(it: Moment, names: Names, links: Links) -> Shown:
    """Return one thing that happened as a message of its own."""
    who = f"{names.mrkdwn(it.actor)} " if it.actor else ""
    return shown(f"{who}{mrkdwn(one_line(it.text, 400), links)}", rich(section(*moment(it, names, links))))
