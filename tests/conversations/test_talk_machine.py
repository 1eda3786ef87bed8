"""Whatever people, clicks and crashes do to a thread: no message is lost or doubled, nobody approves their own wish.

A real runner, the real gate and a model over HTTP that does what it was told last. The tokens `do:NAME` are wishes.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pydantic_ai.messages import ModelRequest, UserPromptPart
from talk_kit import Talks

import bench
from gate.kit import ANN, BOB, CAT, DAN
from scale import size
from sysop.agent import history
from sysop.conversations import Heard
from sysop.conversations.fate import Fate, fate, words_of
from sysop.errors import InvalidRequest, NotAllowed
from sysop.model import Actor, Approval, ApprovalState, Run
from sysop.store import approvals, audit, conversations, runs
from sysop.testing.llm import Answer, Asked, LlmServer, Use

T = TypeVar("T")

EXAMPLES = {"sqlite": size(100), "postgres": size(30)}
STEPS = 25
PEOPLE = st.sampled_from([ANN, BOB, CAT, DAN])
ASKED = re.compile(r"<request (\w+) from=[^\n]*\n(.*?)\n</request \1>", re.DOTALL)
KINDS = {
    Fate.RUN: {"run"},
    Fate.QUEUE: {"queued"},
    Fate.LOOK: {"looking", "refused"},
    Fate.REVOKE: {"revoked", "refused"},
    Fate.STOP: {"stopped", "refused"},
    Fate.REFUSE: {"refused"},
    Fate.NOTHING: {"thanks"},
}


class Crash(BaseException):
    """The process dies here."""


def obey(asked: Asked) -> Answer:
    """Do what people asked for and has not been tried yet, one change an answer; look beside each; then conclude."""
    words = " ".join(found[1] for found in ASKED.findall("\n".join(str(m.get("content")) for m in asked.messages)))
    wanted = re.findall(r"do:(\w+)", words) if "lab-append" in asked.tools else []
    tried = re.findall(r'"name": ?\\?"(\w+)', str([m.get("tool_calls") for m in asked.messages]))
    left = [name for name in wanted if name not in tried]
    if left:
        return Answer("As asked.", [Use("lab-append", f'{{"name": "{left[0]}"}}'), Use("lab-look")])
    return Answer("That is all.")


class Machine(RuleBasedStateMachine):
    """One thread. `said` is what people wrote, by its name."""

    url: Callable[[Path], str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sysop-talk-"))
        self.loop = asyncio.new_event_loop()
        self.base = type(self).url(self.folder)
        self.meanwhile: list[tuple[Actor, str]] = []
        self.said: dict[str, tuple[str, str]] = {}
        self.seen: dict[str, Approval] = {}
        self.die_at: int | None = None
        self.server = LlmServer(self.answer)
        self.server.__enter__()
        self.bot = self._open()

    def _open(self) -> Talks:
        llm = {"model": "test", "base_url": self.server.url, "request_seconds": 5}
        bot = Talks(self.folder, self.base, llm=llm, probe=self._probe, prefer="llm")
        bot.ts = lambda: f"{len(self.said) + 1:06}"  # type: ignore[method-assign]
        return bot

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _probe(self, _point: str) -> None:
        if self.die_at is not None:
            self.die_at -= 1
            if self.die_at < 0:
                self.die_at = None
                raise Crash

    def answer(self, asked: Asked) -> Answer:
        """Run in the server's thread: people speak while the model thinks."""
        while self.meanwhile:
            by, text = self.meanwhile.pop()
            asyncio.run_coroutine_threadsafe(self._hear(by, text), self.loop).result(10)
        return obey(asked)

    async def _hear(self, by: Actor, text: str) -> Heard:
        ts = self.bot.ts()
        self.said[ts] = (by.id, text)
        heard = await self.bot.talks.hear(self.id, ts, by, text)
        assert (await self.bot.talks.hear(self.id, ts, by, text)).kind == "repeat"
        return heard

    @initialize()
    def begin(self) -> None:
        ts = self.bot.ts()
        self.said[ts] = (ANN.id, "begin do:first")
        begun = self.do(
            self.bot.begin("begin do:first", ANN, ts=ts, delivery=f"{self.folder} {ts}", root=str(self.folder))
        )
        self.id = begun.conversation.id

    def main(self) -> Run | None:
        talk = self.do(self.bot.talk(self.id))
        return self.do(self.bot.run(talk.run)) if talk.run else None

    # -- what may happen --------------------------------------------------------------------------------------------

    def _say(self, by: Actor, text: str) -> None:
        main = self.main()
        waits = main is not None and bool(self.do(self.bot.app.store.read(lambda conn: runs.awaited(conn, main.id))))
        wanted = fate(main.state if main else None, waits, words_of(text))
        heard = self.do(self._hear(by, text))
        assert heard.kind in KINDS[wanted], (heard, wanted, main)

    @rule(by=PEOPLE, wish=st.booleans())
    def somebody_speaks(self, by: Actor, wish: bool) -> None:
        self._say(by, f"words{len(self.said)}x do:n{len(self.said)}" if wish else f"words{len(self.said)}x why?")

    @rule(by=PEOPLE, text=st.sampled_from(["revoke", "yes", "thanks", "approve"]))
    def somebody_says_a_few_words(self, by: Actor, text: str) -> None:
        self._say(by, text)

    @rule(by=PEOPLE, wish=st.booleans())
    def somebody_speaks_while_the_model_thinks(self, by: Actor, wish: bool) -> None:
        self.meanwhile.append(
            (by, f"words{len(self.said)}m do:m{len(self.said)}" if wish else f"words{len(self.said)}m")
        )
        self.work()
        self.meanwhile.clear()

    @rule()
    def work(self) -> None:
        """Let the runner work until only people can move anything."""
        try:
            self.do(self.bot.work())
        except Crash:
            self._restart()
            self.do(self.bot.app.store.write(runs.release_all))

    def _restart(self) -> None:
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:  # a task that is not let come to its end keeps its connection
            self.do(asyncio.wait(left, timeout=5))
        self.do(self.bot.close())
        self.bot = self._open()

    @rule(point=st.integers(0, 9))
    def work_and_crash(self, point: int) -> None:
        self.die_at = point
        self.work()
        self.die_at = None

    @rule()
    def tick(self) -> None:
        self.do(self.bot.talks.tick())

    def _pending(self) -> Approval | None:
        found = self.do(self.bot.app.store.read(lambda conn: approvals.listed(conn, pending_only=True)))
        mine = {run.id for run in self.runs()}
        return next((approval for approval in found if approval.run in mine), None)

    @rule(by=PEOPLE, approve=st.sampled_from([True, True, False]))
    def somebody_clicks(self, by: Actor, approve: bool) -> None:
        asked = self._pending()
        if asked is None:
            return
        counted = self.do(
            self.bot.vote(asked, by, approve, delivery=f"{self.folder} {len(self.said)} {by.id} {asked.id}")
        )
        assert counted.counted == (by.id not in asked.requesters and bool(by.roles)), counted

    @rule()
    def everybody_agrees(self) -> None:
        for by in (ANN, BOB, CAT):
            self.somebody_clicks(by, True)

    @rule(by=PEOPLE)
    def stop(self, by: Actor) -> None:
        stopped = self.do(self.bot.talks.stop(self.id, by))
        if not stopped.refused:
            assert all(run.over or run.id in stopped.stopping for run in self.runs())
            again = self.do(self.bot.talks.stop(self.id, by))
            assert again.ended == ()

    @rule(by=PEOPLE, really=st.sampled_from([False, False, True]))
    def cancel(self, by: Actor, really: bool) -> None:
        main = self.main()
        if main is None or not really:
            return
        try:
            self.do(self.bot.app.service.cancel(main.id, by))
        except NotAllowed:
            assert by.id not in main.requesters
        except InvalidRequest:
            assert main.over

    # -- what must hold ---------------------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        return self.do(self.bot.app.store.read(lambda conn: conversations.runs_of(conn, self.id)))

    def _told(self, run: Run) -> list[str]:
        """Return what the model of a run was asked: the whole texts of its requests from people."""
        stored = self.do(self.bot.app.store.read(lambda conn: runs.history(conn, run.id)))[0]
        texts = []
        for message in history.load(stored):
            parts = message.parts if isinstance(message, ModelRequest) else ()
            texts += [str(part.content) for part in parts if isinstance(part, UserPromptPart)]
        return [found[1] for text in texts for found in ASKED.findall(text)]

    @invariant()
    def every_message_is_in_one_history_or_answered_or_queued(self) -> None:
        found = {turn.ts: turn for turn in self.do(self.bot.app.store.read(lambda c: conversations.turns(c, self.id)))}
        assert found.keys() == self.said.keys()
        told = {run.id: "\n".join(self._told(run)) for run in self.runs()}
        for ts, (by, text) in self.said.items():
            turn = found[ts]
            assert (turn.actor, turn.text) == (by, text)
            if not text.startswith("words"):
                continue
            mark = text.split()[0]
            owners = {run.id: run for run in self.runs() if mark in run.text or mark in told[run.id]}
            assert set(owners) == ({turn.run} if turn.state == "taken" else set()), (turn, owners)
            assert all(told[id].count(mark) <= 1 for id in owners)
            assert all(by in run.requesters for run in owners.values()), (turn, owners)

    @invariant()
    def one_run_at_most_may_change_something(self) -> None:
        assert sum(not run.over and not run.read_only for run in self.runs()) <= 1

    @invariant()
    def nobody_who_spoke_into_a_run_counts_as_its_approver(self) -> None:
        mine = {run.id: run for run in self.runs()}
        everything = self.do(self.bot.app.store.read(lambda c: approvals.listed(c, pending_only=False, limit=500)))
        turns = self.do(self.bot.app.store.read(lambda c: conversations.turns(c, self.id)))
        for approval in everything:
            if approval.run not in mine:
                continue
            assert not mine[approval.run].read_only
            yes = {vote.approver for vote in approval.votes if vote.approve}
            assert not yes & set(approval.requesters)
            if approval.id not in self.seen and approval.state is ApprovalState.PENDING:
                spoke = {turn.actor for turn in turns if turn.run == approval.run and turn.state == "taken"}
                assert spoke <= set(approval.requesters)
            self.seen[approval.id] = approval

    @invariant()
    def open_calls_never_get_a_message(self) -> None:
        assert self.server.problems == []
        for run in self.runs():
            messages = history.load(self.do(self.bot.app.store.read(lambda conn, id=run.id: runs.history(conn, id)))[0])
            for end, message in enumerate(messages, 1):
                words = [p for p in message.parts if isinstance(p, UserPromptPart)]
                assert not words or history.open_calls(messages[:end]) == []

    @invariant()
    def an_effect_runs_at_most_once(self) -> None:
        assert len(self.bot.begun) == len(set(self.bot.begun))

    def teardown(self) -> None:
        verified = self.do(self.bot.app.store.read(audit.verify))
        self.do(self.bot.close())
        self.server.close()
        self.loop.close()
        shutil.rmtree(self.folder)
        assert verified.ok, verified


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path, url: str) -> tuple[str, Callable[[Path], str]]:
    """Return the kind of database, and what gives each example its own: a copied file, or a thread of a shared one."""
    if not url.startswith("sqlite"):
        return "postgres", lambda _folder: url

    def copied(folder: Path) -> str:
        bench.upgrade(f"sqlite:///{folder / 'sysop.db'}")
        return f"sqlite:///{folder / 'sysop.db'}"

    return "sqlite", copied


@pytest.mark.timeout(1800)
def test_no_order_of_words_clicks_and_crashes_breaks_a_conversation(
    where: tuple[str, Callable[[Path], str]],
) -> None:
    kind, url = where
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        type("Here", (Machine,), {"url": staticmethod(url)}),
        settings=settings(
            max_examples=EXAMPLES[kind],
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=[Phase.generate],  # what a crash meets differs a little each time: nothing to shrink
        ),
    )
