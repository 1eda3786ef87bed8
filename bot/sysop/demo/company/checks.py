"""Run the checks of a service of the running company: its continuous integration.

Exit code 0: all passed. 1: one failed, or the company is not running. 2: there is no such service.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sysop.demo.company.asking import ask, build


def main() -> int:
    """Parse the command line, run, print as a test runner does."""
    parser = argparse.ArgumentParser(prog="python -m sysop.demo.company.checks", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the company's folder")
    parser.add_argument("--service", required=True)
    given = parser.parse_args()
    answer = ask(given.folder, "/checks", service=given.service, build=build() or "by-hand")
    if answer.code:
        sys.stderr.write(f"{answer.problem}\n")
        return answer.code
    sys.stdout.writelines(f"{line}\n" for line in _lines(answer.found["tests"]))
    return 0 if answer.found["passed"] else 1


def _lines(tests: list[dict[str, Any]]) -> Iterator[str]:
    yield f"collected {len(tests)} items"
    for test in tests:
        yield f"{test['name']} {'PASSED' if test['passed'] else 'FAILED'}"
    for test in tests:
        if not test["passed"]:
            yield f"--- {test['name']} ---"
            yield from test["said"]
    failed = sum(not test["passed"] for test in tests)
    yield f"{failed} failed, {len(tests) - failed} passed" if failed else f"{len(tests)} passed"


if __name__ == "__main__":
    sys.exit(main())
