"""What a run may use of the model and has used, over all attempts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sysop.sections import LlmSettings


class Enough(Exception):
    """The model gets no further: a budget is used up or it goes in circles. Ends in a partial finding."""


@dataclass(slots=True)
class Meter:
    """Counts requests, tokens, calls and seconds of work; waiting for people is no work."""

    limits: LlmSettings
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    worked: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def resume(cls, limits: LlmSettings, usage: Mapping[str, Any]) -> Meter:
        """Go on counting where the run's row stopped."""
        return cls(
            limits,
            requests=int(usage.get("requests", 0)),
            input_tokens=int(usage.get("input_tokens", 0)),
            output_tokens=int(usage.get("output_tokens", 0)),
            calls=int(usage.get("calls", 0)),
            worked=float(usage.get("seconds", 0.0)),
        )

    @property
    def seconds(self) -> float:
        """Return the seconds of work of all attempts."""
        return self.worked + time.monotonic() - self._began

    def as_json(self) -> dict[str, Any]:
        """Return what the run's row keeps."""
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
        }

    def seconds_left(self) -> float:
        """Return the seconds of work left. Raises Enough where there are none."""
        left = self.limits.max_seconds - self.seconds
        if left <= 0:
            raise Enough(f"the budget of {self.limits.max_seconds} seconds of work is used up")
        return left

    def before_request(self) -> None:
        """Count one model request. Raises Enough where a budget is used up."""
        self.seconds_left()
        if self.requests >= self.limits.max_requests:
            raise Enough(f"the budget of {self.limits.max_requests} model requests is used up")
        if self.input_tokens + self.output_tokens >= self.limits.max_tokens:
            raise Enough(f"the budget of {self.limits.max_tokens} tokens is used up")
        self.requests += 1

    def before_calls(self, calls: int) -> None:
        """Note how many calls the model has asked for in all. Raises Enough before one too many runs."""
        self.calls = calls
        if calls > self.limits.max_calls:
            raise Enough(f"the budget of {self.limits.max_calls} calls is used up")
