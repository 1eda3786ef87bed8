"""The whole incident at the page of `sysop dev`: a person breaks the shop, another approves, customers are well."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from dev.person import person, whole_incident
from dev.process import dev

pytest_plugins = ("workspace.page_fixtures",)
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.mark.parametrize(("screen", "mode"), [("laptop", "socket"), ("phone", "http")])
async def test_a_person_breaks_the_shop_and_another_lets_it_be_repaired(
    screen: str, mode: str, tmp_path: Path, browser: Browser, artefacts: Path
) -> None:
    async with dev(tmp_path / "dev", "--mode", mode) as running, person(browser, screen, artefacts) as someone:
        seen = await whole_incident(someone, running.page("requester"))
    rollback = [line.rpartition(": ")[2] for line in seen if line.startswith("cicd.") and "rollback" in line]
    assert rollback == ["running", "done"], seen
    assert running.process.returncode == 0
    assert running.said() == ""
