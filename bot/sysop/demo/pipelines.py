"""The pipelines of the demo company, as commands of the local runner."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 60


def pipelines(company: Path, *, whole: bool) -> Mapping[str, Any]:
    """Return what can be run for the company in a folder; the whole one has more than deploys."""
    deploy = _pipeline(company, ["deploy"], ["service", "version"], "deploy a version of a service")
    deploy["deploys"] = True
    if not whole:
        return {"deploy": deploy}
    return {
        "deploy": deploy,
        "configure": _pipeline(
            company, ["upkeep", "configure"], ["service", "revision"], "bring a configuration revision live"
        ),
        "clean-up": _pipeline(company, ["upkeep", "clean-up"], ["service"], "remove old files of a service"),
        "renew-certificate": _pipeline(
            company, ["upkeep", "renew-certificate"], ["service"], "renew the certificate of a service"
        ),
        "checks": _pipeline(company, ["checks"], ["service"], "run the checks of a service"),
    }


def _pipeline(company: Path, command: Sequence[str], parameters: Sequence[str], description: str) -> dict[str, Any]:
    module, *orders = command
    return {
        "command": [
            *(sys.executable, "-m", f"sysop.demo.company.{module}", "--folder", str(company), *orders),
            *(part for name in parameters for part in (f"--{name}", f"{{{name}}}")),
        ],
        "parameters": list(parameters),
        "timeout_seconds": PATIENCE_S,
        "description": description,
    }
