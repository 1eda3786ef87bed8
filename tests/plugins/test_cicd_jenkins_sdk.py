"""The stand-in for Jenkins under python-jenkins, the client most of its users take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jenkins as client
import pytest

from sysop.testing.jenkins import Jenkins, Job, Outcome
from sysop.testing.jenkins.server import LOOKER, LOOKERS_TOKEN, TOKEN, USER

LOG = "collecting\nE   assert 1 == 2"


@pytest.fixture
def jenkins() -> Iterator[Jenkins]:
    with Jenkins() as server:
        yield server


@pytest.fixture
def job(jenkins: Jenkins) -> Job:
    return jenkins.job("team/ci", ["suite", "sysop_key"])


def _signed(jenkins: Jenkins, user: str, token: str) -> Any:
    signed = client.Jenkins(jenkins.url, username=user, password=token)
    signed.crumb = False  # with an API token no crumb is asked for
    return signed


@pytest.fixture
def seen(jenkins: Jenkins, job: Job) -> Any:
    """Return the server as the client sees it."""
    return _signed(jenkins, USER, TOKEN)


def _started(seen: Any) -> int:
    """Ask for a build and return its number."""
    item = seen.build_job("team/ci", {"suite": "fast", "sysop_key": "k"})
    while "executable" not in (found := seen.get_queue_item(item)):
        pass
    return int(found["executable"]["number"])


def _ended(seen: Any, number: int) -> Any:
    while (found := seen.get_build_info("team/ci", number))["building"]:
        pass
    return found


def test_a_build_lives_the_same_life_under_the_client(seen: Any, job: Job, jenkins: Jenkins) -> None:
    job.next(Outcome(good=False, log=LOG), Outcome())
    number = _started(seen)
    ended = _ended(seen, number)
    given = next(note["parameters"] for note in ended["actions"] if "parameters" in note)
    assert ended["result"] == "FAILURE"
    assert {one["name"]: one["value"] for one in given} == {"suite": "fast", "sysop_key": "k"}
    assert seen.get_build_console_output("team/ci", number) == LOG
    assert _ended(seen, _started(seen))["result"] == "SUCCESS"
    assert [one["number"] for one in seen.get_job_info("team/ci")["builds"]] == [2, 1]
    assert jenkins.changes == ["start team/ci", "start team/ci"]


def test_a_build_is_stopped_and_what_waits_is_taken_out_under_the_client(seen: Any, job: Job, jenkins: Jenkins) -> None:
    job.next(Outcome(looks=1000))
    number = _started(seen)
    seen.stop_build("team/ci", number)
    assert _ended(seen, number)["result"] == "ABORTED"
    item = seen.build_job("team/ci", {"suite": "fast"})
    assert [one["id"] for one in seen.get_queue_info()] == [item]
    seen.cancel_queue(item)
    assert seen.get_queue_info() == []
    assert jenkins.changes == ["start team/ci", "stop 1", "start team/ci", f"unqueue {item}"]


def test_what_is_refused_is_refused_in_the_client_s_words(seen: Any, jenkins: Jenkins) -> None:
    with pytest.raises(client.JenkinsException, match=r"\[401\]"):
        _signed(jenkins, USER, "wrong").build_job("team/ci", {"suite": "fast"})
    with pytest.raises(client.JenkinsException, match="missing the Job/Build permission"):
        _signed(jenkins, LOOKER, LOOKERS_TOKEN).build_job("team/ci", {"suite": "fast"})
    with pytest.raises(client.JenkinsException, match="does not exist"):
        seen.get_build_info("team/ci", 77)
    assert jenkins.changes == []
