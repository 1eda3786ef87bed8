"""The form that sets a silence, the list of silences, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import re2

from sysop.errors import InvalidRequest
from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import MAX_COMMENT, MAX_VALUE, Wish, matcher, seconds_of
from sysop.model import Incident
from sysop.store.silences import Matcher, Silence
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.fields import TEXT, asks_for, line, modal
from sysop.surfaces.slack.blocks.inputs import Wrong, typed
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, date, rich, said, section, styled
from sysop.surfaces.slack.text import mrkdwn, one_line, times

FORM: Final = "form.silence"
END: Final = "silence.end"
MOST: Final = 12
MAX_CONDITIONS: Final = 2000
MAX_NAME: Final = 80
MOST_SERVICES: Final = 5
_USUAL: Final = "2h"
_HINT: Final = "One a line, and all must be met: service=checkout, severity!=critical, pod=~web-.*"


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a silence before the form is filled in; so many services of an incident are `left` out."""

    conditions: Sequence[str] = ()
    length: str = ""
    begins: str = ""
    comment: str = ""
    left: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A silence with what is told beside it: how many alerts it holds back, and how far it is known elsewhere."""

    silence: Silence
    alerts: int
    mirrored: Mirrored


def about(incident: Incident) -> Given:
    """Return what silences an incident's first services, or without any the rule of its first alert."""
    services = [name for name in incident.services if _fits(name)][:MOST_SERVICES]
    while len(pattern := "|".join(map(re2.escape, services))) > MAX_VALUE:
        services.pop()
    left = len(incident.services) - len(services)
    if len(services) == 1:
        return Given([str(Matcher("service", "=", services[0]))], left=left)
    if services:
        return Given([str(Matcher("service", "=~", pattern))], left=left)
    rules = [alert.name for alert in incident.alerts if _fits(alert.name)]
    return Given([str(Matcher("alertname", "=", rules[0]))] if rules else [])


def _fits(name: str) -> bool:
    """Tell whether a value can stand in a line of the form and come back as it is."""
    return 0 < len(name) <= MAX_NAME and name == name.strip() and name.isprintable()


def form(given: Given, metadata: str) -> Block:
    """Return the modal that sets a silence."""
    conditions = "\n".join(given.conditions)
    left = f" Not among them: {times(given.left, 'more service')} of the incident." if given.left else ""
    note = rich(section(styled(f"Alerts that meet the conditions are taken in and open no incident.{left}")))
    return modal(
        FORM,
        "Silence alerts",
        "Silence",
        [
            note,
            asks_for("conditions", "Which alerts?", line(MAX_CONDITIONS, conditions, multiline=True), hint=_HINT),
            asks_for("length", "For how long?", line(20, given.length or _USUAL), hint="30m, 2h or 1d12h"),
            asks_for("begins", "Beginning in", line(20, given.begins), optional=True, hint="30m or 2h; empty for now"),
            asks_for("comment", "Why?", line(MAX_COMMENT, given.comment, multiline=True)),
        ],
        metadata,
    )


def wished(state: Mapping[str, Any]) -> Wish | Wrong:
    """Return the silence that was asked for, or what is wrong by block."""
    found, errors = _FINE, dict[str, str]()
    for field, (block, parse) in _FIELDS.items():
        try:
            given = {field: parse((typed(state, block, TEXT) or "").strip())}
            replace(_FINE, **given).check()
        except InvalidRequest as bad:
            errors[block] = one_line(str(bad), 150)
        else:
            found = replace(found, **given)
    return Wrong(errors) if errors else found


def _conditions(text: str) -> tuple[Matcher, ...]:
    return tuple(matcher(part) for part in text.splitlines() if part.strip())


def _begins(text: str) -> int:
    return seconds_of(text) if text else 0


def _comment(text: str) -> str:
    if not text:
        raise InvalidRequest("Say why, so that the next one on call knows.")
    return text


_FINE: Final = Wish((Matcher("alertname", "=", "any"),), 1, "any")
"""Nothing is wrong with it: with one field of another, what is wrong is about that field."""
_FIELDS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "matchers": ("conditions", _conditions),
    "seconds": ("length", seconds_of),
    "in_seconds": ("begins", _begins),
    "comment": ("comment", _comment),
}
"""Each field of a wish, with the block of the form that asks for it and what reads it."""


def listed(found: Sequence[Listed], now: int, names: Names, links: Links, *, may_end: bool, new: Block) -> Shown:
    """Return what is quiet now or later on, each with a button that ends it for whoever may; `new` sets another."""
    title = times(len(found), "silence") if found else "Nothing is silenced."
    blocks: list[Block | None] = [rich(section(styled(title, "bold")))]
    for one in found[:MOST]:
        blocks.append(_block(one, now, names, links))
        blocks.append(parts.actions(f"silence:{one.silence.id}", [_end(one.silence)]) if may_end else None)
    if len(found) > MOST:
        more = f"… and {len(found) - MOST} more; on the command line: sysop silences"
        blocks.append(rich(section(styled(more, "italic"))))
    return shown(title, *blocks, parts.actions("silences:new", [new]) if may_end else None)


def _end(silence: Silence) -> Block:
    what = parts.confirm("End this silence?", "What it covers and fires still opens incidents.", "End it", "danger")
    return parts.button("End", END, silence.id, None, what)


def _block(one: Listed, now: int, names: Names, links: Links) -> Block:
    it = one.silence
    begins = [styled(" from "), date(it.starts_at)] if it.state(now) == "ahead" else []
    held = f" · {times(one.alerts, 'alert')} held back · "
    return rich(
        section(*_conditions_of(it), *begins, styled(" until "), date(it.ends_at)),
        section(*said(one_line(it.comment, 300), links), styled(" · "), names.element(it.created_by)),
        section(styled(it.id, "code"), styled(held), *said(one_line(one.mirrored.words, 300), links)),
    )


def _conditions_of(silence: Silence) -> list[Element]:
    found: list[Element] = []
    for one in silence.matchers:
        found += [*([styled(" ")] if found else []), styled(one_line(str(one), 200), "code")]
    return found


def told(silence: Silence, mirrored: Mirrored, now: int, links: Links) -> Shown:
    """Return what has become of a silence, here and elsewhere."""
    ends = [styled(" until "), date(silence.ends_at)]
    head = {
        "ahead": [styled("These alerts will be quiet from "), date(silence.starts_at), *ends],
        "holds": [styled("These alerts are quiet"), *ends],
        "over": [styled("The silence is ended; what it covered and fires still opens incidents")],
    }[silence.state(now)]
    elsewhere = f"{mirrored.words[0].upper()}{mirrored.words[1:]}."
    return shown(
        mrkdwn(one_line(f"{head[0]['text'].strip()}: {', '.join(map(str, silence.matchers))}", 500), links),
        rich(
            section(*head, styled(": "), *_conditions_of(silence)),
            section(styled(silence.id, "code"), styled(" · "), *said(one_line(elsewhere, 500), links)),
        ),
    )
