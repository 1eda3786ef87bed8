"""Refusals of odd shapes: whatever a server says no with, it is told in its words and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sysop.api import ActionFailed
from sysop.testing.github import GitHub
from sysop.testing.github.server import WRITE_TOKEN
from sysop.testing.gitlab import GitLab
from sysop.testing.gitlab.server import WRITE_TOKEN as GITLAB_TOKEN
from sysop.testing.wire import Fault


class SayingGitHub(GitHub):
    """GitHub whose refusals have the body that was asked for."""

    body: Any = None

    def refusal(self, status: int, message: str) -> Any:
        return self.body


class SayingGitLab(GitLab):
    """GitLab whose refusals have the body that was asked for."""

    body: Any = None

    def refusal(self, status: int, message: str) -> Any:
        return self.body


@pytest.fixture
def hub(world) -> Iterator[SayingGitHub]:
    with SayingGitHub() as server:
        server.repository("acme/checkout", ["main"]).workflow("ci.yml")
        world.secrets["token"] = WRITE_TOKEN
        pipelines = {"ci": {"repository": "acme/checkout", "workflow": "ci.yml"}}
        world.settings["cicd"] = {"github": {"api": server.url, "token_secret": "token", "pipelines": pipelines}}
        yield server


@pytest.fixture
def lab(world) -> Iterator[SayingGitLab]:
    with SayingGitLab() as server:
        server.project("acme/checkout", ["main"])
        world.secrets["token"] = GITLAB_TOKEN
        pipelines = {"ci": {"project": "acme/checkout"}}
        world.settings["cicd"] = {"gitlab": {"url": server.url, "token_secret": "token", "pipelines": pipelines}}
        yield server


async def refused(world, server, status: int, body: Any, headers: dict[str, str] | None = None) -> str:
    server.body = body
    server.fault(Fault("status", method="POST", status=status, headers=headers or {}))
    with pytest.raises(ActionFailed) as caught:
        await world.call("cicd.trigger", key="k", pipeline="ci", parameters={})
    assert server.changes == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([{"message": "No ref found"}], "Failed; No ref found"),
        (["No ref found"], "Failed; No ref found"),
        ("No ref found", "Failed; No ref found"),
        ({"message": "No ref found"}, "Failed; No ref found"),
        (7, "Failed; 7"),
        (None, "Failed"),
    ],
)
async def test_the_errors_of_github_are_told_whatever_their_shape(world, hub, errors, says):
    assert await refused(world, hub, 422, {"message": "Failed", "errors": errors}) == f"github: 422, {says}"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"base": ["Reference not found"]}, "base: Reference not found"),
        ({"base": "Reference not found"}, "base: Reference not found"),
        ({"base": 7}, "base: 7"),
        (["Reference not found"], "Reference not found"),
        ("Reference not found", "Reference not found"),
    ],
)
async def test_the_messages_of_gitlab_are_told_whatever_their_shape(world, lab, message, says):
    assert await refused(world, lab, 400, {"message": message}) == f"gitlab: 400, {says}"


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "9" * 30},
        {"retry-after": "9" * 400},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 30},
    ],
)
async def test_a_pause_without_end_is_no_crash(world, hub, headers):
    told = await refused(world, hub, 429, {}, headers)
    assert told.startswith("github: asked too often; it may be asked again at ")


@pytest.mark.parametrize("body", [[], "no", 7, None, {"message": ["a", {"b": 1}]}])
async def test_a_refusal_that_is_no_object_is_a_refusal(world, hub, lab, body):
    for server in (hub, lab):
        name = "github" if server is hub else "gitlab"
        world.secrets["token"] = WRITE_TOKEN if server is hub else GITLAB_TOKEN
        section = {"token_secret": "token"}
        pipeline = (
            {"repository": "acme/checkout", "workflow": "ci.yml"} if server is hub else {"project": "acme/checkout"}
        )
        where = "api" if server is hub else "url"
        world.settings["cicd"] = {name: {**section, where: server.url, "pipelines": {"ci": pipeline}}}
        assert (await refused(world, server, 400, body)).startswith(f"{name}: 400, ")
