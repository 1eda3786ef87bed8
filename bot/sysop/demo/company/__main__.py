"""Start the company and keep it running until a signal, a failure, or the end of standard input stops it."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sysop.demo.company import child, control, scenario, wire
from sysop.demo.company.child import ChildFailed
from sysop.demo.company.supervisor import COMPANY_FILE, Company, CompanyBroken, Options

LOCK_FILE = "company.lock"


async def run(options: Options, until_eof: bool) -> None:
    """Run a company until it is told to stop; CompanyBroken or ChildFailed when it cannot go on."""
    plan = scenario.plan(options.seed)
    if options.whole:
        plan = scenario.whole(plan)
    scenario.write(plan, options.folder)
    listening = wire.open_socket()
    company = Company(options, plan, wire.address(listening))
    server = wire.Server(control.handler(company))
    server.listen(listening)
    with _kubernetes(company):
        await _live(company, server, until_eof)


async def _live(company: Company, server: wire.Server, until_eof: bool) -> None:
    life, stop = asyncio.create_task(company.run()), asyncio.create_task(_told_to_stop(until_eof))
    try:
        await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        server.close()
        await company.stop()


@contextmanager
def _kubernetes(company: Company) -> Iterator[None]:
    """Offer the whole company's Kubernetes API, if there is a token for it."""
    file = company.options.kubernetes_token_file
    if not company.options.whole or file is None:
        yield
        return
    # The testing kit takes a tenth of a second to import, which the small company does without.
    from sysop.demo.company.kubernetes import Face

    face = Face(company, file.read_text().strip())
    company.kubernetes = face.server.url
    with face.server:
        yield
        for problem in face.server.problems:
            logging.error("a real API server would not have understood: %s", problem)
        face.server.problems.clear()


async def _told_to_stop(until_eof: bool) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, told), daemon=True).start()
    await told.wait()


def _wait_for_eof(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    for _ in child.lifeline_lines():
        pass
    loop.call_soon_threadsafe(told.set)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel frees however this process ends; CompanyBroken when it is taken."""
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise CompanyBroken(f"a company is running in {folder} already") from taken
        # Left by a company that was killed: its addresses are no longer true.
        (folder / COMPANY_FILE).unlink(missing_ok=True)
        yield


def _webhook(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "http" or not parts.hostname:
        raise argparse.ArgumentTypeError("give an http:// URL")
    return text


def options() -> tuple[Options, bool]:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m sysop.demo.company", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the company's files and logs go")
    parser.add_argument("--seed", type=int, required=True, help="decides releases, fault and order of deploys")
    parser.add_argument("--webhook", type=_webhook, help="send Alertmanager webhooks to this URL")
    parser.add_argument("--token-file", type=Path, help="bearer token for the webhooks")
    parser.add_argument("--whole", action="store_true", help="with search, limits and Kubernetes: the one for drills")
    parser.add_argument("--kubernetes-token-file", type=Path, help="bearer token of the whole company's Kubernetes API")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    given = parser.parse_args()
    folder = given.folder.resolve()
    return _chosen(given, folder), given.until_eof


def _chosen(given: argparse.Namespace, folder: Path) -> Options:
    token_file, of_kubernetes = (
        file.resolve() if file else None for file in (given.token_file, given.kubernetes_token_file)
    )
    return Options(folder, given.seed, given.webhook, token_file, given.whole, of_kubernetes)


def main() -> int:
    """Run the company."""
    chosen, until_eof = options()
    logs = chosen.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=logs / "supervisor.log", level=logging.INFO, format=child.LOG_FORMAT)
    try:
        with only_one(chosen.folder):
            asyncio.run(run(chosen, until_eof))
    except (CompanyBroken, ChildFailed) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
