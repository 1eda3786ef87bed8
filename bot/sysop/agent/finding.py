"""How the model ends a run, and what becomes of it in code: unsupported claims and unproven success do not pass."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sysop.model import Claim, Conclusion, EffectState, Outcome, Risk, Run

MAX_TEXT = 4000


class Statement(BaseModel):
    """One claim with the evidence ids that carry it."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(description="one statement of fact")
    evidence: list[str] = Field(description="evidence ids exactly as given in tool results")


class Finding(BaseModel):
    """End the run with what was found. Call this alone, after every other call is answered."""

    model_config = ConfigDict(extra="ignore")

    summary: str = Field(description="what happened and what was done, in a few sentences", min_length=1)
    resolved: bool = Field(False, description="true only if the evidence shows it")
    cause: str = Field("undetermined", description='the cause, or "undetermined"')
    confidence: Literal["low", "medium", "high"] = Field("low", description="how sure you are of the cause")
    basis: str = Field("", description="what the confidence rests on")
    claims: list[Statement] = Field(default_factory=list, description="what you claim, each with evidence")
    proposed: list[str] = Field(default_factory=list, description="calls you propose to people")
    not_checked: list[str] = Field(default_factory=list, description="what you did not check")
    escalate: str | None = Field(None, description="what a person must do next, if it is not resolved")
    unanswered: bool = Field(False, description="true if neither results nor pages answer what was asked")

    @property
    def texts(self) -> list[str]:
        """Return all that people are shown of it."""
        claims = [claim.text for claim in self.claims]
        return [self.summary, *claims, self.cause, self.basis, *self.proposed, *self.not_checked, self.escalate or ""]

    @property
    def evidence(self) -> list[str]:
        """Return every id that is cited, in order."""
        return [id for claim in self.claims for id in claim.evidence]

    def unknown(self, known: Collection[str]) -> list[str]:
        """Return the cited ids that no result of this run has."""
        return sorted(set(self.evidence) - set(known))

    def conclusion(self, run: Run, known: Collection[str], citable: Collection[str] = ()) -> Conclusion:
        """Return the conclusion. Without one supported claim nothing is resolved and no cause is sure.

        What is `citable` beside the evidence supports nothing by itself.
        """
        cited = [set(claim.evidence) - set(citable) for claim in self.claims]
        supported = any(evidence and evidence <= set(known) for evidence in cited)
        resolved = self.resolved and supported
        doubt = [] if resolved == self.resolved else ["whether it is resolved: no evidence was cited for that"]
        escalate = None if resolved else self.escalate or (self.summary if run.incident else None)
        return Conclusion(
            summary=self.summary[:MAX_TEXT],
            resolved=resolved,
            cause=self.cause,
            confidence=self.confidence if supported else "low",
            basis=self.basis,
            claims=[Claim(claim.text, tuple(claim.evidence)) for claim in self.claims],
            proposed=self.proposed,
            not_checked=[*self.not_checked, *doubt],
            escalate=escalate,
        )


def from_text(run: Run, text: str) -> Conclusion:
    """Return a conclusion from an answer in plain text: a summary, nothing proven."""
    summary = text.strip()[:MAX_TEXT]
    return Conclusion(
        summary=summary,
        resolved=False,
        basis="the model's own words; no evidence was cited",
        escalate=summary if run.incident else None,
    )


def partial(why: str, outcomes: Sequence[Outcome], undone: Sequence[str]) -> Conclusion:
    """Return what is known when the model gets no further, from the ledger and not from the model."""
    claims = [Claim(_in_short(outcome), (outcome.evidence,)) for outcome in outcomes]
    changed = [o for o in outcomes if o.risk is not Risk.READ and o.state is EffectState.DONE]
    text = f"Partial finding, stopped early: {why}. {len(outcomes)} calls gave a result"
    text += f", {len(changed)} of them changed something." if changed else "; nothing was changed."
    return Conclusion(
        summary=text,
        resolved=False,
        basis="results in the ledger; the model had come to no conclusion",
        claims=claims,
        proposed=list(undone),
        not_checked=["the cause", f"everything after the stop: {why}"],
        escalate=f"{text} A person must go on.",
    )


def _in_short(outcome: Outcome) -> str:
    if outcome.state is not EffectState.DONE:
        return f"{outcome.action} is {outcome.state}: {outcome.error or 'no detail'}"[:400]
    return f"{outcome.action} is done: {json.dumps(outcome.result, ensure_ascii=False)}"[:400]
