"""What `sysop dev` adds to the chat: how the customers of the demo company fare, and a button that breaks it.

The company's own people deploy, outside of Sysop. Sysop learns of it as it would anywhere: by alerts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from slack_bolt.async_app import AsyncApp
from sqlalchemy import Connection

from sysop.demo.business import Business, CompanyFailed, Fares
from sysop.errors import StoreError
from sysop.store import approvals, conversations, outbox
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.shown import Shown, shown
from sysop.surfaces.slack.desk import Asking, Desk, listener
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.text import mrkdwn

BREAK = "demo.break"
PREFIX = "shop:"
LOOK_S = 0.5
WELL = 0.99
POOR = 0.9
SQUARES = 12
LOOKS = 3
"""So many looks make one square, which shows the worst of them."""
REDRAW_MS = 3000
"""Updates of messages are counted for the whole workspace, and the incident needs them more."""
_WELL = "customers are well"
_STORY = "Three real services on this machine. A bad release goes out; Sysop finds it by its alerts."
_TOLD = (
    "It was broken and repaired. Another story: end this with Ctrl-C, then start"
    ' `make dev ARGS="--seed 2"` in the checkout, or `sysop dev --seed 2` where Sysop is installed.'
)

log = logging.getLogger(__name__)


class Shop:
    """One message in a channel, kept up to date, and the button in it."""

    _business: Business
    _store: Store

    def __init__(self) -> None:
        self._talk: Conversation | None = None
        self._ratios: deque[float] = deque(maxlen=SQUARES * LOOKS)
        self._fares: Fares | None = None
        self._opening = True
        self._deploying = False
        self._suffering = False
        self._broken = False
        self._repaired = False
        self._drawn = ""
        self._loops: set[asyncio.Task[None]] = set()

    def belong(self, business: Business, store: Store) -> None:
        """Say whose customers these are, before anything else."""
        self._business = business
        self._store = store

    # -- what the surface asks for ------------------------------------------------------------------------------------

    def register(self, app: AsyncApp, desk: Desk) -> None:
        """Listen to the button."""
        app.action(BREAK)(listener(desk, self._break))

    def document(self, _conn: Connection, key: str) -> Shown | None:
        """Return what the shop's message shows now."""
        return self._shown() if key.startswith(PREFIX) else None

    # -- its life -----------------------------------------------------------------------------------------------------

    async def open(self, team: str, channel: str) -> None:
        """Post the message and keep it up to date until `close`."""

        def unit(tx: Tx) -> Conversation:
            talk = conversations.create(
                tx, surface="slack", team=team, channel=channel, root=None, owner="", title="The shop"
            )
            outbox.mark(tx, talk, PREFIX + talk.id)
            return talk

        self._fares = await self._business.fares()
        self._talk = await self._store.write(unit)
        await self._business.record_live()
        self._opening = False
        await self._redraw()
        self._begin(self._watch())

    async def close(self) -> None:
        """Stop looking."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._loops.add(task)
        task.add_done_callback(self._loops.discard)

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except (CompanyFailed, StoreError):
                log.exception("the shop cannot be looked at")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        self._fares = await self._business.fares()
        ratio = self._fares.success_ratio
        if ratio is not None:
            self._ratios.append(ratio)
            was, self._suffering = self._suffering, ratio < WELL
            if was and not self._suffering:
                self._repaired = True
                await self._tell("Customers are well again.")
        if (drawn := f"{self._summary()}{self._squares()}") != self._drawn:
            self._drawn = drawn
            await self._redraw(REDRAW_MS)

    async def _redraw(self, delay_ms: int = 0) -> None:
        talk = self._talk
        if talk is not None:
            await self._store.write(lambda tx: outbox.mark(tx, talk, PREFIX + talk.id, delay_ms=delay_ms))

    async def _tell(self, text: str) -> None:
        talk = self._talk
        if talk is not None:
            payload = {"text": text, "blocks": [parts.section(mrkdwn(text, Links()))]}
            await self._store.write(lambda tx: outbox.post(tx, talk, payload) and None)

    # -- the button ---------------------------------------------------------------------------------------------------

    async def _break(self, _desk: Desk, asking: Asking) -> Shown | None:
        if not await self._store.write(lambda tx: approvals.first_delivery(tx, f"break:{asking.key}")):
            return None
        if self._broken:
            return notice("It was broken already. Look at the incidents.")
        self._broken = self._deploying = True
        self._begin(self._deploy())
        return None

    async def _deploy(self) -> None:
        try:
            await self._redraw()
            for deploy in self._business.scenario.deploys:
                await self._tell(f"{deploy.team} deploys {deploy.service} {deploy.version}: {deploy.change}")
                await self._business.deploy(deploy.service, deploy.version, deploy.team, deploy.change)
        except CompanyFailed as failed:
            await self._tell(f"The deploy failed: {failed}")
        finally:
            self._deploying = False

    # -- what it shows ------------------------------------------------------------------------------------------------

    def _summary(self) -> str:
        """Return the figures without the part that changes all the time."""
        fares = self._fares
        served = "measuring" if fares is None or fares.success_ratio is None else f"{fares.success_ratio:.0%} served"
        versions = "  ".join(f"{service} `{version}`" for service, version in (fares.versions if fares else {}).items())
        return f"{served}\n{versions}"

    def _squares(self) -> str:
        """Return the last seconds, oldest first."""
        newest = list(self._ratios)[::-1]
        worst = [min(newest[at : at + LOOKS]) for at in range(0, len(newest), LOOKS)]
        return "".join("🟩" if ratio >= WELL else "🟨" if ratio >= POOR else "🟥" for ratio in worst[::-1])

    def _state(self) -> tuple[str, str]:
        if self._opening:
            return "🟡", "opening"
        if self._deploying:
            return "🟡", "a release goes out"
        return ("🔴", "customers suffer") if self._suffering else ("🟢", _WELL)

    def _shown(self) -> Shown:
        served, _, versions = self._summary().partition("\n")
        icon, state = self._state()
        ready = state == _WELL and not self._broken
        buttons = [parts.button("Break the shop", BREAK, "break", "danger")] if ready else []
        return shown(
            f"The shop: {state}, {served}",
            parts.header("The shop: gateway → checkout → payments"),
            parts.section(f"{icon} *{state}* · {served}\n{self._squares()}\n{versions}"),
            parts.actions("demo", buttons),
            parts.context([_TOLD if self._repaired else _STORY]),
        )
