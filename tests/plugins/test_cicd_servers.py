"""What `sysop doctor` says of the servers of providers, and the settings that their page shows."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import yaml

from sysop.testing.github import Fault, GitHub
from sysop_plugins.cicd.settings import Settings


@pytest.fixture
def settled(world):
    def at(address: str):
        pipelines = {"ci": {"repository": "acme/checkout", "workflow": "ci.yml"}}
        world.settings["cicd"] = {"github": {"api": address, "token_secret": "gh", "pipelines": pipelines}}
        return world

    return at


async def test_a_server_that_answers_is_well_though_it_wants_a_token(settled):
    server = GitHub()
    with server:
        health = await settled(server.url).health("cicd")
    assert (health.ok, health.detail) == (True, f"1 pipelines, github answers at {server.url}")


async def test_a_server_that_is_broken_is_named_with_the_setting(settled):
    with GitHub() as server:
        server.fault(Fault("status", status=503, times=3))
        health = await settled(server.url).health("cicd")
    assert (health.ok, health.detail) == (False, f"github: {server.url} answers 503")
    assert "plugins.cicd.github" in health.fix


async def test_an_address_at_which_nobody_listens_is_named_with_the_setting(settled):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        health = await settled(address).health("cicd")
    assert (health.ok, health.detail.startswith(f"github: {address} cannot be reached")) == (False, True)


def test_the_settings_that_the_page_shows_are_valid():
    page = (Path(__file__).parents[2] / "docs/delivery.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    sections = [block["plugins"]["cicd"] for block in blocks if "plugins" in block]
    assert len(sections) >= 4
    for section in sections:
        assert Settings.model_validate(section).pipeline_of("checkout") == "release"


async def test_a_credential_that_is_missing_is_in_no_other_system_s_way(company):
    pipelines = {"hub": {"repository": "acme/checkout", "workflow": "ci.yml"}}
    company.settings["cicd"]["github"] = {"api": "http://127.0.0.1:9", "token_secret": "gone", "pipelines": pipelines}
    build = await company.call("cicd.trigger", pipeline="fail", parameters={})
    assert (await company.built(build["id"]))["state"] == "failed"
    assert "hub" in [one["name"] for one in (await company.call("cicd.pipelines"))["pipelines"]]
    with pytest.raises(KeyError, match="gone"):
        await company.call("cicd.builds", pipeline="hub")
