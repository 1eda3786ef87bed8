"""The planner of `sysop run ACTION`: makes exactly the one call the request names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sysop.errors import ActionRefused, InvalidCall
from sysop.extension import Toolbox
from sysop.model import Claim, Conclusion, EffectState, Outcome, Run


class DirectPlanner:
    """No decisions of its own."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        """Make the call and report what became of it."""
        action = str(run.request["action"])
        try:
            outcome = await toolbox.call("call", action, run.request["args"], reason=run.text)
        except (InvalidCall, ActionRefused) as no:
            return Conclusion(summary=str(no), resolved=False, confidence="high", basis="the gate's answer")
        return Conclusion(
            summary=_summary(outcome),
            resolved=outcome.ok,
            confidence="high",
            basis="the action's own outcome",
            claims=(Claim(_summary(outcome), (outcome.evidence,)),),
        )


def _summary(outcome: Outcome) -> str:
    if outcome.state is not EffectState.DONE:
        return f"{outcome.action} failed: {outcome.error}"
    if outcome.verified is False:
        return f"{outcome.action} is done, but its post-check failed: {outcome.verification}"
    checked = f" ({outcome.verification})" if outcome.verification else ""
    return f"{outcome.action} is done{checked}: {json.dumps(outcome.result)[:2000]}"
