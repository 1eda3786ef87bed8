"""Lengths of time as people type them."""

from __future__ import annotations

import click

from sysop.errors import InvalidRequest
from sysop.incidents.silencing import seconds_of

MOST = 3650 * 86_400


class Length(click.ParamType[int]):
    """A length of time in seconds, written as 30m, 2h or 1d12h; ten years at most."""

    name = "length"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        try:
            seconds = seconds_of(str(value))
        except InvalidRequest as bad:
            self.fail(str(bad), param, ctx)
        if seconds < self._least:
            self.fail(f"{value!r} is too short; write 30m, 2h or 1d12h", param, ctx)
        if seconds > MOST:
            self.fail(f"{value!r} is too long; write 3650d or less", param, ctx)
        return seconds
