"""`sysop dev`: seconds until its page answers, and of the whole incident by a scripted person in a real browser.

Run by itself: python benchmarks/slack_dev.py --runs 3; with --picture docs/workspace.png it makes that picture.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import common
from playwright.async_api import Browser, async_playwright

from dev import process
from dev.person import Person, person, whole_incident
from sysop.surfaces.server import listen
from workspace.page_fixtures import ARGUMENTS

PAGE_S = 5.0
INCIDENT_S = 60.0
assert common.bench  # puts the tests' folder on the path


async def once(browser: Browser, artefacts: Path, screen: str) -> tuple[float, float, float]:
    """Return the seconds until the page answers, until the bot is ready, and of the incident."""
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        began = time.perf_counter()
        started = await process.start(Path(name) / "dev", "--port", str(port))
        try:
            await _answers(f"http://127.0.0.1:{port}/")
            page = time.perf_counter() - began
            await process.ready(started)
            ready = time.perf_counter() - began
            async with person(browser, screen, artefacts) as someone:
                return page, ready, await _incident(someone, started.page("requester"))
        finally:
            await process.end(started)


async def _answers(address: str) -> None:
    """Wait until the page is served; without its token it says no, at once."""
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(address) as answer:
                    assert answer.status == 401
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)


async def _incident(someone: Person, address: str) -> float:
    began = time.perf_counter()
    await whole_incident(someone, address)
    return time.perf_counter() - began


async def main(runs: int, picture: Path | None) -> int:
    """Print each run and the medians."""
    found = shutil.which("chromium")
    if found is None:
        print("Chromium is not installed")
        return 1
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
            if picture is not None:
                await once(browser, Path(name), "picture")
                shutil.copy(Path(name) / "picture-light-3-card.png", picture)
                return 0
            took = [await once(browser, Path(name), screen) for screen in (["laptop", "phone"] * runs)[:runs]]
            await browser.close()
    page, ready, incident = (statistics.median(values) for values in zip(*took, strict=True))
    print(f"sysop dev: page up after {page:.1f} s, bot connected and company running after {ready:.1f} s (medians)")
    print(f"the whole incident in a browser, laptop and phone in turn: {', '.join(f'{one[2]:.0f} s' for one in took)}")
    return int(page > PAGE_S or incident > INCIDENT_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.runs, given.picture)))
