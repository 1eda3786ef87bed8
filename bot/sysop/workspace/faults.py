"""Faults on request: a method that fails, a delivery that goes astray."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sysop.workspace.errors import ControlError

METHOD_KINDS = ("429", "500", "hang", "drop_before", "drop_after", "error")
DELIVERY_KINDS = ("duplicate", "delay", "reorder", "lose_ack")


@dataclass
class Fault:
    """What happens to the next `times` calls of a method, or deliveries of a type; `*` is any."""

    target: str
    kind: str
    times: int = 1
    retry_after: int = 1
    error: str = "internal_error"
    seconds: float = 5.0


class Faults:
    """The faults still to come, first asked first served."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = tuple(kinds)
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        if fault.kind not in self._kinds:
            raise ControlError("invalid_kind", f"kind is one of {', '.join(self._kinds)}")
        if fault.times < 1:
            raise ControlError("invalid_times", "times is 1 or more")
        self._waiting.append(fault)

    def take(self, target: str) -> Fault | None:
        """Return the fault of this call, if it has one, and count it."""
        for fault in self._waiting:
            if fault.target in ("*", target):
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget what has not happened yet."""
        self._waiting.clear()
