"""A sender in a process of its own, which dies by SIGKILL at a point: python out_worker.py URL API TOKEN POINT NTH."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from sysop.store import conversations
from sysop.store.store import Store
from sysop.surfaces.slack.blocks import plan as plans
from sysop.surfaces.slack.blocks.plan import PlanDocument, TaskEntry
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.sender import Sender
from sysop.surfaces.slack.outbox.sending import Document

POINTS = ("taken", "posted", "answered", "started", "appended", "stopped")


class DatabasePages:
    """Documents read from the titles of conversations, alike in every process."""

    def document(self, conn: Connection, key: str, now: int) -> Document | None:
        kind, _, id = key.partition(":")
        title = conversations.load(conn, id.partition("#")[0]).title
        return _plan(title) if kind == "plan" else _rich(f"{kind} {title}")

    def home(self, conn: Connection, key: str, now: int) -> Mapping[str, Any] | None:
        return None

    def fallback(self, plan: PlanDocument) -> Shown:
        return plans.fallback(plan)


def _plan(title: str) -> PlanDocument:
    """Return a plan of as many finished tasks as the title says; with the third one it ends. The title names a user."""
    count, team, user = title.split()
    entries = tuple(
        TaskEntry(f"t{n}", f"task {n}", "complete", f"details {n}", f"output {n}") for n in range(int(count))
    )
    says = tuple((f"s{n}", f"said {n} indeed") for n in range(int(count)))
    plan = PlanDocument("Working", entries, says, recipient=(team, user))
    if int(count) < 3:
        return plan
    return PlanDocument("Working", entries, says, "active", True, _rich("the answer"), (team, user))


def _rich(text: str) -> Shown:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return Shown(text, [{"type": "rich_text", "elements": [section]}])


async def main(url: str, api: str, token: str, point: str, nth: int) -> None:
    import out_kit as kit

    seen: Counter[str] = Counter()

    def probe(at: str) -> None:
        seen[at] += 1
        if at == point and seen[at] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    store, clients = Store.open(url), Clients(api, token=token, installations=None)
    await clients.meet()
    sender = Sender(store, DatabasePages(), Calls(clients, kit.fast_rates()), "worker", pace=kit.PACE, probe=probe)
    await sender.start()
    print("sending", flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
