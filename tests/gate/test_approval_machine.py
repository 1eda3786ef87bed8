"""Safety promise 11: whatever people, clocks, settings and crashes do, the effect needs a live quorum."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import bench
from gate.kit import Attack, over
from scale import size
from sysop.errors import NotAllowed
from sysop.model import Actor, Approval, ApprovalState
from sysop.sections import Person
from sysop.store import approvals, audit
from sysop.store.store import Store

T = TypeVar("T")

EXAMPLES = size(200)
STEPS = 40
PEOPLE = ("ann", "bob", "cat", "dan", "eve")
MINUTE = 60_000
RARELY = st.sampled_from([False, False, False, True])
_template: list[Path] = []
reached: Counter[str] = Counter()


class Crash(BaseException):
    """The process dies here."""


class Machine(RuleBasedStateMachine):
    """One call that needs two people of three, asked for by ann. The model holds what people did and see."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sysop-machine-"))
        shutil.copy(_migrated(), self.folder / "sysop.db")
        self.loop = asyncio.new_event_loop()
        self.time = 1_800_000_000_000
        self.people = {name: Person(roles=("approver",) if name != "dan" else ()) for name in PEOPLE}
        self.policy: dict[str, Any] = {}
        self.die_at: int | None = None
        self.voted: dict[str, dict[str, bool]] = {}
        self.revoked: set[str] = set()
        self.seen = 0
        self.desk = self._open()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _open(self) -> Attack:
        store = Store.open(f"sqlite:///{self.folder / 'sysop.db'}", clock=lambda: self.time)
        desk = Attack(
            self.folder, str(store.url), store=store, probe=self._probe, people=lambda: self.people, policy=self.policy
        )
        desk.app.people._fresh_s = -1.0
        return desk

    def _probe(self, _point: str) -> None:
        if self.die_at is not None:
            self.die_at -= 1
            if self.die_at < 0:
                self.die_at = None
                raise Crash

    def _restart(self) -> None:
        self.do(self.desk.close())
        self.desk = self._open()

    @initialize()
    def begin(self) -> None:
        self._level(0)
        self.policy = {"rules": [{"name": "two", "match": {"risk": ["change"]}, "then": "approve", "count": 2}]}
        self._restart()
        self.request()

    def request(self) -> None:
        self.asked = getattr(self, "asked", 0) + 1
        self.run = self.do(self.desk.submit("guarded", {"name": f"x{self.asked}"}))
        self._advance()

    @rule()
    def ask_again(self) -> None:
        if over(self.do(self.desk.run(self.run))):
            self.request()

    def _level(self, level: int) -> None:
        (self.folder / "level").write_text(str(level))

    def _advance(self) -> None:
        """Be the runner for a moment, as after a restart: nothing of this run is held by anybody else."""
        self.do(self.desk.sql("UPDATE run SET state = 'queued' WHERE id = :id AND state = 'running'", id=self.run))
        self.before = self._all()
        try:
            self.do(self.desk.advance(self.run))
        except Crash:
            self._restart()

    def _all(self) -> dict[str, Approval]:
        found = self.do(self.desk.app.store.read(lambda conn: approvals.listed(conn, pending_only=False)))
        return {approval.id: approval for approval in found}

    def _newest(self) -> Approval | None:
        return self.do(self.desk.app.store.read(lambda conn: approvals.newest_for(conn, self.run, "call")))

    def _actor(self, name: str) -> Actor:
        return self.desk.app.people.by_name(name)

    # -- what may happen --------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(PEOPLE), approve=st.sampled_from([True, True, True, True, False]))
    def one_person_answers(self, who: str, approve: bool) -> None:
        self.vote(who, approve)

    def vote(self, who: str, approve: bool) -> None:
        asked = self._newest()
        if asked is None:
            return
        counted = self.do(self.desk.vote(asked, self._actor(who), approve))
        mine = self.voted.setdefault(asked.id, {})
        allowed = (
            asked.state is ApprovalState.PENDING
            and self.time < asked.approve_by
            and who != "ann"
            and "approver" in self.people[who].roles
            and who not in mine
        )
        assert counted.counted == allowed, (counted, who, mine)
        if counted.counted:
            mine[who] = approve

    @rule()
    def most_people_agree(self) -> None:
        for who in ("bob", "cat", "eve"):
            self.vote(who, True)

    @rule(who=st.sampled_from(PEOPLE), really=RARELY)
    def revoke(self, who: str, really: bool) -> None:
        asked = self._newest()
        if asked is None or not really:
            return
        try:
            counted = self.do(self.desk.app.service.revoke(asked.id, self._actor(who)))
        except NotAllowed:
            assert who != "ann"
            assert "approver" not in self.people[who].roles
        else:
            if counted.counted:
                self.revoked.add(asked.id)

    @rule(minutes=st.sampled_from([1, 1, 3, 11, 31]))
    def time_passes(self, minutes: int) -> None:
        self.time += minutes * MINUTE

    @rule(minutes=st.sampled_from([5, 60]))
    def the_clock_is_set_back(self, minutes: int) -> None:
        self.time -= minutes * MINUTE
        assert self.do(self.desk.app.store.now()) >= self.do(self._newest_time())
        self.time += minutes * MINUTE

    async def _newest_time(self) -> int:
        return (await self.desk.app.store.read(lambda conn: audit.newest(conn, 1)))[-1].ts

    @rule(level=st.integers(0, 2))
    def the_world_drifts(self, level: int) -> None:
        self._level(level)

    @rule(who=st.sampled_from(PEOPLE[1:]), holds=st.booleans())
    def a_role_changes(self, who: str, holds: bool) -> None:
        self.people = {**self.people, who: Person(roles=("approver",) if holds else ())}

    @rule(count=st.sampled_from([1, 2, 2, 3]))
    def the_policy_changes(self, count: int) -> None:
        self.policy = {"rules": [{"name": "n", "match": {"risk": ["change"]}, "then": "approve", "count": count}]}
        self._restart()

    @rule(really=RARELY)
    def pause(self, really: bool) -> None:
        if really:
            self.do(self.desk.app.service.pause(self._actor("dan"), "wait"))

    @rule()
    def resume(self) -> None:
        by = next(name for name, person in self.people.items() if person.roles)  # ann always has hers
        self.do(self.desk.app.service.resume(self._actor(by), "go on"))

    @rule()
    def execute(self) -> None:
        self._advance()

    @rule()
    def execute_again(self) -> None:
        self._advance()

    @rule(point=st.integers(0, 8))
    def execute_and_crash(self, point: int) -> None:
        self.die_at = point
        self._advance()
        self.die_at = None

    # -- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def an_effect_runs_at_most_once_and_only_under_a_live_quorum(self) -> None:
        begun = self.desk.begun
        assert len(begun) == len(set(begun)), "an effect ran twice"
        if len(begun) == self.seen:
            return
        self.seen = len(begun)
        assert begun[-1] == f"{self.run}:call"
        used = [a for a in self._all().values() if a.state is ApprovalState.CONSUMED and a.run == self.run]
        assert len(used) == 1
        yes = {who for who, answer in self.voted[used[0].id].items() if answer}
        assert all(self.voted[used[0].id].values()), "it ran against a no"
        live = {who for who in yes if "approver" in self.people[who].roles and who != "ann"}
        assert len(live) >= used[0].count, "it ran below its quorum"
        assert self.time < (used[0].execute_by or 0), "it ran late"
        assert used[0].id not in self.revoked, "it ran after it was taken back"
        row = self.do(self.desk.row(self.run))
        assert row is not None
        assert row.precondition == f'"{(self.folder / "level").read_text()}"', "it ran on a state nobody approved"
        assert used[0].count == self.policy["rules"][0]["count"], "it ran under an older policy"

    @invariant()
    def at_most_one_approval_is_open(self) -> None:
        assert sum(a.state in approvals.OPEN for a in self._all().values()) <= 1

    @invariant()
    def a_final_state_stays(self) -> None:
        now = self._all()
        for name, was in getattr(self, "before", {}).items():
            if was.state not in approvals.OPEN:
                assert now[name].state is was.state
        self.before = now

    @invariant()
    def a_run_that_ended_leaves_nothing_open(self) -> None:
        if over(self.do(self.desk.run(self.run))):
            assert not any(a.state in approvals.OPEN for a in self._all().values())
            assert self.do(self.desk.state(self.run)) in (None, "done", "failed", "unknown")

    def teardown(self) -> None:
        reached.update(str(approval.state) for approval in self._all().values())
        reached["ran"] += len(self.desk.begun)
        verified = self.do(self.desk.app.store.read(audit.verify))
        self.do(self.desk.close())
        self.loop.close()
        shutil.rmtree(self.folder)
        assert verified.ok, verified


def _migrated() -> Path:
    if not _template:
        folder = Path(tempfile.mkdtemp(prefix="sysop-machine-"))
        bench.upgrade(f"sqlite:///{folder / 'sysop.db'}")
        _template.append(folder / "sysop.db")
    return _template[0]


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Any:
    yield
    while _template:
        shutil.rmtree(_template.pop().parent)


@pytest.mark.timeout(1800)
def test_no_order_of_steps_breaks_an_approval_and_every_state_was_reached() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
    assert all(reached[state] for state in ApprovalState), reached
    assert reached["ran"] >= EXAMPLES // 20, f"the effect hardly ever ran, so the machine proves little: {reached}"
