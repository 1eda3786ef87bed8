"""The end of what a build wrote, read from its last step backwards, so that a huge log is never fetched whole."""

from __future__ import annotations

import re

from sysop_plugins.cicd.buildbot.api import Api
from sysop_plugins.cicd.buildbot.replies import BuildReply, LogReply
from sysop_plugins.cicd.local.log import LOG_BYTES

_AT_ONCE = 1000
"""Lines of a request. Buildbot cuts lines at 4096 characters, and no answer of over 16 MiB is read."""
_TOLD = re.compile(r"program finished with exit code [^0]|process killed|command (?:timed out|interrupted)")


async def end_of(api: Api, build: BuildReply, lines: int) -> str:
    """Return the last lines of all steps, each with its name before it, at most 64 KiB."""
    found: list[str] = []
    for step in reversed(await api.steps(build)):
        part = [line for log in await api.logs(step) for line in await _end(api, log, lines - len(found))]
        if part:
            found = [f"--- {step.name}", *part, *found]
        if len(found) >= lines or _bytes(found) >= LOG_BYTES:
            break
    return "\n".join(found[-lines:]).encode()[-LOG_BYTES:].decode("utf-8", "ignore")


async def _end(api: Api, log: LogReply, lines: int) -> list[str]:
    """Return the last lines of a log. Lines that it has grown by since it was asked for are left out."""
    if log.type not in ("s", "t"):
        return []
    found: list[str] = []
    last = log.num_lines
    while last > 0 and len(found) < lines and _bytes(found) < LOG_BYTES:
        first = max(0, last - min(_AT_ONCE, lines))
        found = _said(log, await api.lines(log, first, last - first)) + found
        last = first
    return found[-lines:] if lines > 0 else []


def _said(log: LogReply, content: str) -> list[str]:
    """Return what the command wrote. Buildbot's own lines hold its environment, so only those of a bad end are kept."""
    lines = content.removesuffix("\n").split("\n")
    if log.type != "s":
        return lines
    return [line[1:] for line in lines if line[:1] != "h" or _TOLD.match(line[1:])]


def _bytes(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)
