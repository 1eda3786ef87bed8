"""Opens modals while the trigger lives: three seconds, once. A form that came too late leaves a button to open it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from slack_sdk.errors import SlackApiError, SlackClientError

from sysop.errors import CallError, InvalidRequest, StoreError
from sysop.store import approvals, incidents, mode
from sysop.surfaces.slack import votes, words
from sysop.surfaces.slack.blocks import approval as card
from sysop.surfaces.slack.blocks import approval_views, forms, home, parts, regroup, silences
from sysop.surfaces.slack.blocks import incident as incident_card
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.clients import UNREACHABLE, SlackUnavailable, error_of
from sysop.surfaces.slack.commands import silence
from sysop.surfaces.slack.commands.incident import NEW
from sysop.surfaces.slack.desk import Asking, Desk, Need, lacking
from sysop.surfaces.slack.incoming import Incoming

OPEN: Final = silence.OPEN
_QUIET: Final = "quiet"
_OF_INCIDENT: Final = (_QUIET, incident_card.SPLIT, incident_card.MERGE)
NEW_INCIDENT: Final = "new_incident"
TOO_LATE: Final = frozenset(
    {
        "expired_trigger_id",
        "exchanged_trigger_id",
        "invalid_trigger_id",
        "trigger_expired",
        "trigger_exchanged",
    }
)
_LATE: Final = "The form could not be opened in time."
_BY_COMMAND: Final[Mapping[str, Callable[[str], str]]] = {
    "ask": lambda text: "" if text else "ask",
    "incident": lambda text: "incident" if text.lower() == NEW else "",
    "run": lambda text: f"run:{text}",
    "pause": lambda text: "" if words.plain(text) else "pause",
    "silence": lambda text: f"silence:{text}" if text else "",
    "deny": lambda text: "" if " " in text or not text else f"deny:{text}",
}
_BY_BUTTON: Final[Mapping[str, str]] = {
    home.ASK: "ask",
    home.INCIDENT: "incident",
    home.RUN: "run:",
    home.PAUSE: "pause",
    home.RESUME: "pause",
}

log = logging.getLogger(__name__)


def wanted(it: Incoming) -> str:
    """Return which form a delivery asks for, such as `ask` or `deny:apr-…`; "" for most, which ask for none."""
    if it.kind == "command":
        form = _BY_COMMAND.get(it.name)
        return form(it.text) if form else ""
    if it.kind == "shortcut":
        return "incident" if it.name == NEW_INCIDENT else ""
    if it.name == OPEN:
        return it.value
    if it.name in (card.DENY, card.VIEW):
        return f"{'deny' if it.name == card.DENY else 'view'}:{it.value}"
    if it.name == incident_card.SILENCE:
        return f"{_QUIET}:{it.value}"
    if it.name == incident_card.MORE:
        return it.value if it.value.partition(":")[0] in _OF_INCIDENT else ""
    return _BY_BUTTON.get(it.name, "")


async def open_modal(desk: Desk, it: Incoming) -> None:
    """Open the form a delivery asks for, if it does. What keeps it from opening is told by the listener, later."""
    form = wanted(it)
    if not form:
        return
    try:
        view = await _view(desk, it, form)
        if view is None:
            return
        installed = await desk.clients.at(it.team)
        await installed.write.views_open(trigger_id=it.trigger, view=view)
    except (InvalidRequest, CallError, StoreError, SlackUnavailable) as refused:
        log.info("no form for %s: %s", it.key, refused)
    except SlackApiError as refused:
        await _refused(desk, it, form, error_of(refused))
    except (SlackClientError, *UNREACHABLE) as away:
        log.warning("a form for %s may not have opened (%s)", it.key, type(away).__name__)


async def _refused(desk: Desk, it: Incoming, form: str, error: str) -> None:
    if error not in TOO_LATE:
        log.error("Slack does not open the form %s: %s", form.partition(":")[0], error)
    await desk.answers.say(it, late(form))


def late(form: str) -> Shown:
    """Return a button that opens a form, for when Slack did not take it in time."""
    return shown(
        _LATE, parts.section(_LATE), parts.actions("form:late", [parts.button("Open it", OPEN, form[:1900], "primary")])
    )


def need_of(it: Incoming) -> Need:
    """Return what a form needs: anybody may ask and look at an approval, whose votes count the gate says."""
    kind = wanted(it).partition(":")[0]
    if kind in ("silence", *_OF_INCIDENT):
        return Need.ROLE
    return Need.ACCOUNT if kind in ("ask", "view", "deny") else Need.MEMBER


async def _view(desk: Desk, it: Incoming, form: str) -> Block | None:
    kind, _, rest = form.partition(":")
    account = await desk.directory.account(it.team, it.user)
    if account.external or lacking(await desk.directory.actor(it.team, it.user), need_of(it)):
        return None
    if kind in ("deny", "view"):
        return await _of_approval(desk, it, kind, rest)
    if kind in _OF_INCIDENT:
        return await _of_incident(desk, it, kind, rest)
    if kind in ("run", "silence"):
        return _of_action(desk, it, rest) if kind == "run" else _of_silence(it, rest)
    if kind == "pause":
        paused = (await desk.store.read(mode.read)).paused
        return forms.pause(paused, metadata(it, to="resume" if paused else "pause"))
    if kind == "incident":
        return forms.new_incident(desk.inventory, metadata=metadata(it))
    return forms.ask(metadata=metadata(it)) if kind == "ask" else None


async def _of_approval(desk: Desk, it: Incoming, kind: str, id: str) -> Block | None:
    approval = await desk.store.read(lambda conn: approvals.load(conn, id))
    if kind == "view":
        return approval_views.everything(approval)
    actor = await desk.directory.actor(it.team, it.user)
    return None if votes.objection(approval, Asking(it, actor)) else approval_views.deny(approval)


async def _of_incident(desk: Desk, it: Incoming, kind: str, id: str) -> Block | None:
    incident = await desk.store.read(lambda conn: incidents.load(conn, id))
    memory = metadata(it, incident=id)
    if kind == _QUIET:
        return silences.form(silences.about(incident), memory)
    if kind == incident_card.SPLIT:
        return None if regroup.over(incident) or not regroup.parted(incident) else regroup.split(incident, memory)
    others = await desk.store.read(incidents.open_heads)
    open_ones = [one for one in reversed(others) if one.id != id]
    return None if regroup.over(incident) or not open_ones else regroup.merge(incident, open_ones, memory)


def _of_silence(it: Incoming, text: str) -> Block | None:
    typed = silence.parse(text)
    return None if typed.whole else silences.form(typed.given, metadata(it))


def _of_action(desk: Desk, it: Incoming, text: str) -> Block | None:
    wish = words.wish(desk.host, desk.inventory, text)
    if wish is None:
        return forms.choose(desk.host.actions, metadata(it))
    if not wish.missing:
        return None
    action = desk.host.actions[wish.action]
    return forms.run(action, desk.inventory, wish.args, metadata(it, action=wish.action))


def metadata(it: Incoming, **more: Any) -> str:
    """Return what a modal must remember: where it was asked for."""
    return json.dumps({"channel": it.channel, **more})
