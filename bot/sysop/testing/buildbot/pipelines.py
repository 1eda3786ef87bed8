"""What a master of the lab is to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A builder that runs one command. `{name}` in its words is replaced by the parameter of that name."""

    name: str
    command: Sequence[str]
    parameters: Sequence[str] = ()
    deploys: bool = False

    @property
    def scheduler(self) -> str:
        """Return the force scheduler that starts it."""
        return f"force-{self.name}"

    def for_master(self) -> dict[str, Any]:
        """Return it as the master's configuration reads it."""
        return {
            "name": self.name,
            "scheduler": self.scheduler,
            "parameters": list(self.parameters),
            "command": [self._interpolated(word) for word in self.command],
        }

    def for_sysop(self) -> dict[str, Any]:
        """Return it as `plugins.cicd.buildbot.pipelines` declares it."""
        return {
            "builder": self.name,
            "scheduler": self.scheduler,
            "parameters": list(self.parameters),
            "deploys": self.deploys,
        }

    def _interpolated(self, word: str) -> str:
        word = word.replace("%", "%%")
        for name in self.parameters:
            word = word.replace(f"{{{name}}}", f"%(prop:{name})s")
        return word


@dataclass(frozen=True, slots=True)
class Push:
    """Where the master tells of its builds, and the bearer token it shows there."""

    url: str
    token: str


def deploying(company: Path, name: str = "deploy") -> Pipeline:
    """Return the pipeline that deploys the services of a demo company, which runs from a folder."""
    command = (sys.executable, "-m", "sysop.demo.company.deploy", "--folder", str(company.resolve()))
    words = (*command, "--service", "{service}", "--version", "{version}")
    return Pipeline(name, words, ("service", "version"), deploys=True)
