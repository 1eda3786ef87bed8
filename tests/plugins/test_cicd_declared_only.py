"""What settings do not name is neither read nor changed, whatever the credential may do and however it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sysop.api import InvalidCall
from sysop.testing.github import GitHub, Outcome
from sysop.testing.github.server import WRITE_TOKEN
from sysop.testing.gitlab import GitLab
from sysop.testing.gitlab.server import WRITE_TOKEN as GITLAB_TOKEN
from sysop.testing.jenkins import Jenkins
from sysop.testing.jenkins.server import TOKEN, USER

ACTIONS = ("status", "logs", "rerun", "cancel")
Served = Callable[[Any], Any]


@pytest.fixture
def opened() -> Iterator[Served]:
    with ExitStack() as stack:
        yield stack.enter_context


def github(opened: Served) -> tuple[dict[str, Any], Any]:
    server = opened(GitHub())
    for name in ("acme/checkout", "acme/payroll"):
        repository = server.repository(name, ["main"])
        repository.workflow("ci.yml")
        repository.next(Outcome(good=False, log="salaries"))
    pipelines = {"ci": {"repository": "acme/checkout", "workflow": "ci.yml"}}
    return {"github": {"api": server.url, "token_secret": "token", "pipelines": pipelines}}, server


def gitlab(opened: Served) -> tuple[dict[str, Any], Any]:
    server = opened(GitLab())
    for name in ("acme/checkout", "acme/payroll"):
        server.project(name, ["main"]).next(Outcome(good=False, log="salaries"))
    pipelines = {"ci": {"project": "acme/checkout"}}
    return {"gitlab": {"url": server.url, "token_secret": "token", "pipelines": pipelines}}, server


def jenkins(opened: Served) -> tuple[dict[str, Any], Any]:
    server = opened(Jenkins())
    for name in ("team/ci", "ci"):
        server.job(name, []).next(Outcome(good=False, log="salaries"))
    pipelines = {"ci": {"job": "team/ci"}}
    section = {"url": server.url, "user": USER, "token_secret": "token", "pipelines": pipelines}
    return {"jenkins": section}, server


CASES = [
    *((github, WRITE_TOKEN, f"github:{at}", "is no repository of plugins.cicd.github") for at in (
        "acme/payroll:1001:1", "acme/payroll:deployment:1", "acme/..:1001:1", "acme/.:1001:1"
    )),
    *((gitlab, GITLAB_TOKEN, f"gitlab:{at}", "is no project of plugins.cicd.gitlab") for at in (
        "acme/payroll:401:1", "..:401:1", "../../acme/checkout:401:1", "acme/checkout/:401:1"
    )),
    *((jenkins, TOKEN, f"jenkins:{at}", "is no job of plugins.cicd.jenkins") for at in (
        "ci:1", "ci:queue:71", "..:1", "team/ci/../ci:1", "team/ci/:1", "team/job/ci:1", "\x1b[2J:1"
    )),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "token", "build", "says"), CASES)
async def test_a_build_of_what_is_not_declared_is_neither_read_nor_changed(
    world, opened, vendor, token, build, says
) -> None:
    section, server = vendor(opened)
    world.secrets["token"] = token
    world.settings["cicd"] = section
    for action in ACTIONS:
        with pytest.raises(InvalidCall, match=says):
            await world.call(f"cicd.{action}", key="k", build=build)
    assert (server.asked, server.changes) == ([], [])


async def test_what_waits_of_another_job_is_not_reached_by_its_place_in_the_queue(world, opened) -> None:
    server = opened(Jenkins())
    server.job("team/ci", [])
    server.job("payroll", [])
    world.secrets["token"] = TOKEN
    section = {"url": server.url, "user": USER, "token_secret": "token"}
    world.settings["cicd"] = {"jenkins": {**section, "pipelines": {"pay": {"job": "payroll"}}}}
    waits = await world.call("cicd.trigger", key="k", pipeline="pay", parameters={})
    world.settings["cicd"] = {"jenkins": {**section, "pipelines": {"ci": {"job": "team/ci"}}}}
    crafted = waits["id"].replace("payroll", "team/ci")
    assert crafted.startswith("jenkins:team/ci:queue:")
    for action in ACTIONS:
        with pytest.raises(InvalidCall, match="neither in the queue nor among the last builds of team/ci"):
            await world.call(f"cicd.{action}", key="k", build=crafted)
    assert server.changes == ["start payroll"]


async def test_what_waits_of_a_job_is_not_taken_for_that_of_one_of_the_same_name_in_a_folder(world, opened) -> None:
    server = opened(Jenkins())
    for name in ("release", "team/release"):
        server.job(name, ["service", "version", "sysop_key"])
    world.secrets["token"] = TOKEN
    one = {"parameters": ["service", "version"], "deploys": True, "key_parameter": "sysop_key"}
    section = {"url": server.url, "user": USER, "token_secret": "token"}

    def deploying(job: str) -> dict[str, Any]:
        return {"jenkins": {**section, "pipelines": {"release": {"job": job, **one}}}}

    world.settings["cicd"] = deploying("team/release")
    await world.call("cicd.deploy", key="theirs", service="checkout", version="1.3.0")
    world.settings["cicd"] = deploying("release")
    mine = await world.call("cicd.deploy", key="ours", service="checkout", version="1.4.0")
    assert mine["build"]["id"].startswith("jenkins:release:queue:")
    assert server.changes == ["start team/release", "start release"]
