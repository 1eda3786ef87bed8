"""The demo over many seeds, and controls that must fail: right service and right version, or not.

python benchmarks/seeds.py [--seeds 1-20] [--planner all|runbook|nothing|newest] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sysop.cli.demo import Silence
from sysop.demo.conductor import Options, conduct
from sysop.demo.report import Result
from sysop.extension import Toolbox
from sysop.model import Conclusion, Run


class Nothing:
    """A control: looks away."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        return Conclusion("nothing was done", resolved=False)


class Newest:
    """A control: rolls back whatever was deployed last."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        found = await toolbox.call("deploys", "cicd.recent_deploys", {"minutes": 30})
        service = found.result["latest"]["service"]
        done = await toolbox.call("rollback", "cicd.rollback", {"service": service})
        return Conclusion(f"rolled back {service}", resolved=done.ok)


def run_one(seed: int, planner: str, folder: Path, decide: str = "yes") -> Result:
    """Run the demo once in an empty folder."""
    planners = {"nothing": Nothing, "newest": Newest}
    named = None if planner == "runbook" else planner
    give_up = 75.0 if planner == "runbook" else 30.0
    options = Options(folder / "demo", seed, decide, named, planners, give_up)  # type: ignore[arg-type]
    return asyncio.run(conduct(options, Silence()))


def main() -> int:
    """Print a line a seed and one at the end of each planner."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="1-20")
    parser.add_argument("--planner", default="all", choices=["all", "runbook", "nothing", "newest", "deny"])
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    ok = True
    for planner in ["runbook", "nothing", "newest", "deny"] if given.planner == "all" else [given.planner]:
        results = [_show(planner, seed) for seed in seeds]
        ok &= _summary(planner, results)
    return 0 if ok else 1


def _show(planner: str, seed: int) -> Result:
    folder = Path(tempfile.mkdtemp(prefix="sysop-seed-"))
    try:
        named, decide = ("runbook", "deny") if planner == "deny" else (planner, "yes")
        result = run_one(seed, named, folder, decide)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    facts = result.facts
    print(
        f"{planner} seed {seed}: {facts['scenario']['service']} {facts['scenario']['fault']} "
        f"correct={result.correct} recovered={result.recovered} audit={facts['audit_verified']} "
        f"alerts={facts['alerts_in']} incidents={facts['incidents_out']} {facts['seconds']}",
        flush=True,
    )
    return result


def _summary(planner: str, results: list[Result]) -> bool:
    correct = sum(result.correct for result in results)
    recovered = sum(result.recovered for result in results)
    line = f"{planner}: right service and version {correct} of {len(results)}, recovered {recovered}"
    took = [r.facts["seconds"]["recover"] for r in results if r.facts["seconds"]["recover"] is not None]
    if took:
        line += f", median {statistics.median(took):.1f} s from break to recovery"
    print(line, flush=True)
    return correct == len(results) if planner == "runbook" else correct < len(results)


if __name__ == "__main__":
    sys.exit(main())
