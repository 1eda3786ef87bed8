"""Planners that know nothing. Each goes through the same gate as the real one; what it gets right was no test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sysop.errors import ActionRefused, InvalidCall
from sysop.extension import Planner, Toolbox
from sysop.model import Conclusion, Outcome, Run

RECENT_MINUTES = 60


class DoNothing:
    """Looks at nothing and lets it pass."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Conclude at once."""
        return Conclusion("Nothing was done.", resolved=False)


class EscalateAlways:
    """Looks at nothing and calls a person."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Conclude at once."""
        return Conclusion("Nothing was looked at.", resolved=False, escalate="A person must go on.")


class RollBackNewest:
    """Takes back whatever was deployed last, of any service, and calls that the cause."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Roll back once."""
        try:
            found = await toolbox.call("deploys", "cicd.recent_deploys", {"minutes": RECENT_MINUTES})
            newest = _newest(found)
            if newest is None:
                return Conclusion("Nothing was deployed.", resolved=False)
            done = await toolbox.call("rollback", "cicd.rollback", {"service": newest}, reason="it was deployed last")
        except (InvalidCall, ActionRefused) as no:
            return Conclusion(str(no), resolved=False)
        well = done.ok and done.verified is not False
        return Conclusion(f"Rolled back {newest}: {done.error or done.verification or done.state}", resolved=well)


def _newest(found: Outcome) -> str | None:
    latest = found.result["latest"] if found.ok else None
    return str(latest["service"]) if latest else None


CONTROLS: Mapping[str, Callable[[], Planner]] = {
    "do-nothing": DoNothing,
    "escalate-always": EscalateAlways,
    "roll-back-newest": RollBackNewest,
}
