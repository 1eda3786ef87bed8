"""Argo CD as a provider: what is its own beside the life every provider is put through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sysop.api import ActionFailed, InvalidCall
from sysop.testing.argocd import Application, Argo, Outcome
from sysop.testing.argocd.server import PROJECT, TOKEN


@pytest.fixture
def argo() -> Iterator[Argo]:
    with Argo() as server:
        yield server


@pytest.fixture
def checkout(argo: Argo) -> Application:
    return argo.application("checkout-production", "v1.3.0", "v1.4.0", "v1.5.0")


@pytest.fixture
def lab(world, argo, checkout):
    world.secrets["argo"] = TOKEN
    world.settings["cicd"] = {
        "argocd": {
            "url": argo.url,
            "token_secret": "argo",
            "pipelines": {"argo": {"application": "{service}-production", "project": PROJECT}},
        },
        "default_service": {"pipeline": "argo"},
    }
    return world


def _pausing(lab) -> None:
    lab.settings["cicd"]["argocd"]["pipelines"]["argo"]["pause_auto_sync"] = True


async def _deployed(lab, *versions: str) -> None:
    for version in versions:
        made = await lab.call("cicd.deploy", key=f"to {version}", service="checkout", version=version)
        assert (await lab.verdict("cicd.deploy", made, service="checkout", version=version)).state == "passed"


async def test_versions_are_called_by_their_tags_and_what_their_commits_say(lab):
    await _deployed(lab, "v1.3.0", "v1.4.0")
    found = (await lab.call("cicd.recent_deploys", service="checkout"))["deploys"]
    assert [(d["version"], d["previous"], d["change"]) for d in found] == [
        ("v1.4.0", "v1.3.0", "release v1.4.0"),
        ("v1.3.0", None, "release v1.3.0"),
    ]
    apart = await lab.call("cicd.compare", service="checkout", one="v1.3.0", other="v1.4.0")
    assert apart["changes"] == ["v1.4.0: release v1.4.0"]


async def test_what_others_sync_is_seen(lab, argo):
    argo.synced("checkout-production", "v1.3.0", by="ada")
    live = await lab.call("cicd.live_version", service="checkout")
    assert (live["version"], live["by"]) == ("v1.3.0", "ada")


async def test_an_operation_that_waits_goes_by_its_start_once_it_has_one(lab, argo):
    made = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    assert (made["build"]["id"], made["build"]["state"]) == ("argocd:checkout-production:after-0", "queued")
    ended = await lab.built(made["build"]["id"])
    assert (ended["state"], "after" in ended["id"]) == ("succeeded", False)
    argo.synced("checkout-production", "v1.4.0")
    assert (await lab.call("cicd.status", build=made["build"]["id"]))["id"] == ended["id"]


async def test_a_key_is_found_after_somebody_else_has_synced_since(lab, argo):
    made = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    await lab.built(made["build"]["id"])
    argo.synced("checkout-production", "v1.4.0")
    found = await lab.reconcile("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    assert found.state == "done"
    again = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    assert again["build"]["state"] == "succeeded"
    assert argo.changes == ["sync checkout-production v1.3.0"]


async def test_a_sync_that_leaves_the_application_degraded_has_failed(lab, checkout):
    checkout.health = "Degraded"
    made = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    ended = await lab.built(made["build"]["id"])
    assert (ended["state"], ended["reason"]) == ("failed", "the application is Degraded")


async def test_a_sync_goes_on_while_the_application_is_not_well_yet(lab, checkout):
    checkout.health = "Progressing"
    made = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    for _ in range(5):
        found = await lab.call("cicd.status", build=made["build"]["id"])
    assert found["state"] == "running"


async def test_a_rollback_under_automated_sync_is_refused_before_anything_is_touched(lab, argo, checkout):
    await _deployed(lab, "v1.3.0", "v1.4.0")
    checkout.automated = True
    with pytest.raises(ActionFailed, match=r"follows main by itself and would undo it; .*pipelines\.argo\.pause_auto"):
        await lab.call("cicd.rollback", key="b", service="checkout")
    assert argo.changes == ["sync checkout-production v1.3.0", "sync checkout-production v1.4.0"]


async def test_where_it_may_automated_sync_is_paused_and_then_rolled_back(lab, argo, checkout):
    await _deployed(lab, "v1.3.0", "v1.4.0")
    checkout.automated = True
    _pausing(lab)
    back = await lab.call("cicd.rollback", key="b", service="checkout")
    assert (await lab.verdict("cicd.rollback", back, service="checkout")).state == "passed"
    assert argo.changes[2:] == ["automated checkout-production False", "rollback checkout-production 1"]
    assert not checkout.automated


async def test_two_operations_of_an_application_never_overlap(lab, argo, checkout):
    checkout.next(Outcome(looks=1000))
    await lab.call("cicd.deploy", key="a", service="checkout", version="v1.3.0")
    with pytest.raises(ActionFailed, match=r"checkout: argocd:checkout-production:\d+ is still running; wait for it"):
        await lab.call("cicd.deploy", key="b", service="checkout", version="v1.4.0")
    assert argo.changes == ["sync checkout-production v1.3.0"]


@pytest.mark.parametrize(
    ("action", "args", "error", "says"),
    [
        ("deploy", {"service": "checkout", "version": "v9"}, ActionFailed, r"argocd: 400, Unable to resolve 'v9'"),
        ("status", {"build": "argocd:other:1"}, InvalidCall, r"argocd: 404|'other' is not declared"),
        ("status", {"build": "argocd:checkout-production:77"}, InvalidCall, "remembers no operation"),
        ("status", {"build": "argocd:x"}, InvalidCall, "they look like argocd:checkout:1790000000000"),
        ("live_version", {"service": "search"}, InvalidCall, r'"search-production" not found'),
    ],
)
async def test_what_does_not_fit_is_told_by_its_name(lab, argo, action, args, error, says):
    with pytest.raises(error, match=says):
        await lab.call(f"cicd.{action}", **args)
    assert argo.changes == []


async def test_two_pipelines_never_write_to_one_application(lab):
    lab.settings["cicd"]["argocd"]["pipelines"]["twice"] = {"application": "{service}-production"}
    with pytest.raises(Exception, match=r"'\{service\}-production' is named by two of them; leave one out"):
        await lab.call("cicd.pipelines")


@pytest.mark.parametrize("health", ["Degraded", "Progressing", "Missing"])
async def test_a_version_that_the_application_is_not_well_with_is_live_and_is_rolled_back(lab, argo, checkout, health):
    await _deployed(lab, "v1.3.0", "v1.4.0")
    checkout.health = health
    live = await lab.call("cicd.live_version", service="checkout")
    assert live["version"] == "v1.4.0"
    shown = await lab.preview("cicd.rollback", key="b", service="checkout")
    assert shown.summary == "Roll back checkout from v1.4.0 to v1.3.0"
    assert not any("until it ends this is refused" in line for line in shown.affects)
    back = await lab.call("cicd.rollback", key="b", service="checkout")
    assert (back["previous"], back["version"]) == ("v1.4.0", "v1.3.0")
    assert argo.changes[2:] == ["rollback checkout-production 1"]


async def test_what_failed_to_sync_never_came_live(lab, checkout):
    await _deployed(lab, "v1.3.0")
    checkout.next(Outcome(good=False))
    made = await lab.call("cicd.deploy", key="k", service="checkout", version="v1.4.0")
    assert (await lab.built(made["build"]["id"]))["state"] == "failed"
    assert (await lab.call("cicd.live_version", service="checkout"))["version"] == "v1.3.0"


async def test_applications_with_which_nothing_happened_cost_one_question_for_all(lab, argo):
    for number in range(5):
        argo.application(f"other-{number}-production", "v1.3.0", "v1.4.0")
        argo.synced(f"other-{number}-production", "v1.4.0")
    await lab.call("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    argo.asked.clear()
    found = await lab.reconcile("cicd.deploy", key="k", service="checkout", version="v1.3.0")
    assert found.state == "done"
    assert not [path for path in argo.asked if "/other-" in path]
    argo.asked.clear()
    lately = await lab.call("cicd.recent_deploys", minutes=3)
    assert [deploy["service"] for deploy in lately["deploys"]] == ["checkout"]
    assert not [path for path in argo.asked if "/other-" in path]
