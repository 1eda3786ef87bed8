"""Configure a service of the running company, clean up after it, or renew its certificate: what pipelines run.

Exit code 0: done. 1: the company is not running or cannot do it. 2: there is no such service or revision.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sysop.demo.company.asking import ask, finish


def main() -> int:
    """Parse the command line, ask, print."""
    parser = argparse.ArgumentParser(prog="python -m sysop.demo.company.upkeep", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the company's folder")
    orders = parser.add_subparsers(dest="order", required=True)
    for name, help_text in (
        ("configure", "bring a configuration revision live"),
        ("clean-up", "remove old files"),
        ("renew-certificate", "put a new certificate in place"),
    ):
        order = orders.add_parser(name, help=help_text)
        order.add_argument("--service", required=True)
        if name == "configure":
            order.add_argument("--revision", required=True)
    given = vars(parser.parse_args())
    folder, name = given.pop("folder"), given.pop("order")
    sys.stdout.write(f"{name} {' '.join(given.values())}\n")
    sys.stdout.flush()
    return finish(ask(folder, f"/{name}", **given))


if __name__ == "__main__":
    sys.exit(main())
