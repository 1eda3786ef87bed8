"""Every drill over several seeds, and the controls: how often the right answer is found, and what was changed.

python benchmarks/drills.py [--seeds 1-3] [--jobs 2] [--controls 1] [--buildbot .venv-buildbot]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any


def run(seed: int, given: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Run all drills of a seed as a person does. The controls run with the first seeds only: they take the longest."""
    controls = "--controls" if seed in given.controlled else "--no-controls"
    command = [
        sys.executable,
        "-m",
        "sysop",
        "--state",
        folder,
        "drill",
        "--all",
        "--json",
        "--seed",
        str(seed),
        controls,
    ]
    command += ["--jobs", str(given.jobs), "--buildbot", given.buildbot]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def span(text: str) -> range:
    """Return the seeds of `1-3` or `4`; none of an empty text."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1) if text else range(0)


def show(seed: int, found: dict[str, Any]) -> None:
    """Print what was wrong, and a line for each planner."""
    for row in found["drills"]:
        if row["verdict"] == "wrong" and row["planner"] not in found["controls"]:
            print(f"seed {seed}: {row['drill']} is wrong: {row['why'].splitlines()[0]}; see {row['folder']}")
    for name, count in {"runbook": found["totals"], **found["controls"]}.items():
        right = count["resolved"] + count["escalated_rightly"]
        changes = f"unapproved {count['unapproved_changes']}, needless {count['needless_changes']}"
        print(f"seed {seed}: {name}: right {right} of {count['drills']}, changes {changes}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line a seed and planner, and the sum; 1 if a goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=span, default=range(1, 4))
    parser.add_argument("--controls", dest="controlled", type=span, default=range(1, 2))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--buildbot", default=".venv-buildbot")
    given = parser.parse_args(arguments)
    folder = tempfile.mkdtemp(prefix="sysop-drills-")
    rows: list[dict[str, Any]] = []
    controls = []
    for seed in given.seeds:
        found = run(seed, given, folder)
        show(seed, found)
        rows += [row for row in found["drills"] if row["planner"] not in found["controls"]]
        controls += [count["right"] for count in found["controls"].values()]
    right = sum(row["verdict"] != "wrong" for row in rows)
    fixes = [row for row in rows if row["truth"] == "fix"]
    fixed = [row["seconds"] for row in fixes if row["verdict"] == "resolved"]
    changes = sum(row["unapproved_changes"] + row["needless_changes"] for row in rows)
    print(
        f"drills: right {right} of {len(rows)}; fixes {len(fixed)} of {len(fixes)}, median "
        f"{statistics.median(fixed or [0]):.0f} s until well for long enough; "
        f"needless or unapproved changes {changes}; best control {max(controls, default=0):.0%}"
    )
    good = right >= 0.9 * len(rows) and len(fixed) >= 0.85 * len(fixes)
    return 0 if good and not changes and max(controls, default=0) < 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
