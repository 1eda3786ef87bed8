"""What correlation finds, written down: names of incidents stay, each move is told, one run an incident."""

from collections.abc import Mapping, Sequence

from sysop.incidents.placements import Explained, Found, Placements
from sysop.incidents.regroup import Regroup
from sysop.model import Actor, Alert, Incident, IncidentState, RunState
from sysop.sections import IncidentSettings
from sysop.store import alerts, audit, incidents, runs
from sysop.store.alerts import Key, key_of
from sysop.store.store import Store
from sysop.store.writer import Tx

T0 = 1_700_000_000_000
ANN = Actor("person:ann", frozenset({"approver"}), human=True)


def alert(name: str, service: str = "checkout", severity: str = "warning", ends_at: int | None = None) -> Alert:
    number = sum(map(ord, name)) % 1000
    labels = {"alertname": name, "service": service, "severity": severity}
    return Alert("test", name, T0 + number, ends_at, labels, {})


A, B, C, D = alert("A"), alert("B", "gateway"), alert("C", severity="critical"), alert("D", "blog")


def regroup(store: Store) -> Regroup:
    return Regroup(store, IncidentSettings(triage_after_seconds=0), lambda _request: "runbook")


class Desk:
    """Writes rounds down and reads what came of them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.placements = Placements(IncidentSettings(triage_after_seconds=0), lambda _request: "runbook")

    async def take(self, *some: Alert) -> None:
        await self.store.write(lambda tx: alerts.add(tx, some, {}))

    async def round(self, groups: Mapping[str, Sequence[Alert]], held: Sequence[Alert] = ()) -> None:
        moved: dict[Key, Explained] = {
            key_of(one): Explained(group, f"{one.name} fits {group}") for group, some in groups.items() for one in some
        }
        moved.update({key_of(one): Explained(None, "it stands alone") for one in held})
        found = Found(moved, {group: [key_of(one) for one in some] for group, some in groups.items()})

        def unit(tx: Tx) -> None:
            incidents.lock(tx)
            self.placements.write(tx, found)

        await self.store.write(unit)

    async def all(self) -> list[Incident]:
        return sorted(await self.store.read(incidents.listed), key=lambda one: (one.opened_at, one.id))

    async def open(self) -> dict[str, set[str]]:
        return {
            one.id: {a.name for a in one.alerts} for one in await self.all() if one.state is not IncidentState.RESOLVED
        }

    async def kinds(self, incident: str) -> list[str]:
        entries = await self.store.read(lambda conn: audit.entries(conn, chain=incidents.chain(incident)))
        return [entry.kind for entry in entries]


async def test_a_group_becomes_an_incident_with_one_run_and_each_alert_says_why(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C)
    await desk.round({"g": [A, C]}, held=[B])
    (one,) = await desk.all()
    assert (one.title, one.severity, one.services) == ("C on checkout", "critical", ("checkout",))
    assert set(one.reasons) == {"A fits g", "C fits g"}
    assert len(await store.read(runs.newest)) == 1
    (held,) = await store.read(lambda conn: alerts.listed(conn, held_only=True))
    assert (held.alert.name, held.incident, held.reason) == ("B", None, "it stands alone")
    await desk.round({"g": [A, B, C]})
    (one,) = await desk.all()
    assert (one.services, len(one.alerts)) == (("checkout", "gateway"), 3)
    assert len(await store.read(runs.newest)) == 1


async def test_a_round_written_twice_changes_nothing_the_second_time(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C)
    await desk.round({"g": [A, C]}, held=[B])
    before = (await desk.all(), await desk.kinds((await desk.all())[0].id))
    await desk.round({"g": [A, C]}, held=[B])
    assert (await desk.all(), await desk.kinds(before[0][0].id)) == before


async def test_late_evidence_merges_two_incidents_into_the_larger_and_ends_the_other_s_run(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C)
    await desk.round({"g": [A, C], "h": [B]})
    small, large = sorted(await desk.all(), key=lambda one: len(one.alerts))
    await desk.round({"g": [A, B, C]})
    assert await desk.open() == {large.id: {"A", "B", "C"}}
    gone = await store.read(lambda conn: incidents.load(conn, small.id))
    assert (gone.state, gone.merged_into, gone.alerts) == (IncidentState.RESOLVED, large.id, ())
    assert gone.run is not None
    run = await store.read(lambda conn: runs.load(conn, gone.run or ""))
    assert run.state is RunState.CANCELLED
    assert (await desk.kinds(small.id))[-2:] == ["incident.left", "incident.resolved"]


async def test_late_evidence_splits_an_incident_and_the_larger_part_keeps_its_name(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C, D)
    await desk.round({"g": [A, B, C, D]})
    (one,) = await desk.all()
    await desk.round({"g": [D], "h": [A, B, C]})
    found = await desk.open()
    assert found[one.id] == {"A", "B", "C"}
    assert sorted(map(len, found.values())) == [1, 3]


async def test_an_incident_whose_alerts_are_held_back_after_all_is_closed(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A)
    await desk.round({"g": [A]})
    (one,) = await desk.all()
    await desk.round({}, held=[A])
    (one,) = await desk.all()
    assert (one.state, one.merged_into, one.alerts) == (IncidentState.RESOLVED, None, ())


async def test_a_closed_incident_keeps_its_alerts_and_what_comes_later_opens_one_of_its_own(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B)
    await desk.round({"g": [A]})
    (one,) = await desk.all()
    await store.write(lambda tx: incidents.change(tx, one.id, state=IncidentState.RESOLVED))
    await desk.round({"g": [A, B]})
    assert [{a.name for a in i.alerts} for i in await desk.all()] == [{"A"}, {"B"}]


async def test_what_a_person_merged_stays_together_and_takes_later_ones_in(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C, D)
    await desk.round({"g": [A, C], "h": [B]})
    small, large = sorted(await desk.all(), key=lambda one: len(one.alerts))
    await regroup(store).merge(small.id, large.id, ANN)
    assert await desk.open() == {large.id: {"A", "B", "C"}}
    await desk.round({"g": [A, C], "h": [B, D]})
    assert await desk.open() == {large.id: {"A", "B", "C", "D"}}


async def test_what_a_person_split_off_stays_apart(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A, B, C, D)
    await desk.round({"g": [A, B, C]})
    (one,) = await desk.all()
    other = await regroup(store).split(one.id, ["B"], ANN)
    await desk.round({"g": [A, B, C, D]})
    assert await desk.open() == {one.id: {"A", "C", "D"}, other: {"B"}}


async def test_a_held_alert_becomes_an_incident_when_a_person_says_so(store: Store) -> None:
    desk = Desk(store)
    await desk.take(A)
    await desk.round({}, held=[A])
    assert await desk.all() == []
    made = await regroup(store).move("A", None, ANN)
    await desk.round({}, held=[A])
    assert await desk.open() == {made: {"A"}}


def pod(number: int, name: str = "Slow") -> Alert:
    labels = {"alertname": name, "service": "checkout", "severity": "warning", "pod": f"web-{number}"}
    return Alert("test", f"{name}-{number}", T0 + number, None, labels, {})


PODS = [pod(number) for number in range(6)]


async def test_the_smaller_half_of_a_split_stays_where_it_is(store: Store) -> None:
    desk = Desk(store)
    await desk.take(*PODS)
    await desk.round({"g": PODS[:5]})
    (one,) = await desk.all()
    made = await regroup(store).split(one.id, [a.fingerprint for a in PODS[:3]], ANN)
    await desk.round({"g": PODS})
    sizes = {one.id: len(one.alerts) for one in await desk.all()}
    assert sizes == {one.id: 2, made: 4}


async def test_what_is_left_when_one_is_moved_away_does_not_follow_it(store: Store) -> None:
    desk = Desk(store)
    early, late = pod(7, "Early"), pod(8, "Late")
    await desk.take(early)
    await desk.round({"e": [early]})
    (target,) = await desk.all()
    await desk.take(*PODS[:2])
    await desk.round({"g": PODS[:2]})
    (left,) = [one for one in await desk.all() if one.id != target.id]
    await regroup(store).move(PODS[0].fingerprint, target.id, ANN)
    await desk.take(late)
    await desk.round({"g": [*PODS[:2], late]})
    assert left.id in await desk.open()


async def test_two_that_a_person_merged_are_not_torn_apart_by_a_third(store: Store) -> None:
    desk = Desk(store)
    others = [pod(number, "Other") for number in range(4)]
    await desk.take(*PODS, *others)
    await desk.round({"g": PODS[:1], "h": PODS[1:3], "k": others})
    by = {len(one.alerts): one.id for one in await desk.all()}
    await regroup(store).merge(by[1], by[2], ANN)
    await desk.round({"g": PODS[:1], "k": [*others, *PODS[1:3]]})
    sizes = {one.id: len(one.alerts) for one in await desk.all()}
    assert sizes == {by[1]: 0, by[2]: 3, by[4]: 4}
