"""Who somebody is does not change with the settings file, and a broken one lets nobody in."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

import bench
from sysop.errors import SettingsError
from sysop.gate.people import People
from sysop.model import Actor, Origin, Request
from sysop.sections import Person
from sysop.store import approvals


async def test_who_asked_while_unmapped_cannot_approve_once_mapped(tmp_path: Path, url: str) -> None:
    known = dict(bench.PEOPLE)
    app = bench.build(tmp_path, url, people=lambda: known)
    await app.begin()
    nobody = app.people.by_uid(4711)
    assert (nobody.id, nobody.human) == ("os:4711", False)
    run = await app.service.submit(
        Request(nobody, Origin.ASKED, "test", action="lab.append", args={"name": "x"}, planner="direct")
    )
    while not (pending := await app.store.read(lambda conn: approvals.newest_for(conn, run, "call"))):
        await asyncio.sleep(0.01)
    eve = People(lambda: {**known, "eve": Person(uid=4711, roles=("approver",))}).by_uid(4711)
    assert (eve.id, eve.human) == ("person:eve", True)
    counted = await app.service.decide(pending.id, eve, True, delivery="1")
    assert (counted.counted, counted.message) == (False, "who asks for a change cannot approve it")
    await app.end()
    await app.close()


def test_a_file_that_cannot_be_read_again_leaves_the_last_good_people_for_a_while() -> None:
    broken = False

    def load() -> Mapping[str, Person]:
        if broken:
            raise SettingsError("half saved")
        return {"ann": Person(roles=("approver",))}

    people = People(load, fresh_s=-1)
    assert people.roles_of("person:ann") == {"approver"}
    broken = True
    assert people.roles_of("person:ann") == {"approver"}


def test_a_file_that_was_never_readable_is_an_error() -> None:
    def load() -> Mapping[str, Person]:
        raise SettingsError("half saved")

    with pytest.raises(SettingsError):
        People(load).by_name("ann")


def test_an_actor_is_known_by_every_id() -> None:
    assert Actor("person:ann", uid=5).ids == ("person:ann", "os:5")
    assert Actor("os:5", uid=5).ids == ("os:5",)
    assert Actor("service:alerts").ids == ("service:alerts",)
