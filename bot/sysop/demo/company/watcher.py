"""The company's monitoring in one process: scrapes, records, alerts, answers queries and sends webhooks."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from sysop.demo.company import child, rules, wire
from sysop.demo.company.alerts import Alerts, FalseAlarm
from sysop.demo.company.notify import Notifier, Receiver
from sysop.demo.company.promapi import Api, Evaluation, History
from sysop.demo.company.series import Counters

INTERVAL_SECONDS = 1.0
SCRAPE_SECONDS = 0.9
FALSE_ALARM = "false-alarm"

log = logging.getLogger("watcher")


class Targets:
    """What to scrape, as a file that Prometheus's file_sd reads too; it changes with every replica."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written = 0
        self._now: tuple[str, ...] = ()

    def read(self) -> Sequence[str]:
        """Return the addresses, host and port each."""
        written = self._file.stat().st_mtime_ns
        if written != self._written:
            self._written = written
            self._now = tuple(target for group in json.loads(self._file.read_text()) for target in group["targets"])
        return self._now


class Watcher:
    """Scrapes its targets and evaluates the rules, once an interval."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._scraped: set[str] = set()
        self._counters = Counters({metric: tuple(folds) for metric, folds in rules.folds().items()})
        self.history = History()
        self.alerts = Alerts()
        self.notifier: Notifier | None = None
        self.ready = False

    async def tick(self) -> None:
        """Scrape, record, and pass on what fires or has resolved."""
        targets = set(self._targets.read())
        for gone in self._scraped - targets:
            self._counters.lose(gone)
        self._scraped = targets
        await asyncio.gather(*(self._scrape(target) for target in targets))
        at = round(time.time(), 3)
        recorded = rules.record(self._counters.samples(at))
        self.history.add(Evaluation(at, recorded))
        news = self.alerts.evaluate(at, recorded)
        if self.notifier is not None:
            self.notifier.receive(news)
        if not self.ready and all(recorded[name] for name in rules.CUSTOMERS):
            self.ready = True
            child.report(watching=True)

    async def _scrape(self, target: str) -> None:
        at = time.time()
        try:
            answer = await wire.fetch(f"http://{target}/metrics", timeout=SCRAPE_SECONDS)
        except OSError as problem:
            log.warning("no metrics from %s: %s", target, problem or type(problem).__name__)
            self._counters.lose(target)
            return
        if answer.ok:
            self._counters.add(at, answer.body.decode(), target)
        else:
            self._counters.lose(target)

    async def obey(self, commands: child.Commands) -> None:
        """Let the false alarms go off that somebody asks for: `false-alarm NAME SERVICE SECONDS`."""
        known = {rule.name: rule for rule in rules.ALERT_RULES}
        while True:
            match (await commands.get()).split():
                case [command, name, service, seconds] if command == FALSE_ALARM:
                    self.alerts.mislead(FalseAlarm(known[name], service, time.time() + float(seconds)))


async def watch(targets: Targets, receiver: Receiver | None, commands: child.Commands) -> None:
    """Watch until the process ends."""
    watcher = Watcher(targets)
    listening = wire.open_socket()
    if receiver is not None:
        watcher.notifier = Notifier(receiver, wire.address(listening))
    wire.Server(Api(watcher.history, watcher.alerts, lambda: watcher.ready).handle).listen(listening)
    child.report(listening=wire.address(listening))
    async with asyncio.TaskGroup() as together:
        together.create_task(watcher.obey(commands))
        together.create_task(_beat(watcher))


async def _beat(watcher: Watcher) -> None:
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
    parser.add_argument("--targets", type=Path, required=True, help="file of targets, as for Prometheus's file_sd")
    parser.add_argument("--webhook")
    parser.add_argument("--token-file", type=Path)
    given = parser.parse_args()
    receiver = Receiver(given.webhook, given.token_file) if given.webhook else None
    child.run(lambda commands: watch(Targets(given.targets), receiver, commands))


if __name__ == "__main__":
    main()
