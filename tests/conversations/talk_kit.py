"""Threads that people talk in: a whole Sysop with a planner that does what it is told, on either database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bench
from gate.kit import ANN, Attack
from sysop.conversations import Begun, Conversations, Heard
from sysop.extension import Earlier, Toolbox
from sysop.model import Actor, Conclusion, Run
from sysop.sections import Person
from sysop.store import conversations, runs
from sysop.store.conversations import Conversation, Turn

EVE = Actor("person:eve", human=True)


class Obeys:
    """A planner that makes the calls its text names, `append x` or `look`, and tells what it was told of before."""

    def __init__(self) -> None:
        self.before: dict[str, Sequence[Earlier]] = {}

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        self.before[run.id] = await toolbox.earlier()
        states = []
        for number, line in enumerate(run.text.splitlines()):
            verb, _, name = line.partition(" ")
            if f"lab.{verb}" in toolbox.tools:
                args = {"name": name} if name else {}
                states.append(str((await toolbox.call(f"c{number}", f"lab.{verb}", args, reason=line)).state))
        return Conclusion(f"{run.text}: {' '.join(states) or 'nothing to do'}", resolved=True)


class Talks(Attack):
    """One process's view of conversations; it works only when `work` or `advance` is called."""

    def __init__(self, folder: Path, url: str, **more: Any) -> None:
        self.obeys, prefer = Obeys(), more.pop("prefer", "obeys")
        # one more approver than ever speaks: where everybody who could approve has asked, the gate forbids at once
        more.setdefault("people", lambda: {**bench.PEOPLE, "fay": Person(roles=("approver",))})
        super().__init__(folder, url, planners={"obeys": lambda: self.obeys, **more.pop("planners", {})}, **more)
        self.app.planners.prefer(prefer)
        self.talks = Conversations(self.app.store, self.app.people, self.app.planners.name_for)
        self.count = 0

    def ts(self) -> str:
        self.count += 1
        return f"1700000000.{self.count:06}"

    async def begin(self, text: str, by: Actor = ANN, **more: Any) -> Begun:
        ts = more.pop("ts", None) or self.ts()
        place = {"surface": "test", "team": "T1", "channel": "C1", "root": ts, "ts": ts, "title": text[:40]}
        return await self.talks.begin(**{**place, "actor": by, "text": text, "delivery": f"message {ts}", **more})

    async def hear(self, talk: Conversation | str, text: str, by: Actor = ANN, **more: Any) -> Heard:
        id = talk if isinstance(talk, str) else talk.id
        return await self.talks.hear(id, more.pop("ts", None) or self.ts(), by, text, **more)

    async def waiting(self, text: str = "append web", by: Actor = ANN) -> tuple[Conversation, str]:
        """Return a conversation whose run waits until people decide."""
        begun = await self.begin(text, by)
        await self.work()
        assert begun.run is not None
        assert "approval:" in str((await self.run(begun.run)).waiting_for)
        return begun.conversation, begun.run

    async def talk(self, id: str) -> Conversation:
        return await self.app.store.read(lambda conn: conversations.load(conn, id))

    async def turns(self, talk: Conversation) -> list[Turn]:
        return await self.app.store.read(lambda conn: conversations.turns(conn, talk.id))

    async def states(self, talk: Conversation) -> list[str]:
        return [turn.state for turn in await self.turns(talk)]

    async def runs(self, talk: Conversation) -> list[Run]:
        return await self.app.store.read(lambda conn: conversations.runs_of(conn, talk.id))

    async def held(self, run: str) -> Run:
        """Let a worker that does nothing hold a run, as while a model thinks."""
        claimed = await self.app.store.write(lambda tx: runs.claim(tx, run, "somebody"))
        assert claimed is not None
        return claimed
