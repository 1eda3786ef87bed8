"""`/sysop silence`: what is kept quiet; with conditions, a length of time and a reason it keeps more so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from sysop.errors import InvalidRequest, NotAllowed
from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import Wish, check_matchers, is_condition, is_length, matcher, seconds_of
from sysop.store import silences as rows
from sysop.store.silences import Matcher, Silence
from sysop.store.writer import Tx
from sysop.surfaces.slack import words
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks import silences as view
from sysop.surfaces.slack.blocks.shown import Block, Shown
from sysop.surfaces.slack.blocks.silences import Given, Listed
from sysop.surfaces.slack.commands.command import Command
from sysop.surfaces.slack.desk import Asking, Desk

OPEN: Final = "form.open"
HEARD_S: Final = 4.0
"""So long an answer waits for what becomes of a silence elsewhere; then it says that it is under way."""
_LOOK_S: Final = 0.1
_NEW: Final = "new"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed of a silence; what is missing is None or empty."""

    matchers: tuple[Matcher, ...]
    length: str | None
    begins: str | None
    comment: str

    @property
    def whole(self) -> Wish | None:
        """Return the wish, None where something is missing."""
        if not (self.matchers and self.length and self.comment):
            return None
        begins = seconds_of(self.begins) if self.begins else 0
        return Wish(self.matchers, seconds_of(self.length), self.comment, begins)

    @property
    def given(self) -> Given:
        """Return what a form for the rest begins with."""
        return Given([str(one) for one in self.matchers], self.length or "", self.begins or "", self.comment)


def parse(text: str) -> Typed:
    """Return what was typed: conditions, `[for] 2h`, `[in 30m]`, and why. Raises InvalidRequest that shows the form."""
    left = words.split_raw(text)
    matchers = []
    while left and is_condition(left[0]):
        matchers.append(matcher(left.pop(0)))
    length = _length(left, "for")
    begins = _length(left, "in") if length and left[:1] == ["in"] else None
    if left and not matchers and not length and left != [_NEW]:
        raise InvalidRequest(f"{left[0]!r} is no condition on a label; write /sysop silence service=checkout 2h REASON")
    if matchers:
        check_matchers(matchers)
    return Typed(tuple(matchers), length, begins, "" if left == [_NEW] else " ".join(left))


def _length(left: list[str], before: str) -> str | None:
    """Take a length of time off the front, with the word before it if it is there."""
    skip = 1 if left[:1] == [before] else 0
    if len(left) > skip and is_length(left[skip]):
        found = left[skip]
        del left[: skip + 1]
        return found
    return None


async def silence(desk: Desk, asking: Asking) -> Shown | None:
    """List what is quiet, or set a silence that was typed in full; a form for the rest has opened already."""
    if not asking.it.text:
        return await _list(desk, asking)
    wish = parse(asking.it.text).whole
    if wish is None:
        may_silence(asking)
        return None
    return await add(desk, asking, wish)


def may_silence(asking: Asking) -> None:
    """Raise NotAllowed for somebody without a role."""
    if not asking.actor.roles:
        raise NotAllowed("only a person with a role can silence alerts; nothing was done")


async def add(desk: Desk, asking: Asking, wish: Wish) -> Shown:
    """Set a silence, once a delivery, and tell what has become of it."""
    return await told(desk, await desk.silences.add(asking.actor, wish, delivery=asking.key))


async def told(desk: Desk, silence: Silence) -> Shown:
    """Return what has become of a silence, here and elsewhere."""
    mirrored = await _heard(desk, silence)
    return view.told(silence, mirrored, await desk.store.now(), desk.links)


async def _heard(desk: Desk, silence: Silence) -> Mirrored:
    """Return how far a silence is known elsewhere, once that is settled or waits for somebody."""

    def look(conn: Connection) -> Mirrored:
        return desk.silences.mirrored(conn, rows.load(conn, silence.id))

    end = asyncio.get_running_loop().time() + HEARD_S
    while (found := await desk.store.read(look)).state == "begins" and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(_LOOK_S)
    return found


async def _list(desk: Desk, asking: Asking) -> Shown:
    def read(conn: Connection) -> tuple[int, list[Listed]]:
        now = Tx(conn).now()
        found = rows.listed(conn, now=now)
        covered = rows.covered(conn, [one.id for one in found])
        return now, [Listed(one, covered.get(one.id, 0), desk.silences.mirrored(conn, one)) for one in found]

    now, found = await desk.store.read(read)
    may = bool(asking.actor.roles)
    return view.listed(found, now, await desk.names(asking.it.team), desk.links, may_end=may, new=_new())


def _new() -> Block:
    return parts.button("Silence alerts", OPEN, f"silence:{_NEW}")


COMMAND = Command(
    "silence",
    "/sysop silence [LABEL=VALUE … 2h REASON]",
    "list what is kept quiet, or keep alerts quiet; by a form if you leave things out",
    silence,
)
