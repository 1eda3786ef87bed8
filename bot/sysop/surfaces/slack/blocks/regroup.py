"""The forms by which people put right what correlation got wrong: split an incident, make it part of another one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.model import Alert, Incident
from sysop.surfaces.slack.blocks.fields import TEXT, asks_for, modal, several
from sysop.surfaces.slack.blocks.inputs import MOST_OPTIONS, Wrong, option, typed
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.rich import rich, section, styled
from sysop.surfaces.slack.text import one_line

SPLIT: Final = "form.split"
MERGE: Final = "form.merge"
_LEARNS: Final = "Alerts like these are {what} from now on."


def split(incident: Incident, metadata: str) -> Block:
    """Return the modal that asks which alerts belong elsewhere; of very many the first."""
    choices = [option(_named(alert), _mark(alert)) for alert in _distinct(incident)[:MOST_OPTIONS]]
    menu: Block = {"type": "multi_static_select", "options": choices}
    asks = asks_for("alerts", "Which alerts do not belong here?", menu, hint="They become an incident of their own.")
    return modal(SPLIT, "Not this incident", "Split off", [_head(incident, "kept apart"), asks], metadata)


def chosen(incident: Incident, state: Mapping[str, Any]) -> tuple[str, ...] | Wrong:
    """Return the fingerprints of the alerts to split off."""
    marks = set(several(state, "alerts"))
    every = _distinct(incident)
    found = tuple(alert.fingerprint for alert in every if _mark(alert) in marks)
    if not found:
        return Wrong({"alerts": "Choose at least one."})
    if len(found) == len(every):
        return Wrong({"alerts": "These are all of them; leave at least one where it is."})
    return found


def merge(incident: Incident, others: Sequence[Incident], metadata: str) -> Block:
    """Return the modal that asks which incident this one is part of; of very many the newest."""
    choices = [option(f"{one_line(one.title, 50)} · {one.id}", one.id) for one in others[:MOST_OPTIONS]]
    menu: Block = {"type": "static_select", "options": choices}
    asks = asks_for("into", "Which incident is it part of?", menu, hint="Its alerts go there, and its run is stopped.")
    return modal(MERGE, "Merge into", "Merge", [_head(incident, "put together"), asks], metadata)


def into(state: Mapping[str, Any]) -> str | Wrong:
    """Return the incident that was chosen."""
    return typed(state, "into", TEXT) or Wrong({"into": "Choose one."})


def _head(incident: Incident, what: str) -> Block:
    title = styled(one_line(incident.title, 150), "bold")
    return rich(section(title, styled(" "), styled(incident.id, "code"), styled(f" {_LEARNS.format(what=what)}")))


def _distinct(incident: Incident) -> list[Alert]:
    """Return one alert for each fingerprint: those that fired again move together."""
    return list({alert.fingerprint: alert for alert in incident.alerts}.values())


def _named(alert: Alert) -> str:
    return one_line(f"{alert.name} on {alert.service}" if alert.service else alert.name, 75)


def _mark(alert: Alert) -> str:
    """Return what tells alerts apart in a menu, which has no room for long fingerprints."""
    return hashlib.sha256(alert.fingerprint.encode()).hexdigest()[:32]
