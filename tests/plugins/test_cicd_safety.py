"""Deploys through the real gate: a bad one is taken back, a frozen one refused, a second one waits for the first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from gate.kit import Attack
from sysop import host as plugin_host
from sysop.model import Alert
from sysop_plugins import cicd, metrics

FREE: dict[str, Any] = {"name": "free", "match": {"risk": ["change"]}, "then": "allow"}
ALWAYS: dict[str, Any] = {"name": "year end", "from": "2000-01-01", "to": "2999-01-01"}
QUERY = 'errors{service="checkout"}'


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    """Return one database; what both do is seen in the tests of the gate."""
    file = tmp_path / "sysop.db"
    file.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
async def shop(
    url: str, tmp_path: Path, prometheus: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Attack]]:
    """Return a function that opens a Sysop which deploys checkout, judges it by its errors and allows changes."""
    deploy = {"command": ["/bin/true", "{service}", "{version}"], "parameters": ["service", "version"], "deploys": True}
    health = {"query": 'errors{service="{service}"}', "below": 0.05, "within_seconds": 4, "every_seconds": 1}
    sections = {
        "cicd": {"local": {"pipelines": {"deploy": deploy}}, "default_service": {"health": health}},
        "metrics": {"url": prometheus.url},
    }
    load, opened = plugin_host.load, []

    def with_settings(given: Any, **more: Any) -> Any:
        return load({**given, **sections}, **more)

    monkeypatch.setattr(bench.plugin_host, "load", with_settings)
    inventory = {"checkout": {"depends_on": []}, "gateway": {"depends_on": ["checkout"]}}

    def make(*freezes: Any, **more: Any) -> Attack:
        policy = {"rules": [FREE], "freezes": list(freezes)}
        plugins = {"cicd": cicd, "metrics": metrics}
        opened.append(Attack(tmp_path, url, policy=policy, plugins=plugins, inventory=inventory, **more))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


async def begin(gate: Attack, action: str = "cicd.deploy", **args: Any) -> str:
    run = await gate.submit(action, {"service": "checkout", **args})
    await gate.advance(run)
    return run


async def test_a_bad_deploy_is_told_with_its_undo_and_people_who_see_it_decide_on_the_next(shop, prometheus):
    gate = shop(budgets={"failures": 1})
    prometheus.gives(QUERY, lambda t: levels[-1])
    levels = ["0.01"]
    good = await begin(gate, version="1.4.2")
    await gate.work()
    assert (await gate.row(good)).verified is True
    levels.append("0.4")
    bad = await begin(gate, version="1.4.3")
    await gate.work()
    told = await gate.told(bad)
    assert "its post-check failed: not well within 4 s after the build" in told
    assert "cicd.rollback service=checkout to=1.4.2 takes 1.4.3 back" in told
    back = await begin(gate, "cicd.rollback", to="1.4.2")
    asked = await gate.approval(back)
    changes = json.loads(asked.preview)["changes"]
    assert changes[0].startswith('before: cicd.deploy {"service":"checkout","version":"1.4.3"} did not help at 20')
    assert "live: 1.4.3 -> 1.4.2" in changes
    levels.append("0.01")
    assert (await gate.vote(asked)).counted
    await gate.work()
    assert (await gate.row(back)).verified is True


async def test_a_deploy_holds_its_service_until_it_is_verified(shop, prometheus):
    gate, other = shop(), shop()
    prometheus.gives(QUERY, "0.01")
    first = await begin(gate, version="1.4.2")
    assert await gate.state(first) == "done"
    second = await begin(other, version="1.4.3")
    assert await other.row(second) is None
    assert f"(run {first}, call call: done, but not verified yet)" in await other.told(second)
    await gate.work()
    third = await begin(other, version="1.4.3")
    assert await other.state(third) == "done"


async def test_in_a_freeze_a_deploy_is_refused_and_a_rollback_asked_for(shop, prometheus):
    free = shop()
    prometheus.gives(QUERY, "0.01")
    for version in ("1.4.2", "1.4.3"):
        await begin(free, version=version)
        await free.work()
    gate = shop({**ALWAYS, "service": ["checkout"], "reason": "the tills must not stop"})
    refused = await begin(gate, version="1.4.4")
    assert "is forbidden: freeze 'year end' (the tills must not stop) holds until 2999-01-01 00:00 UTC" in (
        await gate.told(refused)
    )
    back = await begin(gate, "cicd.rollback")
    asked = await gate.approval(back)
    changes = json.loads(asked.preview)["changes"]
    assert changes[0] == "freeze 'year end' (the tills must not stop) holds until 2999-01-01 00:00 UTC"
    assert (await gate.vote(asked)).counted
    await gate.advance(back)
    assert await gate.state(back) == "done"


async def test_a_card_shows_the_open_incidents_of_the_service(shop, prometheus):
    gate = shop({**ALWAYS, "approve": ["cicd.*"]})
    labels = {"alertname": "Errors", "service": "checkout", "severity": "critical"}
    await bench.take(gate.app, [Alert("test", "1", 1_700_000_000_000, None, labels, {})])
    run = await begin(gate, version="1.4.4")
    shown = json.loads((await gate.approval(run)).preview)
    (line,) = (line for line in shown["changes"] if line.startswith("incident "))
    assert line.endswith("(critical, open) is open on checkout")
    assert shown["affects"] == ["gateway calls checkout"]
