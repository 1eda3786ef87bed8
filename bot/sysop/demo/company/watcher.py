"""The company's monitoring in one process: scrapes, records, alerts, answers queries and sends webhooks."""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from sysop.demo.company import child, rules, wire
from sysop.demo.company.alerts import Alerts
from sysop.demo.company.notify import Notifier, Receiver
from sysop.demo.company.promapi import Api, Evaluation, History
from sysop.demo.company.series import Counters

INTERVAL_SECONDS = 1.0
SCRAPE_SECONDS = 0.9

log = logging.getLogger("watcher")


class Watcher:
    """Scrapes its targets and evaluates the rules, once an interval."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = targets
        self._counters = Counters()
        self.history = History()
        self.alerts = Alerts()
        self.notifier: Notifier | None = None
        self.ready = False

    async def tick(self) -> None:
        """Scrape, record, and pass on what fires or has resolved."""
        await asyncio.gather(*(self._scrape(target) for target in self._targets))
        at = round(time.time(), 3)
        recorded = rules.record(self._counters.rates(at))
        self.history.add(Evaluation(at, recorded))
        news = self.alerts.evaluate(at, recorded)
        if self.notifier is not None:
            self.notifier.receive(news)
        if not self.ready and all(recorded.values()):
            self.ready = True
            child.report(watching=True)

    async def _scrape(self, target: str) -> None:
        at = time.time()
        try:
            answer = await wire.fetch(f"{target}/metrics", timeout=SCRAPE_SECONDS)
        except OSError as problem:
            log.warning("no metrics from %s: %s", target, problem or type(problem).__name__)
            return
        if answer.ok:
            self._counters.add(at, answer.body.decode())


async def watch(targets: Sequence[str], receiver: Receiver | None) -> None:
    """Watch until the process ends."""
    watcher = Watcher(targets)
    listening = wire.open_socket()
    if receiver is not None:
        watcher.notifier = Notifier(receiver, wire.address(listening))
    wire.Server(Api(watcher.history, watcher.alerts, lambda: watcher.ready).handle).listen(listening)
    child.report(listening=wire.address(listening))
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await watcher.tick()
        # On a fixed beat; a beat missed while the machine was busy is skipped, as Prometheus does.
        due = max(due + INTERVAL_SECONDS, loop.time())
        await asyncio.sleep(due - loop.time())


def main() -> None:
    """Run the watcher."""
    parser = argparse.ArgumentParser(prog="watcher")
    parser.add_argument("--target", action="append", required=True, help="base URL of a service")
    parser.add_argument("--webhook")
    parser.add_argument("--token-file", type=Path)
    given = parser.parse_args()
    receiver = Receiver(given.webhook, given.token_file) if given.webhook else None
    child.run(lambda _: watch(given.target, receiver))


if __name__ == "__main__":
    main()
