"""The runbook a model is given: found as the runbook planner finds it, with the citations to use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sysop.agent.prompts import FindRunbook
from sysop.agent.view import incident_view
from sysop.errors import RunbookError
from sysop.inventory import Inventory
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import Runbook
from sysop.model import Run


def finder(index: Index, inventory: Inventory) -> FindRunbook:
    """Return what finds the text of the runbook that was asked for, fits the alerts, or answers the question."""

    def find(run: Run, incident: Mapping[str, Any] | None) -> str | None:
        if asked := run.request.get("runbook"):
            try:
                return text_of(index.get(str(asked)))
            except RunbookError as unknown:
                return f"The runbook that was asked for cannot be used: {unknown}"
        seen = incident_view(incident)
        environments = sorted({inventory.environment_of(service) for service in seen["services"]})
        match = index.find([alert["name"] for alert in seen["alerts"]], seen["services"], environments)
        if match is None and run.text and not seen["alerts"]:
            match = index.suggest(run.text)
        return text_of(match.runbook) if match else None

    return find


def text_of(runbook: Runbook) -> str:
    """Return a runbook as a model reads it; each heading says how to cite it."""
    reviewed = f"reviewed {runbook.reviewed}" if runbook.reviewed else "not reviewed"
    head = f"{runbook.title} ({runbook.path} at {runbook.digest[:12]}, {reviewed})"
    sections = [f"## {s.title} [{runbook.cite(s.slug)}]\n{s.text.strip()}" for s in runbook.sections]
    return "\n\n".join([head, *sections])
