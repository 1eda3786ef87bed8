"""What goes wrong on the way to a server of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["status", "hang", "cut_before", "cut_after", "garbage", "odd"]


@dataclass(slots=True)
class Fault:
    """A fault for requests of a method whose path holds a text, so many times.

    `status` answers with it; `hang` never answers and does nothing; `cut_before` and `cut_after` close the connection
    before and after the request was carried out; `garbage` carries it out and answers no JSON, `odd` JSON of another
    shape. One with `after_change` strikes only after another request than a GET has passed.
    """

    kind: Kind
    method: str = "GET"
    path: str = ""
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "scripted fault"
    times: int = 1
    after_change: bool = False

    def hits(self, method: str, path: str) -> bool:
        """Tell whether it strikes, once less from now on."""
        if self.after_change:
            self.after_change = method == "GET"
            return False
        if self.times <= 0 or method != self.method or self.path not in path:
            return False
        self.times -= 1
        return True
