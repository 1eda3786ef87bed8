"""Every figure of docs/figures.md, at full size. `make bench ARGS="start appends"` runs some of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
ALL = {
    "start": [HERE / "start.py"],
    "appends": [HERE / "appends.py"],
    "votes": [HERE / "votes.py"],
    "crash": [TESTS / "crash/matrix.py", "--kills", "500"],
    "clicks": [TESTS / "gate/clicks.py", "--clicks", "12800", "--processes", "8"],
    "seeds": [HERE / "seeds.py"],
    "drills": [HERE / "drills.py"],
    "correlate": [HERE / "correlate.py"],
    "ingest": [HERE / "ingest.py"],
    "watches": [HERE / "watches.py"],
    "past": [HERE / "past.py"],
    "runbooks": [HERE / "runbooks.py"],
    "slack_dev": [HERE / "slack_dev.py"],
    "slack_load": [HERE / "slack_load.py"],
    "slack_ingress": [HERE / "slack_ingress.py"],
    "slack_outage": [HERE / "slack_outage.py"],
}


def main() -> int:
    """Run what was named, or all."""
    named = sys.argv[1:] or list(ALL)
    unknown = [name for name in named if name not in ALL]
    if unknown:
        sys.stderr.write(f"there is no benchmark {unknown[0]!r}; known: {', '.join(ALL)}\n")
        return 2
    codes = []
    for name in named:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, *map(str, ALL[name])], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
