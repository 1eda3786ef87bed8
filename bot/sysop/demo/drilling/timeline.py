"""Lets things go wrong at their times, and has the company's own people deploy as they would."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sysop.demo.business import Business, CompanyFailed
from sysop.demo.drilling.folder import Order, good
from sysop.demo.drilling.record import Ordered
from sysop.demo.drilling.scene import Crew
from sysop.demo.drilling.schema import AnyFault, Checks, Config, Release


class Timeline:
    """The orders of a drill. `ordered` is what the company's own people were told to do, so far."""

    def __init__(self, business: Business, crew: Crew, orders: Sequence[Order]) -> None:
        self._business = business
        self._crew = crew
        self._orders = orders
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.ordered: list[Ordered] = []

    async def play(self) -> None:
        """Carry out every order at its time. Raises CompanyFailed."""
        tasks = [asyncio.create_task(self._at(order)) for order in self._orders]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _at(self, order: Order) -> None:
        await asyncio.sleep(order.at)
        fault = order.fault
        if isinstance(fault, Release | Config | Checks):
            async with self._locks[fault.service]:  # two deploys of one service are made one after the other
                await self._made(fault, await self._business.fault(fault.body()))
        else:
            await self._business.fault(fault.body())

    async def _made(self, fault: Release | Config | Checks, reply: Mapping[str, Any]) -> None:
        """Let the company's people bring live what is faulty; what cannot come live may fail on the way."""
        by, change = str(reply.get("team") or f"{fault.service} team"), str(reply.get("change") or "")
        pipeline, kind, parameters = _build(fault, reply)
        self.ordered.append(Ordered(kind, fault.service, next(iter(parameters.values()), None)))
        well = await self._crew.order(pipeline, by, change, service=fault.service, **parameters)
        if not well and fault.fault == "none":
            raise CompanyFailed(f"an innocent deploy of {fault.service} failed")


def _build(fault: Release | Config | Checks, reply: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Return the pipeline, the kind of change it makes, and its parameters beside the service."""
    if isinstance(fault, Release):
        return "deploy", "deploy", {"version": str(reply["version"])}
    if isinstance(fault, Config):
        return "configure", "config", {"revision": str(reply["revision"])}
    return "checks", "checks", {}


def before(faults: Sequence[AnyFault], start: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that say what was live at the start, from the company's own status."""
    found = {}
    for fault in faults:
        if isinstance(fault, Release):
            found[good(fault)] = str(start["services"][fault.service]["version"])
        elif isinstance(fault, Config):
            found[good(fault)] = str(start["services"][fault.service]["config_revision"])
    return found
