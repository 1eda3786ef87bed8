"""What is left when processes are killed at the worst moment."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sysop.api import ActionFailed
from sysop_plugins.cicd import local_build
from sysop_plugins.cicd.local.records import Spec, build_id, create, read
from sysop_plugins.cicd.provider import Build


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    return tmp_path / "cicd" / "builds"


def start(world: Any, builds: Path, key: str, *what: str) -> subprocess.Popen[bytes]:
    """Start a process of its own that triggers a build under a key."""
    config = world.folder / "pipelines.json"
    config.write_text(json.dumps({"pipelines": world.settings["cicd"]["local"]["pipelines"]}))
    folder = ("--folder", str(builds), "--config", str(config))
    return python("-m", "sysop_plugins.cicd.local", "trigger", *folder, "--key", key, *what)


def python(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    return out.decode(), err.decode()


def claimed(builds: Path, key: str, pipeline: str = "slow-deploy", age: int = 0) -> Path:
    """Leave behind what a process leaves that was killed right after its claim."""
    parameters = {"service": "payments", "version": "1"}
    spec = Spec(
        key=key,
        pipeline=pipeline,
        parameters=parameters,
        command=("/bin/true",),
        directory="/",
        environment={},
        timeout_seconds=5,
        deploys=True,
        previous=None,
        change="",
        requested_by="test",
        created_at=time.time_ns() // 1_000_000 - age,
    )
    builds.mkdir(parents=True, exist_ok=True)
    assert create(builds, spec)
    return builds / build_id(key)


async def state_of(folder: Path) -> Build:
    return read(folder).build


def gone(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] == "Z"


async def test_a_build_goes_on_when_the_process_that_asked_for_it_is_killed(company, builds, executed):
    asking = start(company, builds, "k", "--wait", "sleep", "seconds=1")
    await company.seen((builds / build_id("k") / "started").exists)
    asking.kill()
    finish(asking)
    ended = await company.built(build_id("k"))
    assert (ended["state"], ended["exit_code"]) == ("succeeded", 0)
    found = await company.reconcile("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "1"})
    assert found.state == "done"
    assert executed() == [build_id("k")]


async def test_killed_at_any_moment_and_asked_again_a_build_is_executed_once(company, builds, executed):
    moments = random.Random(11)
    keys = [f"k{n}" for n in range(8)]
    for key in keys:
        asking = start(company, builds, key, "sleep", "seconds=0")
        await asyncio.sleep(moments.uniform(0.15, 0.7))
        asking.kill()
        finish(asking)
        found = await company.reconcile("cicd.trigger", key=key, pipeline="sleep", parameters={"seconds": "0"})
        assert found.state in ("done", "not_done")
        build = await company.call("cicd.trigger", key=key, pipeline="sleep", parameters={"seconds": "0"})
        assert (await company.built(build["id"]))["state"] == "succeeded"
    assert sorted(executed()) == sorted(build_id(k) for k in keys)


TOGETHER = """
import pathlib, sys, time
from sysop_plugins.cicd.local.__main__ import main
go, number, rounds, spacing, *arguments = sys.argv[1:]
pathlib.Path(go + ".ready" + number).touch()
while not pathlib.Path(go).exists():
    time.sleep(0.001)
begin = float(pathlib.Path(go).read_text())
for turn in range(int(rounds)):
    while time.time() < begin + turn * float(spacing):
        pass
    main([a.replace("ROUND", str(turn)).replace("NUMBER", number) for a in arguments])
"""


async def together(world: Any, builds: Path, processes: int, rounds: int, *arguments: str) -> list[tuple[str, str]]:
    """Let processes trigger at the very same moment, again in each round, and return what each of them wrote."""
    config, go = world.folder / "pipelines.json", world.folder / "go"
    config.write_text(json.dumps({"pipelines": world.settings["cicd"]["local"]["pipelines"]}))
    common = (str(rounds), "0.8", "trigger", "--folder", str(builds), "--config", str(config), *arguments)
    started = [python("-c", TOGETHER, str(go), str(number), *common) for number in range(processes)]
    await world.seen(lambda: len(list(world.folder.glob("go.ready*"))) == processes)
    aside = world.folder / "go.aside"
    aside.write_text(str(time.time() + 0.3))
    aside.rename(go)
    return [finish(p) for p in started]


async def test_eight_processes_with_the_same_key_start_one_build(company, builds, executed):
    rounds = 5
    told = await together(company, builds, 8, rounds, "--key", "same-ROUND", "sleep", "seconds=0.1")
    assert {err for _, err in told} == {""}
    expected = [build_id(f"same-{turn}") for turn in range(rounds)]
    for out, _ in told:
        assert [json.loads(line)["id"] for line in out.splitlines()] == expected
    for build in expected:
        assert (await company.built(build))["state"] == "succeeded"
    assert sorted(executed()) == sorted(expected)


async def test_of_processes_deploying_a_service_at_once_one_wins(company, builds, executed):
    deploy = company.settings["cicd"]["local"]["pipelines"]["slow-deploy"]
    deploy["command"][2] = deploy["command"][2].replace("sleep 30", "sleep 3")
    rounds = 3
    asked = ("--key", "ROUND-NUMBER", "slow-deploy", "service=sROUND", "version=NUMBER")
    told = await together(company, builds, 4, rounds, *asked)
    won = [json.loads(line) for out, _ in told for line in out.splitlines()]
    assert sorted(b["parameters"]["service"] for b in won) == ["s0", "s1", "s2"]
    assert sum(err.count("is still") for _, err in told) == 3 * rounds
    for build in won:
        await company.built(build["id"])
    assert sorted(executed()) == sorted(b["id"] for b in won)


async def test_a_second_supervisor_waits_until_it_is_known_who_has_the_build(company, builds):
    """Had it gone at once, whoever asked for it would have closed the build that the first is about to start."""
    folder = claimed(builds, "k")
    first = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(first, fcntl.LOCK_EX)
    second = python(local_build.__file__, str(folder))
    await asyncio.sleep(0.5)
    assert second.poll() is None
    assert not (folder / "started").exists()
    os.close(first)  # the first dies before it started anything
    assert finish(second) == ("", "")
    assert (await company.built(folder.name))["state"] == "succeeded"


def test_a_file_that_appears_once_has_one_maker(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            made = list(
                pool.map(lambda n, turn=turn: local_build.write_once(tmp_path / f"f{turn}", {"by": n}), range(8))
            )
            assert made.count(True) == 1
            assert json.loads((tmp_path / f"f{turn}").read_text()) == {"by": made.index(True)}
    assert len(list(tmp_path.iterdir())) == 20


async def test_a_build_whose_supervisor_was_killed_is_lost_and_its_command_with_it(company, builds, tmp_path):
    command = ["/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"]
    company.settings["cicd"]["local"]["pipelines"]["long"] = {"command": command}
    build = await company.call("cicd.trigger", key="k", pipeline="long", parameters={})
    await company.seen(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    os.kill(json.loads((builds / build["id"] / "started").read_text())["pid"], signal.SIGKILL)
    ended = await company.built(build["id"])
    assert (ended["state"], ended["exit_code"], ended["finished_at"]) == ("failed", None, None)
    assert ended["reason"].startswith("lost: its supervisor was killed")
    await company.seen(lambda: gone((tmp_path / "pid").read_text().strip()))
    again = await company.call("cicd.trigger", key="k", pipeline="long", parameters={})
    assert again["state"] == "failed", "what was started once is never executed again"
    assert (await company.verify("cicd.trigger", build, pipeline="long", parameters={})).state == "failed"
    found = await company.reconcile("cicd.trigger", key="k", pipeline="long", parameters={})
    assert (found.state, found.result["state"]) == ("done", "failed")


async def test_a_supervisor_asked_to_end_takes_the_command_along_and_says_so(company, builds):
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    os.kill(json.loads((builds / build["id"] / "started").read_text())["pid"], signal.SIGTERM)
    ended = await company.built(build["id"])
    assert (ended["state"], ended["reason"]) == ("failed", "stopped: the supervisor was asked to end")


async def test_a_claim_never_started_is_not_done_and_asking_again_executes_it(company, builds):
    folder = claimed(builds, "k")
    found = await company.reconcile("cicd.deploy", key="k", service="payments", version="1")
    assert found.state == "not_done"
    assert (await state_of(folder)).state == "queued"
    rollout = await company.call("cicd.deploy", key="k", service="payments", version="1")
    assert (await company.built(rollout["build"]["id"]))["state"] == "succeeded"


async def test_a_queued_build_that_is_cancelled_is_never_executed(company, builds):
    folder = claimed(builds, "k")
    await company.call("cicd.cancel", build=folder.name)
    assert (await state_of(folder)).state == "cancelled"
    assert (await company.reconcile("cicd.deploy", key="k", service="payments", version="1")).state == "not_done"
    with pytest.raises(ActionFailed, match="never executed: cancelled by sysop:run-test"):
        await company.call("cicd.deploy", key="k", service="payments", version="1")


async def test_a_fresh_claim_of_another_process_is_waited_for(company, builds):
    claimed(builds, "other")
    with pytest.raises(ActionFailed, match="of version 1 is still queued"):
        await company.call("cicd.deploy", key="k", service="payments", version="2")


async def test_a_claim_left_behind_is_closed_for_good_by_the_next_deploy(company, builds):
    folder = claimed(builds, "other", age=61_000)
    rollout = await company.call("cicd.deploy", key="k", service="payments", version="2")
    assert rollout["build"]["state"] == "running"
    assert (await state_of(folder)).reason == "never executed: it was never started and another deploy came first"
    await company.call("cicd.cancel", build=rollout["build"]["id"])
    await company.built(rollout["build"]["id"])
    with pytest.raises(ActionFailed, match="never executed"):
        await company.call("cicd.deploy", key="other", service="payments", version="1")


async def test_half_made_folders_of_a_killed_process_are_not_builds(company, builds):
    (builds / ".new-0123456789abcdef" / "work").mkdir(parents=True)
    assert (await company.call("cicd.recent_deploys"))["count"] == 0
    assert (await company.call("cicd.live_version", service="checkout"))["version"] is None
