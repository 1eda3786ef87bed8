"""What an approver is shown beside the change itself, and that none of it keeps the change from being asked for."""

from __future__ import annotations

import asyncio

import pytest

from sysop.api import Inventory, Service
from sysop.testing.github import GitHub
from sysop.testing.github.server import WRITE_TOKEN
from sysop.testing.wire import Fault
from sysop_plugins.cicd import previews
from sysop_plugins.cicd.provider import Commit, Comparison


@pytest.fixture
async def shop(company):
    for version in ("1.4.2", "1.4.3"):
        await released(company, version)
    return company


async def released(world, version, service="checkout"):
    rollout = await world.call("cicd.deploy", service=service, version=version)
    return await world.built(rollout["build"]["id"])


async def test_a_deploy_shows_where_it_goes(shop):
    shown = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    assert "where: production, by pipeline deploy of local" in shown.changes
    shop.settings["cicd"]["services"]["payments"] = {"pipeline": "deploy"}
    other = await shop.preview("cicd.deploy", service="payments", version="1")
    assert "where: staging, by pipeline deploy of local" in other.changes


async def test_a_rollback_shows_what_lies_between_in_the_words_of_the_records(shop):
    shown = await shop.preview("cicd.rollback", service="checkout")
    assert "between: 1.4.3: nothing was noted" in shown.changes


async def test_what_the_provider_cannot_tell_is_told_to_be_unknown(shop):
    shown = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    (line,) = (line for line in shown.changes if line.startswith("what lies between 1.4.3 and 1.4.4"))
    assert line.startswith("what lies between 1.4.3 and 1.4.4: not known (other: checkout 1.4.4 was never deployed")


async def test_a_side_question_that_hangs_is_given_up(company, monkeypatch):
    monkeypatch.setattr(previews, "_PATIENCE", 0.05)

    async def never():
        await asyncio.sleep(60)
        return ["late"]

    assert await previews._tell("health", never) == ["health: not known (no answer within 0.05 s)"]


async def test_who_calls_it_through_others_is_not_said_to_call_it(shop):
    services = dict(shop.inventory.services)
    services["web"] = Service("web", depends_on=("gateway",))
    shop.inventory = Inventory(services)
    shown = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    assert shown.affects == ("gateway calls checkout", "web calls checkout through others")


async def test_many_callers_are_cut_and_counted(shop):
    services = dict(shop.inventory.services)
    services |= {f"caller{n:02}": Service(f"caller{n:02}", depends_on=("checkout",)) for n in range(30)}
    shop.inventory = Inventory(services)
    shown = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    assert shown.affects[-1] == "… 23 more call it"
    assert len(shown.affects) == 9


async def test_a_deploy_under_way_on_a_neighbour_is_shown(shop):
    going = await shop.call("cicd.deploy", service="payments", version="7")
    shown = await shop.preview("cicd.rollback", service="checkout")
    assert f"payments 7 is being deployed ({going['build']['id']})" in shown.affects
    await shop.call("cicd.cancel", build=going["build"]["id"])
    await shop.built(going["build"]["id"])
    after = await shop.preview("cicd.rollback", service="checkout")
    assert after.affects == ("gateway calls checkout",)


async def test_health_is_shown_with_its_bound_and_the_time_it_is_from(shop, prometheus):
    shop.settings["metrics"] = {"url": prometheus.url}
    shop.settings["cicd"]["default_service"]["health"] = [
        {"query": 'errors{service="{service}"}', "below": 0.05},
        {"query": 'p99{service="{service}"}', "worse_than_before": 1.5},
    ]
    prometheus.gives('errors{service="checkout"}', "0.4")
    prometheus.answers['p99{service="checkout"}'] = (503, "down")
    shop.at = 1_764_500_000_000
    shown = await shop.preview("cicd.deploy", service="checkout", version="1.4.4")
    assert 'health at 2025-11-30 10:53:20 UTC: errors{service="checkout"} is 0.4, bound 0.05' in shown.changes
    (unknown,) = (line for line in shown.changes if line.startswith("health: p99"))
    assert ": not known (" in unknown


async def test_a_build_shows_what_else_runs_on_its_pipeline(company):
    first = await company.call("cicd.trigger", pipeline="sleep", parameters={"seconds": "30"})
    shown = await company.preview("cicd.trigger", pipeline="sleep", parameters={"seconds": "1"})
    (line,) = shown.affects
    assert line.startswith(f"{first['id']} is running since 20")
    assert line.endswith("UTC, for sysop:run-test")
    stop = await company.preview("cicd.cancel", build=first["id"])
    assert any(line.startswith("started 20") and line.endswith("what it has done stays done") for line in stop.changes)
    await company.call("cicd.cancel", build=first["id"])
    await company.built(first["id"])
    assert (await company.preview("cicd.trigger", pipeline="sleep", parameters={"seconds": "1"})).affects == ()


async def test_stopping_a_deploy_shows_who_feels_it(company):
    going = await company.call("cicd.deploy", service="payments", version="7")
    stop = await company.preview("cicd.cancel", build=going["build"]["id"])
    assert "checkout calls payments" in stop.affects
    assert "gateway calls payments through others" in stop.affects
    await company.call("cicd.cancel", build=going["build"]["id"])
    await company.built(going["build"]["id"])


def comparison(count: int, more: int = 0) -> Comparison:
    commits = tuple(Commit(id=f"{n:040x}", author=f"a{n}", message=f"change {n}\nat length") for n in range(count))
    files = tuple(f"f{n}.py" for n in range(7))
    authors = tuple(f"a{n}" for n in range(count))
    return Comparison(
        service="s", one="1", other="2", commits=commits, more=more, authors=authors, files=files,
        additions=30, deletions=4,
    )  # fmt: skip


def test_a_comparison_is_a_few_lines_newest_commits_first():
    lines = previews.compared(comparison(12, more=88))
    assert lines[0] == "between: 100 commits, 7 files, +30 -4 lines, by a0, a1, a2, a3, a4, … 7 more"
    assert lines[1] == f"{11:040x}"[:12] + " a11: change 11 at length"
    assert lines[6] == "… 95 more commits"
    assert lines[7] == "files: f0.py, f1.py, f2.py, f3.py, f4.py, … 2 more"
    assert len(lines) == 8


def test_a_comparison_of_one_commit_says_so():
    assert previews.compared(comparison(1))[0] == "between: 1 commit, 7 files, +30 -4 lines, by a0"


def test_a_comparison_without_anything_says_nothing():
    assert previews.compared(Comparison(service="s", one="1", other="2")) == []


@pytest.fixture
def hub(world):
    """The world with checkout deployed by a GitHub that stands in, and the server."""
    with GitHub() as server:
        server.repository("acme/checkout", ["main", "1.3.0", "1.4.0"])
        world.secrets["gh"] = WRITE_TOKEN
        pipeline = {"repository": "acme/checkout", "environment": "production"}
        section = {"api": server.url, "token_secret": "gh", "pipelines": {"release": pipeline}}
        world.settings["cicd"] = {"github": section, "services": {"checkout": {"pipeline": "release"}}}
        yield world, server


async def live(world, version="1.3.0"):
    rollout = await world.call("cicd.deploy", service="checkout", version=version)
    await world.verdict("cicd.deploy", rollout, service="checkout", version=version)


async def test_at_the_wire_commits_authors_and_size_are_shown(hub):
    world, _ = hub
    await live(world)
    shown = await world.preview("cicd.deploy", service="checkout", version="1.4.0")
    asked = await world.call("cicd.compare", service="checkout", one="1.3.0", other="1.4.0")
    assert shown.changes[:2] == ("live: 1.3.0 -> 1.4.0", "where: production, by pipeline release of github")
    (head,) = (line for line in shown.changes if line.startswith("between: "))
    assert f"+{asked['additions']} -{asked['deletions']} lines, by {asked['authors'][0]}" in head
    newest = asked["commits"][-1]
    assert f"{newest['id'][:12]} {newest['author']}: {newest['message']}" in shown.changes


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path="/compare/", status=404, message="Not Found", times=9),
        Fault("status", path="/compare/", status=500, times=9),
        Fault("odd", path="/compare/", times=9),
        Fault("hang", path="/compare/", times=9),
    ],
    ids=["404", "500", "odd", "hang"],
)
async def test_a_server_that_cannot_compare_now_does_not_keep_a_deploy_from_being_asked_for(hub, fault, monkeypatch):
    monkeypatch.setattr(previews, "_PATIENCE", 1.0)
    world, server = hub
    await live(world)
    server.fault(fault)
    shown = await world.preview("cicd.deploy", service="checkout", version="1.4.0")
    (line,) = (line for line in shown.changes if line.startswith("what lies between 1.3.0 and 1.4.0: not known ("))
    assert "github" in line or "no answer within 1 s" in line
