"""Whole drills as a person runs them: `sysop drill`, a company, a Sysop, and the company's own record at the end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from absent import missing
from sysop.cli.drill import Silence
from sysop.demo.drilling.every import Job, Means, every
from sysop.demo.drilling.folder import load
from sysop.demo.drilling.running import Row
from sysop.demo.drilling.verdict import Verdict

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).resolve().parents[2]
SYSOP = [sys.executable, "-m", "sysop"]
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
SECRET = "xylophone"

FAULT = f"""
title: The {SECRET} release that fails requests
choose: {{service: [gateway, checkout, payments]}}
decoys: {{deploys: [1, 1], after: [0s, 1s]}}
faults:
  - {{at: 0s, kind: release, service: "${{service}}", fault: errors}}
deadline: 150s
"""
THROUGH_BUILDBOT = FAULT.replace("deadline:", "provider: buildbot\ndeadline:")
TRUTH = """
answer: fix
changes: [{kind: deploy, service: "${service}", after: "${good}"}]
"""
ORACLE = """
steady: 3s
well: [gateway, checkout, payments]
live: {"${service}": "${good}"}
"""


def write(folder: Path, name: str, fault: str = FAULT, truth: str = TRUTH, oracle: str = ORACLE) -> None:
    (folder / name).mkdir(parents=True)
    for file, text in (("fault", fault), ("truth", truth), ("oracle", oracle)):
        (folder / name / f"{file}.yaml").write_text(text)


def drill(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    command = [*SYSOP, "--state", str(tmp_path / "state"), "drill", "--json", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=BARE, capture_output=True, text=True, timeout=200)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def processes(folder: Path) -> list[int]:
    found = []
    for at in Path("/proc").iterdir():
        try:
            if at.name.isdigit() and str(folder).encode() in (at / "cmdline").read_bytes():
                found.append(int(at.name))
        except OSError:
            continue
    return found


def told(process: int) -> Iterator[bytes]:
    """Yield what a process was started with."""
    for file in ("cmdline", "environ"):
        try:
            yield Path(f"/proc/{process}/{file}").read_bytes()
        except OSError:
            continue


def buildbot() -> Path | None:
    found = Path(os.environ.get("SYSOP_TEST_BUILDBOT") or ROOT / ".venv-buildbot")
    return found if (found / "bin" / "buildbot").exists() else None


def test_a_bad_release_is_found_and_nothing_sysop_can_see_tells_of_the_drill(tmp_path: Path) -> None:
    builds = buildbot()
    write(tmp_path / SECRET, SECRET, fault=FAULT if builds is None else THROUGH_BUILDBOT)
    command = [*SYSOP, "--state", str(tmp_path / "state"), "drill", SECRET, "--dir", str(tmp_path / SECRET)]
    command += ["--buildbot", str(builds)] if builds else []
    engine = subprocess.Popen(
        [*command, "--json", "--keep"], cwd=tmp_path, env=BARE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    seen: dict[int, bytes] = {}
    while engine.poll() is None:
        itself = next(told(engine.pid), b"")  # of a child, too, between its fork and its exec
        looked = {one: list(told(one)) for one in processes(tmp_path / "state") if one != engine.pid}
        seen.update({one: b" ".join(text) for one, text in looked.items() if text[:1] != [itself]})
        time.sleep(0.2)
    out, err = engine.communicate()
    found = json.loads(out)
    row = found["drills"][0]
    assert engine.returncode == 0, (row["why"], err)
    assert (row["verdict"], row["truth"], row["approvals"]) == ("resolved", "fix", 1)
    assert [(change["kind"], change["before"] != change["after"]) for change in row["changes"]] == [("deploy", True)]
    totals = found["totals"]
    assert (totals["drills"], totals["resolved"], totals["wrong"]) == (1, 1, 0)
    assert (totals["unapproved_changes"], totals["needless_changes"]) == (0, 0)
    assert found["controls"] == {}
    assert len(seen) >= 5, "the company's processes were looked at"
    assert [one for one, text in seen.items() if SECRET.encode() in text] == []
    kept = [file for file in Path(row["folder"]).rglob("*") if file.is_file()]
    assert {"sysop.yaml", "sysop.db"} <= {file.name for file in kept}
    assert [file for file in kept if SECRET.encode() in file.read_bytes()] == []
    assert processes(tmp_path / "state") == []
    if builds is None:
        missing("Buildbot is not installed: `make test` installs it, or name its environment in SYSOP_TEST_BUILDBOT")
    settings = Path(row["folder"], "sysop.yaml").read_text()
    assert "buildbot:" in settings
    assert "sysop.demo.company.deploy" not in settings, "the local runner cannot deploy in this drill"


ALARM = """
title: An alert without a cause
choose: {service: [gateway, checkout, payments]}
faults:
  - {at: 0s, kind: release, service: "${service}", fault: none}
  - {at: 4s, kind: false_alarm, service: "${service}", alert: DiskFilling, seconds: 10}
deadline: 120s
"""
STEADY = "steady: 3s\nwell: [gateway, checkout, payments]\n"
HASTY = "roll-back-newest"


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Row]:
    """Return the rows of a drill with Sysop's planner and with a control, carried out at once, by drill and control."""
    place = tmp_path_factory.mktemp("drills")
    write(place / "drills", "alarm", fault=ALARM, truth="answer: nothing\n", oracle=STEADY)
    alarm = load(place / "drills", "alarm", 2)
    jobs = [Job(alarm), Job(alarm, HASTY)]
    rows = asyncio.run(every(jobs, Means(place / "companies", len(jobs), keep=True), Silence()))
    assert processes(place) == []
    return {(row.drill.name, row.control): row for row in rows}


def test_a_false_alarm_is_let_pass(side_by_side: dict[tuple[str, str], Row]) -> None:
    row = side_by_side["alarm", ""]
    assert (row.judged.verdict, row.changes, row.approvals) == (Verdict.RESOLVED, (), 0), row.judged


def test_a_control_that_acts_on_a_false_alarm_is_wrong_though_it_was_approved(
    side_by_side: dict[tuple[str, str], Row],
) -> None:
    row = side_by_side["alarm", HASTY]
    assert row.judged.verdict is Verdict.WRONG
    assert [change.kind for change in row.needless] == ["deploy"], row.judged
    assert (row.unapproved, row.approvals) == ((), 1)


def test_an_interrupt_leaves_nothing_running(tmp_path: Path) -> None:
    write(tmp_path / "drills", "errors")
    command = [*SYSOP, "--state", str(tmp_path / "state"), "drill", "errors", "--dir", str(tmp_path / "drills")]
    engine = subprocess.Popen(command, cwd=tmp_path, env=BARE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: list((tmp_path / "state").rglob("company.json")) != [])
    engine.send_signal(signal.SIGINT)
    output, _ = engine.communicate(timeout=40)
    assert engine.returncode == 130, output
    assert b"Traceback" not in output
    until(lambda: processes(tmp_path / "state") == [])


def test_a_wrong_folder_ends_with_one_message(tmp_path: Path) -> None:
    write(tmp_path / "drills", "errors", truth="answer: mend\n")
    code, _, said = drill(tmp_path, "--all", "--dir", str(tmp_path / "drills"))
    assert code == 1
    assert "truth.yaml:1: answer: Input should be 'fix', 'escalate' or 'nothing'" in said
    assert "Traceback" not in said
    code, _, said = drill(tmp_path, "errors", "--all", "--dir", str(tmp_path / "drills"))
    assert (code, "name drills, or write --all" in said) == (2, True)


def test_a_drill_that_needs_buildbot_is_not_begun_without_it(tmp_path: Path) -> None:
    write(tmp_path / "drills", "builds", fault=THROUGH_BUILDBOT)
    code, _, said = drill(tmp_path, "builds", "--dir", str(tmp_path / "drills"))
    assert (code, said) == (
        1,
        "Error: builds needs Buildbot; name the environment it is installed in with --buildbot\n",
    )
    code, found, said = drill(tmp_path, "--all", "--no-controls", "--dir", str(tmp_path / "drills"))
    assert (code, found["totals"]["drills"]) == (0, 0)
    assert "builds is left out: it needs Buildbot, see --buildbot" in said
    code, _, said = drill(tmp_path, "builds", "--dir", str(tmp_path / "drills"), "--buildbot", str(tmp_path))
    assert (code, "holds no Buildbot, as there is no bin/buildbot in it" in said) == (1, True)
    assert not (tmp_path / "state").exists() or list((tmp_path / "state").rglob("sysop.yaml")) == []


def until(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.1)
