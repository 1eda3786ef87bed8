"""The forms by which people put right what correlation got wrong: split an incident, make it part of another one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sysop.model import Alert, Incident, IncidentState
from sysop.surfaces.slack.blocks.fields import TEXT, asks_for, modal, several
from sysop.surfaces.slack.blocks.inputs import MOST_OPTIONS, Wrong, option, typed
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.rich import rich, section, styled
from sysop.surfaces.slack.text import one_line, times

SPLIT: Final = "form.split"
MERGE: Final = "form.merge"
_LEARNS: Final = "Alerts like these are {what} from now on."
_PLACES: Final = ("pod", "instance", "host", "node", "namespace", "cluster", "environment")
"""Labels that tell apart alerts of one rule on one service, the nearest first."""
Choices = dict[str, tuple[str, tuple[str, ...]]]
"""What can be split off: by the mark of each its name, and the fingerprints that it stands for."""


def over(incident: Incident) -> str:
    """Return why nothing can be regrouped in an incident, "" where it is open."""
    if incident.state is not IncidentState.RESOLVED:
        return ""
    return f"{incident.id} is {f'part of {incident.merged_into}' if incident.merged_into else 'resolved'} by now"


def parted(incident: Incident) -> bool:
    """Tell whether an incident has more than one alert: those that fired again move together."""
    return len({alert.fingerprint for alert in incident.alerts}) > 1


def split(incident: Incident, metadata: str) -> Block:
    """Return the modal that asks which alerts belong elsewhere: where there are very many, which kinds of them."""
    found = _choices(incident)
    choices = [option(name, mark) for mark, (name, _) in list(found.items())[:MOST_OPTIONS]]
    menu: Block = {"type": "multi_static_select", "options": choices}
    more = f" These are the first {MOST_OPTIONS} of {len(found)} kinds." if len(found) > MOST_OPTIONS else ""
    hint = f"They become an incident of their own.{more}"
    asks = asks_for("alerts", "Which alerts do not belong here?", menu, hint=hint)
    return modal(SPLIT, "Not this incident", "Split off", [_head(incident, "kept apart"), asks], metadata)


def chosen(incident: Incident, state: Mapping[str, Any]) -> tuple[str, ...] | Wrong:
    """Return the fingerprints of the alerts to split off, all those that were chosen, or what is wrong."""
    marks = several(state, "alerts")
    found = {mark: prints for mark, (_, prints) in _by_kind(incident).items()}
    found |= {_mark_of(alert): (alert.fingerprint,) for alert in incident.alerts}
    taken = {fingerprint for mark in marks if mark in found for fingerprint in found[mark]}
    every = dict.fromkeys(alert.fingerprint for alert in incident.alerts)
    gone = next((_said(state, mark) for mark in marks if mark not in found), "")
    for fault, words in (
        (over(incident), f"{over(incident)}."),
        (not marks, "Choose at least one."),
        (gone, f"{gone} is not in this incident any more; leave it out."),
        (len(taken) == len(every), "These are all of them; leave at least one where it is."),
    ):
        if fault:
            return Wrong({"alerts": words})
    return tuple(fingerprint for fingerprint in every if fingerprint in taken)


def merge(incident: Incident, others: Sequence[Incident], metadata: str) -> Block:
    """Return the modal that asks which incident this one is part of; of very many the newest."""
    choices = [option(f"{one_line(one.title, 45)} · {one.id}", one.id) for one in others[:MOST_OPTIONS]]
    menu: Block = {"type": "static_select", "options": choices}
    more = f" These are the newest {MOST_OPTIONS} of {len(others)}." if len(others) > MOST_OPTIONS else ""
    hint = f"Its alerts go there, and its run is stopped.{more}"
    asks = asks_for("into", "Which incident is it part of?", menu, hint=hint)
    return modal(MERGE, "Merge into", "Merge", [_head(incident, "put together"), asks], metadata)


def into(state: Mapping[str, Any]) -> str | Wrong:
    """Return the incident that was chosen."""
    return typed(state, "into", TEXT) or Wrong({"into": "Choose one."})


def _head(incident: Incident, what: str) -> Block:
    title = styled(one_line(incident.title, 150), "bold")
    return rich(section(title, styled(" "), styled(incident.id, "code"), styled(f" {_LEARNS.format(what=what)}")))


def _choices(incident: Incident) -> Choices:
    """Return one choice for each fingerprint, or for each kind of alert where a menu has no room for all."""
    every = list({alert.fingerprint: alert for alert in incident.alerts}.values())
    if len(every) > MOST_OPTIONS:
        return _by_kind(incident)
    return {_mark_of(one): (name, (one.fingerprint,)) for one, name in zip(every, _names(every), strict=True)}


def _by_kind(incident: Incident) -> Choices:
    kinds: dict[tuple[str, str], dict[str, Alert]] = {}
    for alert in incident.alerts:
        kinds.setdefault((alert.name, alert.service or ""), {})[alert.fingerprint] = alert
    return {
        _mark(f"kind {kind}"): (f"{_named(next(iter(some.values())), 50)}, {times(len(some), 'alert')}", tuple(some))
        for kind, some in kinds.items()
    }


def _names(alerts: Sequence[Alert]) -> Iterator[str]:
    """Yield what alerts are called in the menu: those of one kind with where they are, else with their fingerprint."""
    kinds = Counter(map(_named, alerts))
    placed = Counter((_named(alert), _where(alert)) for alert in alerts)
    for alert in alerts:
        name, where = _named(alert), _where(alert)
        if kinds[name] == 1:
            yield name
        else:
            mark = where if where and placed[name, where] == 1 else alert.fingerprint
            yield f"{_named(alert, 38)} · {one_line(mark, 34)}"


def _where(alert: Alert) -> str:
    return next((alert.labels[label] for label in _PLACES if alert.labels.get(label)), "")


def _named(alert: Alert, limit: int = 75) -> str:
    return one_line(f"{alert.name} on {alert.service}" if alert.service else alert.name, limit)


def _mark_of(alert: Alert) -> str:
    return _mark(f"one {alert.fingerprint}")


def _mark(what: str) -> str:
    """Return what tells choices apart in a menu, which has no room for long fingerprints."""
    return hashlib.sha256(what.encode()).hexdigest()[:32]


def _said(state: Mapping[str, Any], mark: str) -> str:
    """Return what a choice was called in the form as it was filled in."""
    options = ((state.get("alerts") or {}).get(TEXT) or {}).get("selected_options") or ()
    texts = ((one.get("text") or {}).get("text") for one in options if one.get("value") == mark)
    return one_line(str(next(texts, "") or "One of these"), 75)
