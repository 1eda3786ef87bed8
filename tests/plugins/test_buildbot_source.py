"""What HttpStatusPush of Buildbot 4.3.0 sent of a forced build that failed, and what becomes of it."""

from __future__ import annotations

import base64
import copy
import re
from pathlib import Path
from typing import Any

import pytest

from sysop import settings
from sysop.api import Alert, Change, ChangeKind, ChangeState, Delivery
from sysop.host import load
from sysop_plugins import buildbot
from sysop_plugins.buildbot import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGAN, ENDED = 1796072327, 1796072329
URL = "http://127.0.0.1:18010/#/builders/1/builds/1"
FAILED: dict[str, Any] = {
    "buildid": 1,
    "number": 1,
    "builderid": 1,
    "buildrequestid": 3,
    "workerid": 1,
    "masterid": 1,
    "started_at": BEGAN,
    "complete_at": ENDED,
    "locks_duration_s": 0,
    "complete": True,
    "state_string": "failed 'sh -c ...' (failure)",
    "results": 2,
    "properties": {
        "service": ["checkout", "Force Build Form"],
        "version": ["1.4.0", "Force Build Form"],
        "reason": ["sysop[run-1:call-2] new cart", "Force Build Form"],
        "owner": ["sysop", "Force Build Form"],
        "scheduler": ["force-deploy", "Scheduler"],
        "buildername": ["deploy", "Builder"],
        "buildnumber": [1, "Build"],
        "branch": ["", "Build"],
        "revision": ["", "Build"],
        "repository": ["", "Build"],
        "owners": [["sysop"], "Build"],
    },
    "buildrequest": {"buildrequestid": 3, "buildsetid": 3, "builderid": 1, "results": -1, "properties": None},
    "buildset": {"bsid": 3, "reason": "A build was forced by 'sysop': sysop[run-1:call-2] new cart"},
    "parentbuild": None,
    "parentbuilder": None,
    "builder": {"builderid": 1, "name": "deploy", "masterids": [1], "description": None, "tags": []},
    "url": URL,
}
STARTED = {"complete": False, "complete_at": None, "results": None, "state_string": "starting"}
SOURCES = {
    "branch": ["main", "Build"],
    "got_revision": ["1b3ba7d16a2f3b7a9f1a3d6c6e8ad4c3e0e1a111", "Git"],
    "repository": ["https://git.example/shop/payments.git", "Build"],
}


def build(**values: Any) -> Delivery:
    body = copy.deepcopy(FAILED)
    body.update(values)
    return Delivery({}, b"", body)


def read(delivery: Delivery, **settings: Any) -> list[Alert]:
    return list(buildbot.parse(delivery, Settings(**settings)))


def changed(delivery: Delivery, **settings: Any) -> list[Change]:
    return list(buildbot.changes(delivery, Settings(**{"deploys": {"deploy"}, **settings})))


def test_a_build_that_fails_is_an_alert_of_its_builder_and_service() -> None:
    assert read(build()) == [
        Alert(
            source="buildbot",
            fingerprint="http://127.0.0.1:18010/ deploy checkout",
            starts_at=BEGAN * 1000,
            ends_at=None,
            labels={
                "alertname": "BuildFailed",
                "severity": "error",
                "builder": "deploy",
                "service": "checkout",
                "version": "1.4.0",
            },
            annotations={"summary": "deploy #1: failed 'sh -c ...' (failure)"},
            url=URL,
        )
    ]


def test_a_later_success_ends_the_failures_of_builds_that_began_before_it() -> None:
    (failed,) = read(build())
    (ending,) = read(build(number=2, buildrequestid=4, results=0, started_at=BEGAN + 60, complete_at=ENDED + 90))
    assert (ending.ending, ending.fingerprint) == (True, failed.fingerprint)
    assert failed.starts_at < ending.starts_at == (BEGAN + 60) * 1000
    assert ending.ends_at == (ENDED + 90) * 1000


@pytest.mark.parametrize(("results", "ending"), [(0, True), (1, True), (2, False), (4, False)])
def test_warnings_are_a_success_and_an_exception_is_a_failure(results: int, ending: bool) -> None:
    (alert,) = read(build(results=results))
    assert alert.ending is ending


@pytest.mark.parametrize("values", [STARTED, {"results": 3}, {"results": 5}, {"results": 6}, {"results": -1}])
def test_what_is_not_over_or_neither_failed_nor_succeeded_tells_nothing(values: dict[str, Any]) -> None:
    assert read(build(**values)) == []


def test_what_was_built_from_a_repository_is_named_by_it() -> None:
    (alert,) = read(build(properties=SOURCES))
    assert alert.fingerprint == "http://127.0.0.1:18010/ deploy main"
    assert (alert.service, alert.labels["branch"], alert.labels["version"]) == (
        "payments",
        "main",
        SOURCES["got_revision"][0],
    )
    assert alert.annotations["summary"].startswith("deploy #1 on main at 1b3ba7d16a: ")


def test_a_builder_may_build_a_service_of_another_name() -> None:
    (alert,) = read(build(properties=SOURCES), services={"deploy": "orders"})
    assert alert.service == "orders"


def test_a_deploy_of_one_service_does_not_end_the_failure_of_another() -> None:
    (failed,) = read(build())
    (other,) = read(build(results=0, properties={**FAILED["properties"], "service": ["payments", "x"]}))
    assert failed.fingerprint != other.fingerprint


def test_a_revision_of_several_codebases_is_left_out() -> None:
    (alert,) = read(build(properties={"got_revision": [{"app": "1b3ba7d1", "lib": "9f1a3d6c"}, "Git"]}))
    assert alert.labels == {"alertname": "BuildFailed", "severity": "error", "builder": "deploy"}


@pytest.mark.parametrize(
    ("values", "state", "at"),
    [
        (STARTED, ChangeState.STARTED, BEGAN),
        ({"results": 0}, ChangeState.DONE, ENDED),
        ({"results": 2}, ChangeState.FAILED, ENDED),
        ({"results": 6}, ChangeState.CANCELLED, ENDED),
    ],
)
def test_a_build_of_a_builder_that_deploys_is_a_change(values: dict[str, Any], state: ChangeState, at: int) -> None:
    (change,) = changed(build(**values))
    assert change == Change(
        ChangeKind.DEPLOY,
        "checkout",
        source="buildbot",
        id="buildbot:3",
        at=at * 1000,
        began_at=BEGAN * 1000,
        state=state,
        after="1.4.0",
        by="sysop",
        title="new cart",
        url=URL,
    )


@pytest.mark.parametrize("values", [{"results": 3}, {"results": 5}, {"properties": SOURCES}])
def test_what_brought_nothing_live_is_no_change(values: dict[str, Any]) -> None:
    assert changed(build(**values)) == []


def test_a_builder_that_is_not_said_to_deploy_changes_nothing() -> None:
    assert changed(build(), deploys=set()) == []


def test_a_build_that_moves_on_is_named_as_the_provider_names_it() -> None:
    assert list(buildbot.moved(build(**STARTED))) == ["buildbot:3"]


@pytest.mark.parametrize(
    "name", ["builder", "number", "buildrequestid", "complete", "results", "started_at", "complete_at"]
)
def test_a_missing_field_is_named(name: str) -> None:
    delivery = build()
    del delivery.json[name]
    for reading in (read, changed, lambda one: list(buildbot.moved(one))):
        with pytest.raises(ValueError, match=rf"\b{name}: "):
            reading(delivery)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"started_at": -1}, "started_at"),
        ({"complete_at": 10**30}, "complete_at"),
        ({"buildrequestid": 0}, "buildrequestid"),
        ({"properties": {"service": "checkout"}}, r"properties\.service"),
        ({"builder": {"name": ""}}, r"builder\.name"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(build(**values))


def test_the_token_is_a_password_or_a_bearer_token() -> None:
    (source,) = buildbot.register_alert_sources(Settings())
    given = base64.b64encode(b"sysop:secret").decode()
    assert source.proves(Delivery({"authorization": f"Basic {given}"}, b""), "secret")
    assert source.proves(Delivery({"authorization": "Bearer secret"}, b""), "secret")
    assert not source.proves(Delivery({"authorization": "Bearer other"}, b""), "secret")
    assert not source.proves(Delivery({}, b""), "secret")


def test_the_settings_of_its_page_are_valid(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "buildbot.md").read_text(), re.DOTALL)
    file = tmp_path / "sysop.yaml"
    file.write_text(block)
    read = settings.load(file)
    section = load(read.plugins).plugins["cicd"].settings
    assert sorted(section.declared()) == ["deploy", "tests"]
    assert section.pipeline_of("checkout") == "deploy"
    assert section.buildbot.password_secret in read.secrets
