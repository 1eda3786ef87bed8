"""The customers: a steady stream of orders, and their own opinion of how the company does."""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sysop.demo.company import child, wire

SURGE = "surge"
BOUND_SECONDS = 0.5
"""A customer counts an answer as good only when it is 2xx and comes within this time."""

GIVE_UP_SECONDS = 10.0
WINDOW_SECONDS = 5.0
REPORT_SECONDS = 0.25


@dataclass(frozen=True)
class Stream:
    """Requests to one URL, so many started per second, whether or not earlier ones are answered."""

    url: str
    rate: float


class Judge:
    """The share of good orders over the last seconds, as a customer sees it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._orders: deque[tuple[float, bool]] = deque()

    def add(self, good: bool) -> None:
        """Count one order, at the moment its fate was known."""
        self._orders.append((time.monotonic(), good))

    def verdict(self) -> dict[str, float | None]:
        """Return the ratio (None with no orders in the window) and the orders per second."""
        now = time.monotonic()
        while self._orders and self._orders[0][0] < now - WINDOW_SECONDS:
            self._orders.popleft()
        count, seconds = len(self._orders), min(WINDOW_SECONDS, now - self._began)
        good = sum(good for _, good in self._orders)
        return {
            "success_ratio": round(good / count, 4) if count else None,
            "request_rate": round(count / seconds, 2) if seconds else 0.0,
        }


async def order(url: str, judge: Judge) -> None:
    """Place one order. It is judged at the bound, but left to finish, as a browser would."""
    asked = asyncio.create_task(wire.fetch(url, timeout=GIVE_UP_SECONDS))
    await asyncio.wait({asked}, timeout=BOUND_SECONDS)
    judge.add(asked.done() and asked.exception() is None and asked.result().ok)
    await asyncio.gather(asked, return_exceptions=True)


async def generate(stream: Stream, judge: Judge, until: float = math.inf) -> None:
    """Place the orders of a stream, until a moment of the monotonic clock."""
    running: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    while (now := time.monotonic()) < until:
        task = asyncio.create_task(order(stream.url, judge))
        running.add(task)
        task.add_done_callback(running.discard)
        # After a pause of the machine the missed orders are not made up for: that would be a burst nobody sent.
        due = max(due + 1 / stream.rate, now - 1 / stream.rate)
        await asyncio.sleep(due - now)


async def live(streams: Sequence[Stream], commands: child.Commands) -> None:
    """Place orders and report the verdict, until the process ends; more come when a surge is ordered."""
    judge = Judge()
    async with asyncio.TaskGroup() as together:
        for stream in streams:
            together.create_task(generate(stream, judge))
        together.create_task(_report(judge))
        while True:
            match (await commands.get()).split():
                case [command, url, rate, seconds] if command == SURGE:
                    # Callers of another kind: how they fare says nothing about the customers.
                    surge = Stream(url, float(rate))
                    together.create_task(generate(surge, Judge(), time.monotonic() + float(seconds)))


async def _report(judge: Judge) -> None:
    while True:
        child.report(load=judge.verdict())
        await asyncio.sleep(REPORT_SECONDS)


def _stream(text: str) -> Stream:
    rate, _, url = text.partition("=")
    return Stream(url, float(rate))


def main() -> None:
    """Run the load generator."""
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--stream", type=_stream, action="append", required=True, help="orders a second=URL")
    given = parser.parse_args()
    child.run(lambda commands: live(given.stream, commands))


if __name__ == "__main__":
    main()
