"""The Home tab: what waits for this person, what is broken, and whether changes are paused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sysop.model import Approval
from sysop.store.incidents import Brief
from sysop.store.mode import Mode
from sysop.surfaces.slack.blocks import approval, bound, listings, parts
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Block
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, bullets, date, rich, said, section, styled
from sysop.surfaces.slack.text import date as date_token
from sysop.surfaces.slack.text import one_line, times, visible

ASK: Final = "home.ask"
INCIDENT: Final = "home.incident"
RUN: Final = "home.run"
PAUSE: Final = "home.pause"
RESUME: Final = "home.resume"
MOST_APPROVALS: Final = 10
MOST_INCIDENTS: Final = 10


@dataclass(frozen=True, slots=True)
class PluginState:
    """A plugin as it was loaded; `problem` says why it is not used."""

    name: str
    version: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What a Home shows. `approvals` are those this person may decide, `waiting` is how many others there are.

    `incidents` are the newest of `open` ones. `held` counts the alerts that were held back, by the kind of the reason.
    """

    now: int
    mode: Mode
    approvals: Sequence[Approval] = ()
    waiting: int = 0
    incidents: Sequence[Brief] = ()
    open: int = 0
    plugins: Sequence[PluginState] = ()
    held: Mapping[str, int] = field(default_factory=dict)


def view(desk: Desk, names: Names, links: Links) -> Block:
    """Return the view to publish."""
    blocks: list[Block | None] = [
        parts.header("Sysop"),
        _mode(desk, names, links),
        parts.actions("home:do", _buttons(desk)),
        parts.divider(),
        *_approvals(desk, names),
        parts.divider(),
        *_incidents(desk, links),
        parts.divider(),
        _plugins(desk, links),
        parts.context([f"As of {date_token(desk.now)}"]),
    ]
    return {"type": "home", "blocks": [block for block in blocks if block is not None]}


def _mode(desk: Desk, names: Names, links: Links) -> Block:
    if not desk.mode.paused:
        return rich(section(styled("▶ Changes are allowed", "bold"), styled(", each by its own approval.")))
    why = said(one_line(desk.mode.reason, 300), links) if desk.mode.reason.strip() else [styled("no reason given")]
    who = [styled(" by "), names.element(desk.mode.by)] if desk.mode.by else []
    return rich(
        section(styled("⏸ Changes are paused", "bold"), *who, styled(" since "), date(desk.mode.at), styled(": "), *why)
    )


def _buttons(desk: Desk) -> list[Block]:
    switch = ("Let changes go on", RESUME) if desk.mode.paused else ("Pause changes", PAUSE)
    every = (("Ask Sysop", ASK), ("New incident", INCIDENT), ("Run an action", RUN), switch)
    return [parts.button(text, action, action, "primary" if action == ASK else None) for text, action in every]


def _approvals(desk: Desk, names: Names) -> list[Block | None]:
    found: list[Block | None] = [parts.header("Waiting for you")]
    for one in desk.approvals[:MOST_APPROVALS]:
        found += [_approval(one, names), parts.actions(approval.block_id(one), approval.buttons(one))]
    left = len(desk.approvals) - MOST_APPROVALS
    notes = [f"… and {times(left, 'more approval')}." if left > 0 else "", _others(desk)]
    nothing = [] if desk.approvals else [styled("Nothing needs your decision. ")]
    said_last = [*nothing, *[styled(f"{note} ") for note in notes if note]]
    return [*found, rich(section(*said_last)) if said_last else None]


def _others(desk: Desk) -> str:
    return f"{times(desk.waiting, 'approval waits', 'approvals wait')} for other people." if desk.waiting > 0 else ""


def _approval(one: Approval, names: Names) -> Block:
    what: list[Element] = [styled(one_line(f"{one.action} on {one.target}", 200), "bold")]
    about = [
        styled(f" · {one.risk} in {one_line(one.environment, 60)} · asked for by "),
        *names.elements(one.requesters),
    ]
    return rich(
        section(*what, *about, styled(" · expires "), date(one.approve_by)),
        section(styled(one_line(visible(bound.preview(one).summary), 300) or "no preview")),
    )


def _incidents(desk: Desk, links: Links) -> list[Block | None]:
    lines = listings.incident_lines(desk.incidents, MOST_INCIDENTS, desk.open, links)
    found = bullets(lines) or section(styled("No incident is open."))
    held = listings.held_back(desk.held)
    return [parts.header("Open incidents"), rich(found, section(styled(f"{held}.", "italic")) if held else None)]


def _plugins(desk: Desk, links: Links) -> Block:
    broken = [plugin for plugin in desk.plugins if plugin.problem]
    head = f"{times(len(desk.plugins), 'plugin')}, {f'{len(broken)} not working' if broken else 'all working'}"
    names = ", ".join(f"{one_line(plugin.name, 40)} {one_line(plugin.version, 20)}" for plugin in desk.plugins[:30])
    lines = [[styled(f"{one_line(p.name, 40)}: "), *said(one_line(p.problem or "", 300), links)] for p in broken[:10]]
    return rich(section(styled(head, "bold"), styled(f": {names}" if names else "")), bullets(lines))
