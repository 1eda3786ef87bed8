"""Slack refuses for a while with 500 messages queued in 50 threads: what is lost, out of order, or there twice.

The workspace stands in for Slack; its limits and ours run on a clock that is faster than the wall's.
Run by itself: python benchmarks/slack_outage.py --messages 500 --threads 50
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import common

sys.path.insert(0, str(Path(common.__file__).resolve().parent.parent / "tests" / "surfaces" / "slack"))

import out_kit as kit

from sysop.store import conversations, outbox
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.store.writer import Tx

CHANNELS = 10
SCALE = 60.0
TIMEOUT_S = 1.0
DOUBT_MS = 600
HANG_S = 0.4
FAULTS = (
    ("chat.postMessage", "429"),
    ("chat.postMessage", "500"),
    ("chat.postMessage", "drop_before"),
    ("chat.postMessage", "drop_after"),
    ("chat.postMessage", "hang"),
    ("conversations.replies", "500"),
    ("conversations.history", "drop_before"),
)


@dataclass
class Outcome:
    """What the workspace has in the end. Lost, reordered and given up must be zero."""

    messages: int
    threads: int
    faults: int
    lost: int = 0
    reordered: int = 0
    duplicated: int = 0
    dead: int = 0
    stray: int = 0
    seconds: float = 0.0
    resent: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        met = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        return (
            f"{self.messages} messages in {self.threads} threads through {self.faults} faults ({met}): "
            f"{self.lost} lost, {self.reordered} reordered, {self.duplicated + self.stray} duplicated, "
            f"{self.dead} given up, {self.resent} sent again; {self.seconds:.0f} s"
        )


async def fill(store: Store, place: kit.Place, messages: int, threads: int) -> list[Conversation]:
    """Queue messages, each saying its thread and number."""

    def unit(tx: Tx) -> list[Conversation]:
        talks = [
            conversations.create(
                tx,
                surface="slack",
                team=place.team,
                channel=place.channel(f"c{number % CHANNELS}"),
                root=None,
                owner="",
                title=f"thread {number}",
            )
            for number in range(threads)
        ]
        for number in range(messages):
            outbox.post(tx, talks[number % threads], {"text": f"{number % threads} {number // threads}"})
        return talks

    return await store.write(unit)


async def break_it(place: kit.Place, times: int, seed: int) -> dict[str, int]:
    """Ask for faults of every kind in a mixed order."""
    chance = random.Random(seed)
    met: dict[str, int] = {}
    for number in range(times):
        method, kind = FAULTS[number % len(FAULTS)] if number < len(FAULTS) else chance.choice(FAULTS)
        await place.fault(method, kind, retry_after=2, seconds=TIMEOUT_S + HANG_S)
        met[kind] = met.get(kind, 0) + 1
    return met


async def drill(url: str, messages: int, threads: int, *, seed: int = 1) -> Outcome:
    """Send everything through the outage and count what came of it."""
    began = time.monotonic()
    store = Store.open(url)
    pace = replace(kit.PACE, doubt_ms=DOUBT_MS)
    names = tuple(f"c{number}" for number in range(CHANNELS))
    async with kit.workspace(names, SCALE) as place:
        talks = await fill(store, place, messages, threads)
        faults = max(len(FAULTS) * 2, messages // 5)
        met = await break_it(place, faults, seed)
        async with kit.sending(store, place, pace=pace, rates=kit.fast_rates(SCALE), timeout=TIMEOUT_S) as out:
            await out.quiet(600)
            found = Outcome(messages, threads, faults, kinds=met, resent=out.sender.health.resent)
            found.dead = out.sender.health.dead
            await asyncio.sleep(HANG_S + 0.2)  # what hangs may still land
            for number, talk in enumerate(talks):
                await _count(out, talk, number, messages, threads, found)
            found.stray = await _stray(place, talks, out)
    await store.close()
    found.seconds = time.monotonic() - began
    return found


async def _count(out: kit.Out, talk: Conversation, thread: int, messages: int, threads: int, found: Outcome) -> None:
    texts = await out.texts(talk, f"c{thread % CHANNELS}")
    numbers = [int(text.split()[1]) for text in texts if text.split()[0] == str(thread)]
    wanted = [number for number in range(messages) if number % threads == thread]
    firsts = list(dict.fromkeys(numbers))
    found.lost += len(set(range(len(wanted))) - set(numbers))
    found.duplicated += len(numbers) - len(firsts)
    found.reordered += sum(a > b for a, b in itertools.pairwise(firsts))
    found.stray += len(texts) - len(numbers)


async def _stray(place: kit.Place, talks: list[Conversation], out: kit.Out) -> int:
    """Count first messages of threads that are there twice: a root that was sent again begins a thread of its own."""
    roots = {(await store_root(out, talk)) for talk in talks}
    tops = [one for name in range(CHANNELS) for one in await place.messages(f"c{name}")]
    return sum(one["ts"] not in roots and one["text"].endswith(" 0") for one in tops)


async def store_root(out: kit.Out, talk: Conversation) -> str | None:
    return (await out.store.read(lambda conn: conversations.load(conn, talk.id))).root


def main() -> int:
    """Print one line for each database."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--threads", type=int, default=50)
    sizes = parser.parse_args()
    logging.disable(logging.ERROR)
    wrong = 0
    with common.databases("sqlite", "postgres") as databases:
        for kind, url, _folder in databases:
            found = asyncio.run(drill(url, sizes.messages, sizes.threads))
            print(f"{kind}: {found}")
            wrong += found.lost + found.reordered + found.dead
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
