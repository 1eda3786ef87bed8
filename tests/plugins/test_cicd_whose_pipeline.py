"""A pipeline that is not told a service deploys its own: asking for another must not bring the wrong thing live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sysop.api import ActionFailed
from sysop.testing.argocd import Argo
from sysop.testing.argocd.server import TOKEN
from sysop.testing.github import GitHub
from sysop.testing.github.server import WRITE_TOKEN
from sysop.testing.gitlab import GitLab
from sysop.testing.gitlab.server import WRITE_TOKEN as GITLAB_TOKEN

VERSION = "1.3.0"


def github(stack: ExitStack) -> tuple[Any, dict[str, Any], str]:
    server = stack.enter_context(GitHub())
    server.repository("acme/checkout", ["main", VERSION])
    pipelines = {"release": {"repository": "acme/checkout", "environment": "production"}}
    return server, {"github": {"api": server.url, "token_secret": "token", "pipelines": pipelines}}, WRITE_TOKEN


def gitlab(stack: ExitStack) -> tuple[Any, dict[str, Any], str]:
    server = stack.enter_context(GitLab())
    server.project("acme/checkout", ["main", VERSION])
    pipelines = {"release": {"project": "acme/checkout", "environment": "production"}}
    return server, {"gitlab": {"url": server.url, "token_secret": "token", "pipelines": pipelines}}, GITLAB_TOKEN


def argocd(stack: ExitStack) -> tuple[Any, dict[str, Any], str]:
    server = stack.enter_context(Argo())
    server.application("checkout", VERSION)
    pipelines = {"release": {"application": "checkout"}}
    return server, {"argocd": {"url": server.url, "token_secret": "token", "pipelines": pipelines}}, TOKEN


@pytest.fixture(params=[github, gitlab, argocd])
def shop(world, request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    with ExitStack() as stack:
        server, section, token = request.param(stack)
        world.secrets["token"], world.settings["cicd"] = token, section
        yield world, server


async def deploy(world: Any, service: str) -> Any:
    args = {"service": service, "version": VERSION}
    await world.preview("cicd.deploy", **args)
    await world.precondition("cicd.deploy", **args)
    return await world.call("cicd.deploy", key="k", **args)


@pytest.mark.parametrize("named", [{}, {"checkout": {"pipeline": "release"}}])
async def test_the_only_pipeline_is_not_taken_for_a_service_that_is_not_its_own(shop, named):
    world, server = shop
    world.settings["cicd"]["services"] = named
    args = {"service": "payments", "version": VERSION}
    for ask in (world.preview, world.precondition):
        with pytest.raises(ActionFailed, match=r"pipeline release deploys checkout; .*services\.payments\.pipeline"):
            await ask("cicd.deploy", **args)
    assert server.changes == []


async def test_its_own_service_needs_no_declaration(shop):
    world, server = shop
    assert (await deploy(world, "checkout"))["version"] == VERSION
    assert len(server.changes) == 1


async def test_several_services_may_be_declared_for_one_pipeline(shop):
    world, server = shop
    world.settings["cicd"]["services"] = {name: {"pipeline": "release"} for name in ("checkout", "payments")}
    assert (await deploy(world, "payments"))["service"] == "payments"
    assert len(server.changes) == 1
