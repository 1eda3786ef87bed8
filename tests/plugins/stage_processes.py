"""Processes of one Sysop before a server: each views the same database, and what one began another can end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gate.kit import Attack
from sysop.store.effects import Effect

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
PATIENT_S, HASTY_S = 10.0, 1.0
"""Seconds for each request: so long that a busy machine is no hang, and so short that a hang is not waited for long."""


@dataclass(kw_only=True)
class Processes(ABC):
    """All that were opened, the newest last. `timeout` is how long the next one waits for an answer, in seconds."""

    opened: list[Attack] = field(default_factory=list)
    timeout: float = PATIENT_S

    @abstractmethod
    def process(self, probe: Callable[[str], None] = lambda _point: None) -> Attack:
        """Open one more."""

    @property
    def gate(self) -> Attack:
        return self.opened[-1]

    def hasty(self) -> Attack:
        """Open a process that does not wait long for an answer, for a server that gives none."""
        self.timeout = HASTY_S
        try:
            return self.process()
        finally:
            self.timeout = PATIENT_S

    async def later(self) -> None:
        """Let so much time pass that no request of an attempt can be under way, and every post-check is due."""
        await self.gate.sql("UPDATE effect SET started_at = started_at - 600000 WHERE state = 'executing'")
        await self.gate.sql("UPDATE effect SET created_at = created_at - 600000 WHERE call LIKE '%.verify-%'")
        await self.gate.sql("UPDATE run SET wake_at = 1 WHERE state = 'waiting' AND wake_at IS NOT NULL")

    async def settled(self, gate: Attack, run: str) -> Effect:
        """Advance a run until its effect has an end or a person is asked."""
        for _ in range(4):
            await gate.advance(run)
            row = await gate.row(run)
            assert row is not None, await gate.run(run)
            if row.state not in ("executing", "intent"):
                return row
            await self.later()
        raise AssertionError(f"not settled: {row}, {await gate.run(run)}")

    async def close(self) -> None:
        for one in self.opened:
            await one.close()
