"""The demo as a person runs it: `sysop demo`, in a folder of its own, with nothing else configured."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from week_behind import WEEK_S, python_behind

pytestmark = pytest.mark.timeout(240)

SYSOP = [sys.executable, "-m", "sysop"]
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def demo(tmp_path: Path, *arguments: str, python: Path | None = None) -> tuple[int, dict[str, Any], str]:
    sysop = [str(python or sys.executable), "-m", "sysop"]
    command = [*sysop, "demo", "--json", "--folder", str(tmp_path / "demo"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=BARE, capture_output=True, text=True, timeout=200)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def company_processes(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and "ps -eo" not in line]


def approve_at_the_prompt(tmp_path: Path, seed: str) -> None:
    """Run a demo in a terminal of its own, where a person types first what is no answer and then yes."""
    ours, theirs = pty.openpty()
    command = [*SYSOP, "demo", "--folder", str(tmp_path / "demo"), "--seed", seed]
    env = {**BARE, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = ""
    answered = False
    while True:
        ready, _, _ = select.select([ours], [], [], 120)
        assert ready, seen[-2000:]
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk.decode(errors="replace")
        if not answered and "Approve? [y/n]" in seen:
            os.write(ours, b"perhaps\ny\n")
            answered = True
    os.close(ours)
    assert process.wait(30) == 0, seen[-3000:]
    assert "who feels it" in seen
    assert "how it ended" in seen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert re.search(r"right repair\s+yes", plain), plain[-3000:]


def test_the_company_breaks_and_recovers_and_again_when_a_person_approves_at_the_prompt(tmp_path: Path) -> None:
    code, found, said = demo(tmp_path, "--yes", "--seed", "11")
    assert code == 0, said
    assert found["recovered"] is True
    assert found["correct"] is True
    assert found["audit_verified"] is True
    assert found["incidents_out"] == 1
    assert found["alerts_in"] >= 2
    assert found["runbook"] == "runbooks/error-rate-after-deploy.md"
    assert found["incident"]["id"].startswith("inc-")
    assert found["approval"]["approver"] == ["person:demo-approver"]
    assert found["approval"]["requester"] == ["service:alerts"]
    assert len(found["approval"]["digest"]) == 64
    changed = [call for call in found["calls"] if call["risk"] != "read"]
    assert [(call["action"], call["outcome"], call["verified"]) for call in changed] == [
        ("cicd.rollback", "done", True)
    ]
    assert found["seconds"]["propose"] <= found["seconds"]["execute"] <= found["seconds"]["recover"]
    assert company_processes(tmp_path) == []
    approve_at_the_prompt(tmp_path, "2")


def test_what_helped_last_week_is_said_when_the_same_comes_again(tmp_path: Path) -> None:
    code, _, said = demo(tmp_path, "--yes", "--again")
    assert (code, "run one first" in said) == (1, True)
    code, then, said = demo(tmp_path, "--yes", "--seed", "11", python=python_behind(tmp_path / "behind"))
    assert (code, then["recovered"], then["recalled"]) == (0, True, []), said
    code, found, said = demo(tmp_path, "--yes", "--seed", "11", "--again")
    assert (code, found["recovered"], found["correct"], found["incidents_out"]) == (0, True, True, 1), said
    assert found["incident"]["id"] != then["incident"]["id"]
    day = datetime.now(UTC) - timedelta(seconds=WEEK_S)
    fixed = rf"cicd.rollback of {then['scenario']['service']} fixed it in (less than a|\d+) minutes?"
    (told,) = found["recalled"]
    assert re.fullmatch(rf"Seen before on \d+ \w+( \d+)?: {fixed} \({then['incident']['id']}\)\.", told), told
    assert any(f" {one.day} {one:%b}" in told for one in (day, day - timedelta(minutes=10)))


def test_a_denial_changes_nothing_and_leaves_the_incident_open(tmp_path: Path) -> None:
    code, found, _ = demo(tmp_path, "--deny", "--seed", "8")
    assert code == 1
    assert (found["recovered"], found["incident"]["state"]) == (False, "open")
    assert found["approval"]["state"] == "denied"
    assert found["live_versions"][found["scenario"]["service"]] == found["scenario"]["bad_version"]
    assert [call for call in found["calls"] if call["risk"] != "read"] == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_nothing_is_left_running(tmp_path: Path, sent: signal.Signals) -> None:
    command = [*SYSOP, "demo", "--yes", "--folder", str(tmp_path / "demo")]
    process = subprocess.Popen(command, cwd=tmp_path, env=BARE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    _until(lambda: (tmp_path / "demo/company/company.json").exists())
    process.send_signal(sent)
    output, _ = process.communicate(timeout=40)
    assert process.returncode in (130, -signal.SIGKILL), output
    assert b"Traceback" not in output
    _until(lambda: company_processes(tmp_path) == [])


def test_it_does_not_touch_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/thesis.txt").write_text("precious")
    code, _, said = demo(tmp_path, "--yes")
    assert code == 1
    assert "is not a demo's folder" in said
    assert (tmp_path / "demo/thesis.txt").read_text() == "precious"


def test_without_anybody_to_ask_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SYSOP, "demo"], cwd=tmp_path, env=BARE, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--yes or --deny" in done.stderr


def _until(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.1)
