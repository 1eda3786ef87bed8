"""`sysop dev` as a command: it ends whole, begins again, says what is in its way, and lets the command line work."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest

from dev import process
from dev.process import beside, dev, marked
from dev.talk import Talk, until
from sysop.surfaces.server import listen

pytestmark = pytest.mark.timeout(180)


async def test_ctrl_c_ends_everything_and_it_begins_again(tmp_path: Path) -> None:
    async with dev(tmp_path / "dev") as first:
        assert len(first.left_over()) >= 4, "the company and its services run in processes of their own"
    assert first.process.returncode == 0
    assert marked(first.mark) == []
    async with dev(tmp_path / "dev") as second, aiohttp.ClientSession() as http:
        assert second.facts["control_token"] != first.facts["control_token"]
        await Talk(second, http).button("shop", "demo.break")
    assert second.process.returncode == 0
    assert second.said() == ""


async def test_the_company_goes_with_it_even_where_nobody_could_say_goodbye(tmp_path: Path) -> None:
    running = await process.ready(await process.start(tmp_path / "dev", "--port", "0"))
    try:
        running.process.kill()
        await running.process.wait()

        async def gone() -> bool:
            return not marked(running.mark)

        await until(gone, "end of the company")
    finally:
        await process.end(running)


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code, said = await process.run(tmp_path, "dev", "--folder", str(tmp_path / "dev"), "--port", str(port))
    assert code == 1
    assert said == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port\n"


async def test_a_folder_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    async with dev(tmp_path / "dev"):
        code, said = await process.run(tmp_path, "dev", "--folder", str(tmp_path / "dev"), "--port", "0")
    assert code == 1
    assert re.fullmatch(r"Error: a demo is running in .*; stop it or name another --folder\n", said)


async def test_the_command_line_approves_what_the_chat_asks(tmp_path: Path) -> None:
    async with dev(tmp_path / "dev") as running, aiohttp.ClientSession() as http:
        talk = Talk(running, http)
        await (await talk.button("shop", "demo.break"))("requester")
        await talk.button("incidents", "approval.approve")
        card = await talk.said("incidents", "Approval needed")
        [approval], [digest] = (re.findall(f"{name} `([^`]+)`", str(card["blocks"])) for name in ("approval", "digest"))
        code, listed = await beside(running, "approvals")
        assert (code, approval in listed) == (0, True), listed
        code, said = await beside(running, "approve", approval, "--digest", digest)
        assert code == 0, said
        await talk.said("incidents", "Approved")
        await talk.said("incidents", "Resolved after")
