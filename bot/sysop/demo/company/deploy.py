"""Deploy a version of a service of the running company: what a pipeline runs.

Exit code 0: the version is live, now or already before. 1: the company is not running or the version did not come up;
what was live still is. 2: there is no such service or version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from sysop.demo.company import wire
from sysop.demo.company.supervisor import COMPANY_FILE

DEPLOY_SECONDS = 90.0
"""Longer than a start and a full drain together."""

NOT_FOUND = 422


def deploy(folder: Path, service: str, version: str) -> tuple[int, list[str]]:
    """Deploy, and return the exit code with the lines to print."""
    try:
        control = json.loads((folder / COMPANY_FILE).read_text())["control"]
    except OSError:
        return 1, [f"no company is running in {folder}"]
    body = json.dumps({"service": service, "version": version}).encode()
    request = wire.fetch(f"{control}/deploy", method="POST", body=body, timeout=DEPLOY_SECONDS)
    try:
        answer = asyncio.run(request)
    except OSError as problem:
        return 1, [f"the company in {folder} does not answer: {problem or type(problem).__name__}"]
    found = json.loads(answer.body)
    if answer.ok:
        return 0, found["log"]
    return (2 if answer.status == NOT_FOUND else 1), [found["error"]]


def main() -> int:
    """Parse the command line, deploy, print."""
    parser = argparse.ArgumentParser(prog="python -m sysop.demo.company.deploy", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the company's folder")
    parser.add_argument("--service", required=True)
    parser.add_argument("--version", required=True)
    given = parser.parse_args()
    sys.stdout.write(f"deploy {given.service} {given.version}\n")
    sys.stdout.flush()
    code, lines = deploy(given.folder, given.service, given.version)
    stream = sys.stderr if code else sys.stdout
    stream.writelines(f"{line}\n" for line in lines)
    return code


if __name__ == "__main__":
    sys.exit(main())
