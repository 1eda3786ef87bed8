"""Deploy a version of a service of the running company: what a pipeline runs.

Exit code 0: the version is live, now or already before. 1: the company is not running or the version did not come up;
what was live still is. 2: there is no such service or version.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sysop.demo.company.asking import ask, finish


def main() -> int:
    """Parse the command line, deploy, print."""
    parser = argparse.ArgumentParser(prog="python -m sysop.demo.company.deploy", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the company's folder")
    parser.add_argument("--service", required=True)
    parser.add_argument("--version", required=True)
    given = parser.parse_args()
    sys.stdout.write(f"deploy {given.service} {given.version}\n")
    sys.stdout.flush()
    return finish(ask(given.folder, "/deploy", service=given.service, version=given.version))


if __name__ == "__main__":
    sys.exit(main())
