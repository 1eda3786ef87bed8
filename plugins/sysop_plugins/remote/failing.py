"""Finds, in what a build wrote, the part that tells why it failed, whichever tool wrote it."""

from __future__ import annotations

import re

BEFORE, AFTER = 2, 12
MOST_BYTES = 4096

_NO_FAILURE = re.compile(
    r"\b(?:0|no|zero) (?:\w+ )?(?:errors?|failures?|failed)\b|\b(?:errors?|failures?|failed)\s*[:=]\s*0\b"
    r"|\bwithout errors?\b|\bignor(?:ed|ing)\b|\bcontinue-on-error\b",
    re.IGNORECASE,
)
_SURE = re.compile(
    r"^Traceback \(most recent call last\)|^E {3,}\S|^=+ FAILURES =+|^-{3} FAIL:|^panic: |^error(?:\[\w+\])?: "
    r"|\berror TS\d+:|^npm (?:ERR!|error) |^\[ERROR\] |^##\[error\]|^fatal: |\bundefined reference to\b"
    r"|: (?:fatal )?error: |^Exception in thread|^Caused by: |\bOOMKilled\b|^Killed\b|^Segmentation fault",
    re.MULTILINE,
)
_LIKELY = re.compile(
    r"\bFAILED\b|\bERROR\b|\bFATAL\b|^\w*(?:Error|Exception)\b: |\berror:|command not found"
    r"|No such file or directory|[Pp]ermission denied|[Cc]onnection refused|\btimed out\b|No space left on device"
    r"|\bcannot (?:find|open|allocate)\b"
)
_AFTERMATH = re.compile(
    r"^make(?:\[\d+\])?: \*\*\*|\bexit(?:ed)?(?: with)?(?: code| status)? [1-9]\d*\b|\bBUILD FAILED\b"
    r"|^ERROR: Job failed|Process completed with exit code [1-9]",
)


def failing_part(text: str) -> str:
    """Return the lines around the first failure a tool surely tells of, else the likeliest; "" where nothing looks so.

    The first, since what comes after is mostly its consequence; words like “0 errors” do not count. At most 4 KiB.
    """
    lines = text.splitlines()
    at = next((found for kind in (_SURE, _LIKELY, _AFTERMATH) if (found := _first(lines, kind)) is not None), None)
    if at is None:
        return ""
    part = "\n".join(lines[max(0, at - BEFORE) : at + AFTER + 1])
    return part.encode()[:MOST_BYTES].decode("utf-8", "ignore")


def _first(lines: list[str], kind: re.Pattern[str]) -> int | None:
    found = (number for number, line in enumerate(lines) if kind.search(line) and not _NO_FAILURE.search(line))
    return next(found, None)
