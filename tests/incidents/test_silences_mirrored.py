"""Silences of Sysop in a real Alertmanager: set and ended by runs through the gate, and whatever the gate says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from silence_kit import ALLOWED, FORBIDDEN, Alertmanager, Mirroring, running

from gate.kit import ANN, BOB, Died, dies_at
from sysop.incidents.silences import Mirrored
from sysop.incidents.silencing import Wish, matcher
from sysop.model import EffectState, RunState
from sysop.store import runs, silences
from sysop.store.silences import Silence

embedded = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
SOME: dict[str, Any] = {
    "conditions": [{"label": "a", "value": "b"}],
    "ends_at": "2096-01-01T00:00:00Z",
    "comment": "x",
    "mark": "m",
}
FIRING = (
    {"alertname": "Errors", "service": "checkout", "severity": "critical"},
    {"alertname": "Latency", "service": "checkout"},
    {"alertname": "Errors", "service": 'pay"ments\\'},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with running(tmp_path_factory.mktemp("alertmanager")) as there:
        there.fire(*FIRING)
        yield there


@pytest.fixture
def there(server: Alertmanager) -> Iterator[Alertmanager]:
    """The server without any silence that holds."""
    yield server
    for one in [*server.silences(), *server.silences("pending")]:
        assert server.http.delete(f"/silence/{one['id']}").status_code == 200


@pytest.fixture
async def here(there: Alertmanager, url: str, tmp_path: Path) -> AsyncIterator[Mirroring]:
    made = Mirroring(tmp_path, url, there.url, rules=[ALLOWED])
    yield made
    await made.close()


def wish(*conditions: str, in_seconds: int = 0) -> Wish:
    return Wish(tuple(map(matcher, conditions or ("service=checkout",))), 3600, "a migration", in_seconds)


async def mirrored(here: Mirroring, silence: Silence) -> Mirrored:
    return await here.app.store.read(lambda conn: here.app.silences.mirrored(conn, silences.load(conn, silence.id)))


async def test_a_silence_is_set_in_alertmanager_and_ended_there_with_it(here: Mirroring, there: Alertmanager) -> None:
    made = await here.app.silences.add(ANN, wish("service=checkout", "alertname=~Err.*"))
    assert (await mirrored(here, made)).state == "begins"
    await here.work()
    (one,) = there.silences()
    assert one["comment"] == f"a migration (ann) [sysop {made.id}]"
    assert one["createdBy"] == f"sysop {made.run}"
    assert {(m["name"], m["value"], m["isRegex"], m["isEqual"]) for m in one["matchers"]} == {
        ("service", "checkout", False, True),
        ("alertname", "Err.*", True, True),
    }
    assert [a["labels"]["alertname"] for a in there.alerts(silenced="true", active="false")] == ["Errors"]
    assert await mirrored(here, made) == Mirrored("set", "Alertmanager has it, too", made.run)
    row = await here.row(str(made.run))
    assert row is not None
    assert (row.target, row.verified) == (f"alertmanager:{made.id}", True)

    over = await here.app.silences.end(made.id, BOB)
    assert over.run != made.run
    await here.work()
    assert there.silences() == []
    assert await mirrored(here, over) == Mirrored("ended", "Alertmanager has ended it, too", over.run)
    assert (await here.run(str(over.run))).requesters[0] == BOB.id


@embedded
async def test_people_see_which_alerts_a_silence_would_mute_before_they_approve(
    there: Alertmanager, url: str, tmp_path: Path
) -> None:
    here = Mirroring(tmp_path, url, there.url)
    made = await here.app.silences.add(ANN, wish("service=checkout"))
    await here.work()
    assert there.silences() == []
    approval = await here.approval(str(made.run))
    assert f"waits for approval {approval.id}" in (await mirrored(here, made)).words
    assert 'Silence service=\\"checkout\\" in Alertmanager' in approval.preview
    assert "it would mute 2 firing alerts" in approval.preview
    assert "Errors (service=checkout, severity=critical)" in approval.preview
    assert (await here.vote(approval, by=ANN)).counted is False, "nobody approves their own wish"
    assert (await here.vote(approval, by=BOB)).counted
    await here.work()
    assert len(there.silences()) == 1
    await here.close()


@embedded
async def test_a_label_with_quotes_is_matched_as_it_is(there: Alertmanager, url: str, tmp_path: Path) -> None:
    here = Mirroring(tmp_path, url, there.url)
    made = await here.app.silences.add(ANN, wish('service=pay"ments\\'))
    await here.work()
    assert "it would mute 1 firing alert" in (await here.approval(str(made.run))).preview
    await here.close()


@embedded
async def test_what_policy_forbids_there_holds_here_all_the_same(there: Alertmanager, url: str, tmp_path: Path) -> None:
    here = Mirroring(tmp_path, url, there.url, rules=[FORBIDDEN])
    made = await here.app.silences.add(ANN, wish())
    await here.work()
    told = await mirrored(here, made)
    assert told.state == "not set"
    assert f"Alertmanager does not have it: alertmanager.silence on alertmanager:{made.id} is forbidden" in told.words
    assert there.silences() == []
    assert made.state(await here.app.store.now()) == "holds"
    over = await here.app.silences.end(made.id, ANN)
    assert over.run == made.run, "there is nothing to end there"
    await here.close()


@embedded
async def test_a_silence_ahead_is_pending_there(here: Mirroring, there: Alertmanager) -> None:
    made = await here.app.silences.add(ANN, wish(in_seconds=600))
    await here.work()
    (one,) = there.silences("pending")
    assert one["comment"].endswith(f"[sysop {made.id}]")
    await here.app.silences.end(made.id, ANN)
    await here.work()
    assert there.silences("pending") == []


@embedded
async def test_a_silence_that_is_ended_before_it_was_set_there_is_never_set(
    here: Mirroring, there: Alertmanager
) -> None:
    made = await here.app.silences.add(ANN, wish())
    over = await here.app.silences.end(made.id, ANN)
    assert (await here.run(str(made.run))).state is RunState.CANCELLED
    await here.work()
    await here.app.silences.tick()
    assert over.run == made.run
    assert there.silences() == []


async def test_a_silence_that_is_ended_while_it_is_set_there_is_ended_there_afterwards(
    here: Mirroring, there: Alertmanager
) -> None:
    made = await here.app.silences.add(ANN, wish())
    run = str(made.run)

    async def ended_midway() -> None:
        await here.app.store.write(lambda tx: silences.change(tx, made.id, ends_at=tx.now(), ended_by=ANN.id))

    await ended_midway()  # as `end` does while the run is between its call and the end of it
    await here.advance(run)
    assert len(there.silences()) == 1
    await here.app.silences.tick()
    await here.work()
    assert there.silences() == []
    await here.app.silences.tick()
    assert [one.id for one in await here.app.store.read(runs.newest)].count(run) == 1
    assert len(await here.app.store.read(runs.newest)) == 2, "one run sets it, one ends it"


@embedded
@pytest.mark.parametrize("point", ["executing", "performed"])
async def test_a_process_that_dies_over_it_leaves_one_silence(
    there: Alertmanager, url: str, tmp_path: Path, point: str
) -> None:
    first = Mirroring(tmp_path, url, there.url, rules=[ALLOWED], probe=dies_at(point))
    made = await first.app.silences.add(ANN, wish())
    with pytest.raises(Died):
        await first.advance(str(made.run))
    await first.app.store.write(runs.release_all)
    await first.close()
    again = Mirroring(tmp_path, url, there.url, rules=[ALLOWED])
    await again.sql("UPDATE effect SET started_at = started_at - 60000")  # its own time limit is over
    await again.sql("UPDATE run SET wake_at = 0")
    await again.work()
    assert len(there.silences()) == 1
    assert await again.state(str(made.run)) == EffectState.DONE
    assert (await mirrored(again, made)).state == "set"
    await again.close()


async def call(here: Mirroring, action: str, args: dict[str, Any]) -> tuple[str, str]:
    """Run an action, and return what became of its row and what was told."""
    run = await here.submit(f"alertmanager.{action}", args)
    await here.work()
    return str(await here.state(run)), await here.told(run)


@embedded
async def test_silences_of_others_are_listed_and_can_be_ended_by_their_id(here: Mirroring, there: Alertmanager) -> None:
    theirs = {
        "matchers": [{"name": "team", "value": "a|b", "isRegex": True, "isEqual": False}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2096-01-01T00:00:00Z",
        "createdBy": "kim",
        "comment": "the fair [sysop sil-forged]",
    }
    id = there.http.post("/silences", json=theirs).json()["silenceID"]
    state, told = await call(here, "silences", {})
    assert state == "done"
    assert '"conditions": ["team!~\\"a|b\\""]' in told
    assert '"mark": null' in told, "only what Sysop has set counts as marked by it"
    assert (await call(here, "unsilence", {"silence": id}))[0] == "done"
    assert there.silences() == []
    state, told = await call(here, "unsilence", {"silence": id})
    assert (state, '"ended": []' in told) == ("done", True)
    state, told = await call(here, "unsilence", {"silence": "no-such"})
    assert state == "failed"
    assert "Alertmanager has no silence no-such" in told


@embedded
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at: .* is not after its start"),
        ({"ends_at": "2096-01-01T00:00:00"}, "ends_at: Input should have timezone info"),
        ({"conditions": []}, "conditions: "),
        ({"mark": "a b"}, "mark: "),
        ({"conditions": [{"label": "a b", "value": "x"}]}, "conditions.0.label"),
        ({"conditions": [{"label": "a", "operator": "=~", "value": "("}]}, "the server answered 400: .*missing"),
        ({"conditions": [{"label": "a", "operator": "=~", "value": ".*"}]}, "400: .*must not match the empty string"),
    ],
)
async def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    here: Mirroring, there: Alertmanager, change: dict[str, Any], why: str
) -> None:
    args = {**SOME, **change}
    _, told = await call(here, "silence", args)
    assert pytest.raises(AssertionError, match=why).matches(AssertionError(told)), told
    assert there.silences() == []


@embedded
async def test_a_mark_belongs_to_one_silence(here: Mirroring, there: Alertmanager) -> None:
    assert (await call(here, "silence", SOME))[0] == "done"
    assert (await call(here, "silence", {**SOME, "comment": "again"}))[0] == "done"
    assert len(there.silences()) == 1, "the same wish is there already"
    for change in ({"ends_at": "2097-01-01T00:00:00Z"}, {"conditions": [{"label": "a", "value": "c"}]}):
        state, told = await call(here, "silence", {**SOME, **change})
        assert (state, "has m already, and is another one" in told) == ("failed", True), told
    assert (await call(here, "unsilence", {"silence": "m"}))[0] == "done"
    assert there.silences() == []


@embedded
async def test_many_silences_at_once_do_not_wait_for_each_other(here: Mirroring, there: Alertmanager) -> None:
    made = [await here.app.silences.add(ANN, wish(f"service=s{number}")) for number in range(8)]
    await here.work()
    assert len(there.silences()) == 8
    for one in made:
        await here.app.silences.end(one.id, BOB)
    await here.work()
    assert there.silences() == []


@embedded
async def test_without_a_server_the_silence_holds_here_and_says_so(url: str, tmp_path: Path) -> None:
    here = Mirroring(tmp_path, url, None)
    made = await here.app.silences.add(ANN, wish())
    assert made.run is None
    assert await mirrored(here, made) == Mirrored("nowhere", "it holds in Sysop only")
    await here.close()


@embedded
async def test_a_server_that_is_away_is_told_of_and_the_silence_holds_here(url: str, tmp_path: Path) -> None:
    here = Mirroring(tmp_path, url, "http://127.0.0.1:9", rules=[ALLOWED])
    made = await here.app.silences.add(ANN, wish())
    await here.work()
    told = await mirrored(here, made)
    assert told.state == "not set"
    assert "127.0.0.1:9" in told.words
    await here.close()
