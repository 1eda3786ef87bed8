"""The buttons of an incident's opening card."""

from __future__ import annotations

from typing import Final

from slack_bolt.async_app import AsyncApp
from sqlalchemy import Connection

from sysop.errors import InvalidRequest
from sysop.incidents.report import draft
from sysop.knowledge.memory.notebook import Notebook
from sysop.store import approvals, conversations, incidents, outbox, recalled
from sysop.store.bygone import shown_as
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import incident as card
from sysop.surfaces.slack.blocks import regroup, remembered
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.incoming import Incoming, table, words
from sysop.surfaces.slack.text import one_line

REPORT_COMMENT: Final = (
    "A draft of the post-incident report: facts with where they are written down, the rest is yours."
)

HELPFUL: Final = "Noted, thank you. It counts more when one like it comes."
WRONG: Final = (
    "Noted. It counts less when one like it comes; what was really wrong then, or what really helped, can be said with"
    " `sysop incidents correct {past}`."
)


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to the buttons."""
    app.action(card.ACKNOWLEDGE)(listener(desk, acknowledge, Need.MEMBER))
    app.action(card.TRIAGE)(listener(desk, triage, Need.MEMBER))
    app.action(card.RESOLVE)(listener(desk, resolve, Need.MEMBER))
    app.action(card.REOPEN)(listener(desk, reopen, Need.MEMBER))
    app.action(card.SILENCE)(listener(desk, silence, Need.ROLE))
    app.action(card.MORE)(listener(desk, more, _need))
    app.action(card.ASK_REPORT)(listener(desk, report, Need.MEMBER))
    app.action(remembered.RATE)(listener(desk, rate, Need.MEMBER))


async def _on_card(desk: Desk, it: Incoming, incident: str | None = None) -> str:
    """Return the incident whose card was clicked. Raises InvalidRequest for any other message."""
    id = it.value if incident is None else incident
    ts = words(table(it.body.get("container")).get("message_ts"))
    stored = await desk.store.read(lambda conn: outbox.find_message(conn, it.channel, ts))
    if not id or stored is None or stored.key != keys.incident(id):
        raise InvalidRequest("this is not the card that Sysop posted for this incident; nothing was done")
    return id


async def acknowledge(desk: Desk, asking: Asking) -> None:
    """Note who looks after the incident; its card shows it."""
    await desk.lifecycle.acknowledge(await _on_card(desk, asking.it), asking.actor)


async def triage(desk: Desk, asking: Asking) -> Shown:
    """Start a run that looks into the incident."""
    run = await desk.lifecycle.triage(await _on_card(desk, asking.it), asking.actor)
    return notice(f"On it: run {run}. You are one of those who ask for it: another person has to approve its changes.")


async def resolve(desk: Desk, asking: Asking) -> None:
    """Close the incident; its card shows it."""
    await desk.lifecycle.resolve(await _on_card(desk, asking.it), asking.actor, "closed in Slack")


async def reopen(desk: Desk, asking: Asking) -> None:
    """Open a resolved incident again whose alerts fire still; its card shows it."""
    await desk.lifecycle.reopen(await _on_card(desk, asking.it), asking.actor)


async def silence(desk: Desk, asking: Asking) -> None:
    """Do nothing: the form that silences the incident's services has opened already."""
    await _on_card(desk, asking.it)


async def more(desk: Desk, asking: Asking) -> Shown | None:
    """Write the report, or tell why a form has not opened; else it has already."""
    what, _, id = asking.it.value.partition(":")
    incident = await _on_card(desk, asking.it, id)
    if what == card.REPORT:
        return await _report(desk, asking, incident)
    await desk.store.read(lambda conn: check_may_open(conn, what, incident))
    return None


def check_may_open(conn: Connection, what: str, id: str) -> None:
    """Raise InvalidRequest that says why a form has not opened: an old card may offer what is no more."""
    incident = incidents.load(conn, id)
    if closed := regroup.over(incident):
        raise InvalidRequest(f"{closed}; nothing was done")
    if what == card.SPLIT and not regroup.parted(incident):
        raise InvalidRequest(f"{id} has not more than one alert; there is nothing to split off")
    if what == card.MERGE and all(one.id == id for one in incidents.open_heads(conn)):
        raise InvalidRequest("there is no other open incident that it could be part of")


async def rate(desk: Desk, asking: Asking) -> Shown:
    """Keep what somebody thinks of the past incident that the card shows; the newest word of each person counts."""
    found = remembered.rated(asking.it.value)
    if found is None:
        raise InvalidRequest("this button belongs to no past incident that Sysop has shown")
    id, past, verdict = found
    incident = await _on_card(desk, asking.it, id)
    if past not in await desk.store.read(lambda conn: recalled.told(conn, incident)):
        raise InvalidRequest(f"no run has told of {past} here; nothing was written")
    await Notebook(desk.store).rate(incident, shown_as(past), asking.actor, verdict)
    return notice(HELPFUL if verdict == "helpful" else WRONG.format(past=past))


async def report(desk: Desk, asking: Asking) -> Shown | None:
    """Write the report of an incident that is over."""
    return await _report(desk, asking, await _on_card(desk, asking.it))


async def _report(desk: Desk, asking: Asking, incident: str) -> Shown | None:
    """Share the draft of the post-incident report as a file in the incident's thread, once a click.

    It is made before it is written down: a long one must not keep the writer from others.
    """
    made = await desk.store.read(lambda conn: draft(conn, desk.inventory, incident))

    def unit(tx: Tx) -> bool:
        talk = conversations.of_incident(tx.conn, incident)
        if talk is None or not approvals.first_delivery(tx, f"report:{asking.key}"):
            return False
        names = {"filename": made.file, "title": one_line(made.title, 200)}
        outbox.file(tx, talk, {**names, "content": made.text, "comment": REPORT_COMMENT})
        return True

    return notice("The report comes as a file in the incident's thread.") if await desk.store.write(unit) else None


def _need(it: Incoming) -> Need:
    """Return what the menu needs: anybody who can read the thread may have the report."""
    return Need.MEMBER if it.value.startswith(f"{card.REPORT}:") else Need.ROLE
