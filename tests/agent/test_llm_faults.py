"""What happens when the model server does not do its part: bounded retries, then the runbooks take over for good."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from llm_kit import desk

import bench
from sysop.agent.llm_planner import LlmPlanner
from sysop.agent.prompts.runbooks import finder
from sysop.errors import SettingsError
from sysop.extension import Toolbox
from sysop.inventory import Inventory
from sysop.knowledge.index import Index
from sysop.model import Conclusion, Run
from sysop.sections import LlmSettings
from sysop.store import approvals
from sysop.testing.llm import Answer, Asked, Fault, LlmServer, Use, turns

RUNBOOK = """---
title: Append by hand
alerts: [Never]
services: ["*"]
owner: platform
reviewed: 2026-11-23
autonomy: ask
---

# Append by hand

```step
id: append
action: lab.append
with: {name: by_runbook}
```

```step
id: check
action: lab.look
until: ${size(steps.check.result) > 0}
within: 5s
every: 1s
```

```conclude
summary: appended by the runbook
resolved: true
```
"""


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sysop.db'}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysop.agent.llm_model.PAUSE_S", 0.01)


LOOK = Answer("", [Use("lab-look")])
GIVE_UP = [
    (Fault("status", 401, code="invalid_api_key"), "the model server refused the key; check llm.key", 1),
    (Fault("status", 404), "the model server answered with status 404", 1),
    (Fault("status", 400, code="context_length_exceeded"), "the conversation is too long for the model", 3),
    (Fault("status", 429, code="insufficient_quota"), "the quota of the model account is used up", 1),
    (Fault("status", 429, {"Retry-After": "3600"}), "the model server asks to slow down", 1),
    (Fault("status", 500), "the model server answered with status 500, tried 3 times", 3),
    (Fault("cut"), "the model server cannot be reached, tried 3 times", 3),
    (Fault("garbage"), "the model's answer could not be used", 3),
    (Fault("empty"), "the model's answer could not be used", 3),
    (Fault("hang"), "the model did not answer in time, tried 3 times", 3),
]


def again(fault: Fault, times: int, then: Answer) -> Callable[[Asked], Answer | Fault]:
    return lambda asked: fault if asked.number < times else then


@pytest.mark.parametrize(("fault", "why", "requests"), GIVE_UP, ids=lambda v: v.kind if isinstance(v, Fault) else None)
async def test_a_fault_that_stays_hands_over_and_says_why(
    tmp_path: Path, sqlite: str, fault: Fault, why: str, requests: int
) -> None:
    with LlmServer(lambda asked: fault) as server:
        limits = {"request_seconds": 1} if fault.kind == "hang" else {}
        async with desk(tmp_path, sqlite, server.url, limits=limits) as bot:
            run = await bot.end()
            said = await bot.said(run.id)
            assert (await bot.usage(run.id))["requests"] == requests
    assert run.state == "done"
    assert why in run.conclusion["degraded"]
    assert run.conclusion["resolved"] is False
    assert any("Going on without the language model" in text for text in said)
    assert len(server.asked) == requests


@pytest.mark.parametrize(
    "fault",
    [Fault("status", 503), Fault("status", 429, {"Retry-After": "1"}), Fault("cut"), Fault("garbage"), Fault("empty")],
    ids=lambda fault: fault.kind + str(fault.status),
)
async def test_a_fault_that_passes_is_survived(tmp_path: Path, sqlite: str, fault: Fault) -> None:
    with LlmServer(again(fault, 1, Answer("all is well"))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            began = time.monotonic()
            run = await bot.end()
    assert run.conclusion["summary"] == "all is well"
    assert run.conclusion["degraded"] is None
    assert len(server.asked) == 2
    if fault.headers:
        assert time.monotonic() - began >= 1


async def test_a_budget_that_ends_among_failing_requests_keeps_what_they_used(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(again(Fault("status", 500), 9, LOOK)) as server:
        async with desk(tmp_path, sqlite, server.url, limits={"max_requests": 2}) as bot:
            run = await bot.end()
            assert (await bot.usage(run.id))["requests"] == len(server.asked) == 2
    assert "the budget of 2 model requests is used up" in run.conclusion["summary"]


async def test_tokens_and_requests_stay_counted_when_the_fallback_takes_over(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(turns(LOOK, Fault("status", 500))) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            used = await bot.usage((await bot.end()).id)
    assert (used["requests"], used["input_tokens"], used["output_tokens"]) == (4, 100, 20)


async def test_a_model_that_only_talks_nonsense_hands_over(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(lambda asked: Answer("", [Use("lab-dance", {"step": asked.turn})])) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
    assert "could not be used" in run.conclusion["degraded"]
    assert len(server.asked) == 4


async def test_a_model_that_repeats_one_nonsense_is_stopped(tmp_path: Path, sqlite: str) -> None:
    with LlmServer(lambda asked: Answer("", [Use("lab-dance")])) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
    assert "the model goes in circles" in run.conclusion["summary"]
    assert len(server.asked) == 4


async def test_the_server_dies_in_the_middle_and_the_runbook_goes_on_for_good(tmp_path: Path, sqlite: str) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "append.md").write_text(RUNBOOK)
    server = LlmServer(turns(LOOK, Fault("status", 500)))
    with server:
        async with desk(tmp_path, sqlite, server.url, runbooks=[str(pages)]) as bot:
            run = (await bot.until(await bot.ask(runbook="append"), "waiting")).id
            assert "Append by hand" in server.asked[0].text
    assert len(server.asked) == 4
    async with desk(tmp_path, sqlite, "http://127.0.0.1:9/v1", runbooks=[str(pages)]) as bot:
        waiting = await bot.run(run)
        assert "status 500" in waiting.plan["degraded"]
        assert waiting.plan["llm"][0]["model"] == "test"
        assert waiting.plan["fallback"]["runbook"] == "pages/append.md"
        await bot.decide((await bot.pending())[0])
        ended = await bot.until(run)
        assert bot.effects == [f"{run}:fallback.append"]
        assert [o.call for o in await bot.outcomes(run)] == ["a1.0", "fallback.append", "fallback.check#1"]
    assert ended.conclusion["summary"] == "appended by the runbook"
    assert "status 500" in ended.conclusion["degraded"]


async def test_calls_left_open_by_a_failed_model_are_never_executed(tmp_path: Path, sqlite: str) -> None:
    """The answer that breaks the conversation also asks for a change: its approval is void with the run."""

    def script(asked: Asked) -> Answer:
        change = [Use("lab-append", {"name": "p"})] if asked.turn == 3 else []
        return Answer("", [*change, Use("lab-look", {f"step{asked.turn}": "x"})])

    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url) as bot:
            run = await bot.end()
            (asked,) = await bot.app.store.read(lambda conn: approvals.listed(conn, pending_only=False))
            assert (asked.state, bot.effects) == ("void", [])
    assert "could not be used" in run.conclusion["degraded"]


class Impatient:
    """A fallback that acts at once, without a plan of its own."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        done = await toolbox.call("act", "lab.append", {"name": "p"})
        return Conclusion("acted without the model", resolved=done.ok)


async def test_the_switch_is_stored_before_the_fallback_acts(tmp_path: Path, sqlite: str) -> None:
    def planner() -> LlmPlanner:
        settings = LlmSettings(model="x", base_url=server.url)
        return LlmPlanner(settings, lambda: None, Impatient(), finder(Index({}), Inventory()))

    fault: list[Fault] = [Fault("status", 401)]
    with LlmServer(lambda asked: fault[0] if fault else Answer("I am back")) as server:
        async with desk(tmp_path, sqlite, server.url, planners={"own": planner}) as bot:
            run = (await bot.until(await bot.ask(planner="own"), "waiting")).id
            fault.clear()
            await bot.decide((await bot.pending())[0])
            ended = await bot.until(run)
            assert bot.effects == [f"{run}:fallback.act"]
    assert ended.conclusion["summary"] == "acted without the model"
    assert len(server.asked) == 1


async def test_a_window_smaller_than_ours_is_met_with_a_shorter_view(tmp_path: Path, sqlite: str) -> None:
    (tmp_path / "effects").write_text("line of text\n" * 600)

    def script(asked: Asked) -> Answer | Fault:
        if len(asked.text) > 20_000:
            return Fault("status", 400, code="context_length_exceeded")
        return Answer("", [Use("lab-look", {"name": str(asked.turn)})]) if asked.turn < 5 else Answer("seen it all")

    with LlmServer(script) as server:
        async with desk(tmp_path, sqlite, server.url, limits={"history_tokens": 8000}) as bot:
            run = await bot.end()
    assert run.conclusion["summary"] == "seen it all"
    assert run.conclusion["degraded"] is None
    assert max(len(asked.text) for asked in server.asked) > 20_000


async def test_a_key_that_is_not_there_hands_over_and_names_the_setting(tmp_path: Path, sqlite: str) -> None:
    limits = {"key": "env:NO_SUCH_KEY_HERE"}
    async with desk(tmp_path, sqlite, "http://127.0.0.1:9/v1", limits=limits) as bot:
        run = await bot.end()
    assert run.conclusion["degraded"] == "llm.key: the environment has no NO_SUCH_KEY_HERE"


async def test_the_key_is_sent(tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_TEST_KEY", "right-key-for-tests")
    with LlmServer(lambda asked: Answer("hello"), key="right-key-for-tests") as server:
        async with desk(tmp_path, sqlite, server.url, limits={"key": "env:LLM_TEST_KEY"}) as bot:
            assert (await bot.end()).conclusion["summary"] == "hello"


def test_without_the_extra_the_start_says_what_to_install(
    tmp_path: Path, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    with pytest.raises(SettingsError, match=r"pip install -e '\.\[llm\]'"):
        bench.build(tmp_path, sqlite, llm={"model": "openai:x"})


def test_a_name_without_an_address_is_refused_at_the_start(tmp_path: Path, sqlite: str) -> None:
    with pytest.raises(SettingsError, match="write openai:NAME"):
        bench.build(tmp_path, sqlite, llm={"model": "x"})


def test_a_process_that_runs_nothing_never_imports_the_library(tmp_path: Path) -> None:
    code = (
        "import sys, bench, pathlib\n"
        f"bench.build(pathlib.Path({str(tmp_path)!r}), 'sqlite:///{tmp_path}/s.db', llm={{'model': 'openai:x'}})\n"
        "assert 'pydantic_ai' not in sys.modules and 'openai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
