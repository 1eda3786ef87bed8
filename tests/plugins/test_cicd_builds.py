from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sysop.api import ActionFailed, InvalidCall
from sysop.gate.bind import parse
from sysop_plugins import cicd
from sysop_plugins.cicd.declared import LONGEST_BUILD
from sysop_plugins.cicd.local.settings import PipelineSettings
from sysop_plugins.cicd.settings import Settings
from sysop_plugins.remote.queries import LONGEST_HEALTH, HealthQuery


async def test_pipelines_are_listed_by_name(company):
    listed = await company.call("cicd.pipelines")
    assert [p["name"] for p in listed["pipelines"]] == sorted(p["name"] for p in listed["pipelines"])
    assert listed["pipelines"][0] == {
        "name": "deploy",
        "description": "Bring a version live",
        "parameters": ["service", "version"],
        "deploys": True,
    }


async def test_a_build_is_started_at_once_and_runs_to_its_end(company, executed):
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "1"})
    assert (build["state"], build["finished_at"], build["requested_by"]) == ("running", None, "sysop:run-test")
    ended = await company.built(build["id"])
    assert (ended["state"], ended["exit_code"], ended["reason"]) == ("succeeded", 0, "")
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]
    assert executed() == [build["id"]]


async def test_a_failing_command_fails_the_build_with_its_exit_code(company):
    build = await company.call("cicd.trigger", pipeline="fail", parameters={})
    ended = await company.built(build["id"])
    assert (ended["state"], ended["exit_code"], ended["reason"]) == ("failed", 3, "exit code 3")
    logs = {"build": build["id"], "state": "failed", "text": "no luck", "lines": 1, "failing": ""}
    assert await company.call("cicd.logs", build=build["id"]) == logs
    assert (await company.verdict("cicd.trigger", build, pipeline="fail", parameters={})).state == "failed"


async def test_a_missing_program_fails_the_build_and_the_health_check(company):
    build = await company.call("cicd.trigger", pipeline="missing", parameters={})
    assert "cannot execute" in (await company.built(build["id"]))["reason"]
    health = await company.health("cicd")
    assert not health.ok
    assert "missing: /no/such/program is not an executable program" in health.detail
    del company.settings["cicd"]["local"]["pipelines"]["missing"]
    assert (await company.health("cicd")).ok


async def test_a_build_over_its_time_is_ended_even_if_it_will_not(company):
    build = await company.call("cicd.trigger", pipeline="stubborn", parameters={})
    ended = await company.built(build["id"])
    assert (ended["state"], ended["exit_code"], ended["reason"]) == ("failed", None, "timed out after 0.3 s")


HOURS = 3_600_000


@pytest.fixture
async def long_build(company):
    """A build that is under way, of a pipeline that may take four hours; its end is not waited for."""
    company.settings["cicd"]["local"]["pipelines"]["sleep"]["timeout_seconds"] = 4 * 3600
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    yield build
    company.at = None
    await company.call("cicd.cancel", build=build["id"])
    await company.built(build["id"])


@pytest.mark.parametrize("readable", [True, False], ids=["read", "unreadable"])
async def test_a_build_is_waited_for_as_long_as_its_pipeline_may_take(company, long_build, tmp_path, readable):
    spec = tmp_path / "cicd" / "builds" / long_build["id"] / "spec.json"
    kept = spec.read_text()
    spec.write_text(kept if readable else "{")
    answers = []
    for after in (1000, 4 * HOURS - 1000, 4 * HOURS + 180_000):
        company.at = long_build["created_at"] + after
        answers.append(await company.verify("cicd.trigger", long_build, pipeline="sleep", parameters={"seconds": "30"}))
    spec.write_text(kept)
    assert [answer.state for answer in answers] == ["pending", "pending", "failed"]
    assert "may take 14400 s only" in answers[-1].detail
    assert ("cannot be looked at" in answers[-1].detail) is not readable


async def test_a_build_that_cannot_be_read_is_not_said_to_have_never_started(company, long_build, tmp_path):
    spec = tmp_path / "cicd" / "builds" / long_build["id"] / "spec.json"
    kept = spec.read_text()
    spec.write_text("{")
    company.at = long_build["created_at"] + 120_000
    queued = {**long_build, "state": "queued", "started_at": None}
    answer = await company.verify("cicd.trigger", queued, pipeline="sleep", parameters={"seconds": "30"})
    spec.write_text(kept)
    assert answer.state == "pending"
    assert "cannot be looked at" in answer.detail


@pytest.mark.parametrize("name", ["trigger", "deploy", "rollback"])
def test_the_gate_waits_for_the_longest_build_that_settings_allow_and_for_the_readings_after_it(name):
    """The check gives up by itself; were the gate to give up before, a long build that is well would have failed."""
    (action,) = (a for a in cicd.register_actions() if a.name == name)
    assert action.verify.within.total_seconds() > 2 * LONGEST_BUILD + LONGEST_HEALTH
    PipelineSettings(command=("x",), timeout_seconds=LONGEST_BUILD)
    HealthQuery(query="q", below=1, within_seconds=LONGEST_HEALTH)
    with pytest.raises(ValidationError, match="timeout_seconds"):
        PipelineSettings(command=("x",), timeout_seconds=LONGEST_BUILD + 1)
    with pytest.raises(ValidationError, match="within_seconds"):
        HealthQuery(query="q", below=1, within_seconds=LONGEST_HEALTH + 1)


async def test_a_build_can_be_cancelled(company):
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    stopped = await company.call("cicd.cancel", build=build["id"])
    assert (await company.verdict("cicd.cancel", stopped, build=build["id"])).state == "passed"
    ended = await company.call("cicd.status", build=build["id"])
    assert (ended["state"], ended["reason"]) == ("cancelled", "cancelled by sysop:run-test")
    assert (await company.call("cicd.cancel", build=build["id"]))["state"] == "cancelled"


async def test_a_build_that_ended_cannot_be_cancelled(company):
    build = await company.call("cicd.trigger", pipeline="fail", parameters={})
    await company.built(build["id"])
    with pytest.raises(ActionFailed, match="has already failed"):
        await company.call("cicd.cancel", build=build["id"])


@pytest.mark.parametrize(
    "value",
    [
        "a b",
        "$(id)",
        "a;b",
        "a|b",
        "`id`",
        "x\n",
        "",
        "-rf",
        "--force",
        "a'b",
        'a"b',
        "{seconds}",
        "é",
        "a\0b",
        "x" * 201,
    ],
)
async def test_values_that_could_mean_more_than_themselves_are_refused(company, value):
    with pytest.raises(InvalidCall, match=r"parameters\.what: .* may only have letters"):
        await company.call("cicd.trigger", pipeline="show", parameters={"what": value})


async def test_a_value_stays_one_argument_and_other_braces_stay_as_they_are(company):
    build = await company.call("cicd.trigger", pipeline="show", parameters={"what": "a/b:c@1+2"})
    await company.built(build["id"])
    shown = (await company.call("cicd.logs", build=build["id"]))["text"].splitlines()
    assert shown[-3:] == ["<a/b:c@1+2>", "<--file=a/b:c@1+2.txt>", "<{ not }>"]


async def test_a_command_sees_none_of_sysops_own_environment(company, monkeypatch):
    monkeypatch.setenv("SYSOP_SLACK_TOKEN", "xoxb-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    build = await company.call("cicd.trigger", pipeline="show", parameters={"what": "x"})
    await company.built(build["id"])
    shown = (await company.call("cicd.logs", build=build["id"]))["text"].splitlines()
    names = {line.partition("=")[0] for line in shown if "=" in line and not line.startswith("<")}
    expected = {"PATH", "HOME", "LANG", "SYSOP_BUILD_ID", "SYSOP_BUILD_PIPELINE", "SYSOP_BUILD_WHAT"}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == expected  # those four the shell sets by itself
    assert "SYSOP_BUILD_WHAT=x" in shown


@pytest.mark.parametrize(
    ("pipeline", "parameters", "says"),
    [
        ("shw", {}, "there is no pipeline 'shw'; there are: deploy, fail"),
        ("show", {}, r"parameters\.what: is missing; pipeline show takes: what"),
        ("show", {"what": "x", "who": "y"}, r"parameters\.who: pipeline show does not take it"),
        ("deploy", {"service": "checkout", "version": "1"}, r"use cicd\.deploy"),
    ],
)
async def test_a_trigger_that_does_not_fit_names_what_would(company, executed, pipeline, parameters, says):
    with pytest.raises(InvalidCall, match=says):
        await company.call("cicd.trigger", pipeline=pipeline, parameters=parameters)
    assert executed() == []


@pytest.mark.parametrize("build", ["build-0123456789abcdef", "../../etc", "build-0123456789abcdef/..", ""])
@pytest.mark.parametrize("action", ["cicd.status", "cicd.logs", "cicd.cancel"])
async def test_what_is_no_build_is_refused(company, action, build):
    with pytest.raises(InvalidCall, match="there is no build"):
        await company.call(action, build=build)


async def test_logs_are_the_last_lines_and_never_more_than_64_kib(company, garbled):
    build = await company.call("cicd.trigger", pipeline="loud", parameters={})
    await company.built(build["id"])
    few = await company.call("cicd.logs", build=build["id"], lines=2)
    assert few["text"] == "a line of sixteen\nthe end\N{REPLACEMENT CHARACTER}"
    many = await company.call("cicd.logs", build=build["id"], lines=2000)
    assert many["lines"] == 2000
    garbled(await company.call("cicd.status", build=build["id"]))
    assert len((await company.call("cicd.logs", build=build["id"], lines=2000))["text"].encode()) <= 64 * 1024


@pytest.fixture
def garbled() -> Callable[[dict[str, Any]], int]:
    return lambda build: Path(build["url"].removeprefix("file://")).write_bytes(b"\xff" * 200_000)


async def test_the_same_key_gives_the_same_build(company, executed):
    first = await company.call("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "0"})
    again = await company.call("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "0"})
    assert first["id"] == again["id"]
    await company.built(first["id"])
    assert (await company.call("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "0"}))[
        "exit_code"
    ] == 0
    assert executed() == [first["id"]]


async def test_the_same_key_with_other_parameters_is_an_error(company, executed):
    build = await company.call("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "0"})
    with pytest.raises(ActionFailed, match="with other parameters"):
        await company.call("cicd.trigger", key="k", pipeline="sleep", parameters={"seconds": "1"})
    with pytest.raises(ActionFailed, match=r"already names build-.* of pipeline sleep"):
        await company.call("cicd.trigger", key="k", pipeline="fail", parameters={})
    await company.built(build["id"])
    assert executed() == [build["id"]]


async def test_an_approver_sees_what_would_be_started_and_stopped(company):
    shown = await company.preview("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    assert (shown.summary, shown.changes) == ("Start a build of pipeline sleep", ("seconds = 30", "where: local"))
    build = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    stop = await company.preview("cicd.cancel", build=build["id"])
    assert stop.summary == f"Stop build {build['id']} of pipeline sleep, asked for by sysop:run-test"
    await company.call("cicd.cancel", build=build["id"])


async def test_what_was_approved_is_what_is_started_and_stopped_or_nothing_is(company):
    start = {"pipeline": "sleep", "parameters": {"seconds": "30"}}
    before = await company.precondition("cicd.trigger", **start)
    build = await company.call("cicd.trigger", key="k", **start)
    assert await company.precondition("cicd.trigger", **start) == before
    company.settings["cicd"]["local"]["pipelines"]["sleep"]["description"] = "Sleeps elsewhere"
    assert await company.precondition("cicd.trigger", **start) != before
    stop = await company.precondition("cicd.cancel", build=build["id"])
    await company.call("cicd.cancel", build=build["id"])
    await company.built(build["id"])
    assert await company.precondition("cicd.cancel", build=build["id"]) != stop


def test_who_writes_parameters_as_text_is_told_how_to_write_them():
    (trigger,) = (a for a in cicd.register_actions() if a.name == "trigger")
    with pytest.raises(InvalidCall) as refused:
        parse(trigger, {"pipeline": "sleep", "parameters": '{"seconds": "30"}'})
    assert str(refused.value).endswith("""write it as JSON: parameters:='{"key": "text"}'""")


async def test_a_key_tells_after_a_crash_whether_its_build_was_started(company):
    args = {"pipeline": "sleep", "parameters": {"seconds": "0"}}
    assert (await company.reconcile("cicd.trigger", key="k", **args)).state == "not_done"
    build = await company.call("cicd.trigger", key="k", **args)
    found = await company.reconcile("cicd.trigger", key="k", **args)
    assert found.state == "done"
    assert found.result["id"] == build["id"]


async def test_a_folder_of_builds_that_is_not_there_leaves_it_unknown(company, tmp_path):
    company.settings["cicd"]["local"]["folder"] = str(tmp_path / "not mounted" / "builds")
    found = await company.reconcile("cicd.trigger", key="k", pipeline="fail", parameters={})
    assert found.state == "unknown"


async def test_a_record_somebody_damaged_leaves_it_unknown(company, tmp_path):
    build = await company.call("cicd.trigger", key="k", pipeline="fail", parameters={})
    await company.built(build["id"])
    (tmp_path / "cicd" / "builds" / build["id"] / "result.json").write_text("{}")
    assert (await company.reconcile("cicd.trigger", key="k", pipeline="fail", parameters={})).state == "unknown"
    with pytest.raises(ActionFailed, match=r"result\.json: cannot be read; the build's record was tampered with"):
        await company.call("cicd.status", build=build["id"])


async def test_a_person_deploys_through_the_same_records(company, tmp_path):
    config = tmp_path / "pipelines.json"
    config.write_text(json.dumps({"pipelines": company.settings["cicd"]["local"]["pipelines"]}))
    code, out, err = await by_hand(
        tmp_path, "--by", "ann", "--change", "new tax rules", "--wait", "deploy", "service=checkout", "version=2.0.1"
    )
    assert (code, err) == (0, "")
    live = await company.call("cicd.live_version", service="checkout")
    assert (live["version"], live["by"], live["change"]) == ("2.0.1", "ann", "new tax rules")
    assert live["build"] == json.loads(out)["id"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["deploy", "service=checkout"], 1, "parameters.version: is missing"),
        (["deploy", "service"], 2, "write name=value"),
        (["nothing"], 1, "there is no pipeline 'nothing'"),
        (["--wait", "fail"], 1, ""),
    ],
)
async def test_by_hand_what_does_not_fit_is_told_by_text_and_exit_code(company, tmp_path, arguments, code, says):
    config = tmp_path / "pipelines.json"
    config.write_text(json.dumps({"pipelines": company.settings["cicd"]["local"]["pipelines"]}))
    given, _, err = await by_hand(tmp_path, *arguments)
    assert given == code
    assert says in err
    assert "Traceback" not in err


async def by_hand(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sysop_plugins.cicd.local", "trigger", "--folder", str(tmp_path / "cicd" / "builds")),
        *("--config", str(tmp_path / "pipelines.json"), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_without_pipelines_it_says_what_to_declare(world):
    health = await world.health("cicd")
    assert not health.ok
    assert "deploys: true" in health.fix
    with pytest.raises(ActionFailed, match="declare one with `deploys: true`"):
        await world.call("cicd.deploy", service="checkout", version="1")


DEPLOY = {"command": ["/bin/true"], "parameters": ["service", "version"], "deploys": True}


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"local": {"pipelines": {"p": {"command": []}}}}, "command"),
        ({"local": {"pipelines": {"p": {"command": ["{x}"], "parameters": ["x"]}}}}, "program itself"),
        ({"local": {"pipelines": {"p": {"command": ["/bin/true", "{x}"]}}}}, "add x to `parameters`"),
        ({"local": {"pipelines": {"p": {"command": ["/bin/true"], "parameters": ["id"]}}}}, "choose another name"),
        ({"local": {"pipelines": {"p": {"command": ["/bin/true"], "parameters": ["A-B"]}}}}, "match pattern"),
        ({"local": {"pipelines": {"p": {"command": ["/bin/true"], "deploys": True}}}}, r"exactly \[service, version\]"),
        ({"local": {"pipelines": {"p": {"command": ["x"], "directory": "here"}}}}, "absolute path"),
        ({"local": {"folder": "builds"}}, "builds is relative; give an absolute path"),
        ({"local": {"pipelines": {"../p": {"command": ["x"]}}}}, "match pattern"),
        ({"services": {"a": {"pipeline": "p"}}}, r"services\.a\.pipeline: 'p' is not a pipeline that deploys"),
        ({"default_service": {"health": {"query": "q", "below": 1, "within_seconds": 3}}}, "need over 4 s"),
        ({"provider": "jenkins"}, "Extra inputs"),
        ({"pipelines": {}}, "Extra inputs"),
    ],
)
def test_wrong_settings_name_the_field_and_the_fix(section, says):
    with pytest.raises(ValidationError, match=says):
        Settings.model_validate(section)


def test_with_several_deploying_pipelines_a_service_must_name_its_own():
    settings = Settings.model_validate({"local": {"pipelines": {"a": DEPLOY, "b": DEPLOY}}})
    with pytest.raises(ActionFailed, match=r"name one under plugins\.cicd\.services\.checkout\.pipeline"):
        settings.pipeline_of("checkout")


async def test_builds_leave_no_zombies_behind(company):
    build = await company.call("cicd.trigger", pipeline="fail", parameters={})
    await company.built(build["id"])
    assert not has_children()


def has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


async def test_a_build_that_starts_a_daemon_ends_without_it(company, tmp_path):
    command = ["/bin/sh", "-c", f"(sleep 1; touch {tmp_path}/served) & exit 0"]
    company.settings["cicd"]["local"]["pipelines"]["launch"] = {"command": command}
    build = await company.call("cicd.trigger", pipeline="launch", parameters={})
    assert (await company.built(build["id"]))["state"] == "succeeded"
    assert not (tmp_path / "served").exists()
    await company.seen((tmp_path / "served").exists)
