"""How a pipeline's command asks the running company for something."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysop.demo.company import wire
from sysop.demo.company.supervisor import COMPANY_FILE

ORDER_SECONDS = 90.0
"""Longer than a start and a full drain together."""

NOT_FOUND = 422


@dataclass(frozen=True)
class Answer:
    """What the company said: an exit code (0: done, 1: failed, 2: there is no such thing) and its answer or problem."""

    code: int
    found: dict[str, Any]
    problem: str = ""


def build() -> str:
    """Return the build this command runs in, as the local runner names it; empty by hand."""
    return os.environ.get("SYSOP_BUILD_ID", "")


def ask(folder: Path, path: str, **told: str) -> Answer:
    """Ask, in the name of the build this runs in, if it does."""
    by = f"pipeline {name}" if (name := build()) else "by hand"
    try:
        control = json.loads((folder / COMPANY_FILE).read_text())["control"]
    except OSError:
        return Answer(1, {}, f"no company is running in {folder}")
    body = json.dumps({"by": by, **told}).encode()
    try:
        answer = asyncio.run(wire.fetch(f"{control}{path}", method="POST", body=body, timeout=ORDER_SECONDS))
    except OSError as problem:
        return Answer(1, {}, f"the company in {folder} does not answer: {problem or type(problem).__name__}")
    found = json.loads(answer.body)
    if answer.ok:
        return Answer(0, found)
    return Answer(2 if answer.status == NOT_FOUND else 1, {}, found["error"])


def finish(answer: Answer) -> int:
    """Print the log of an answer, or its problem; return the exit code."""
    if answer.code:
        sys.stderr.write(f"{answer.problem}\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in answer.found["log"])
    return answer.code
