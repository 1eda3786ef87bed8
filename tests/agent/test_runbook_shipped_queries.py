"""What shipped pages ask of Prometheus and tell people to type can be read by those who shall read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from runbook_kit import ACTIONS

from absent import missing
from sysop.knowledge.index import Index
from sysop.knowledge.runbook import Runbook

SHIPPED = Path(__file__).parents[2] / "runbooks"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"sysop run ([a-z_]+\.[a-z_]+)((?: [a-z_]+=[^ `]+)*)")


@pytest.fixture(scope="module")
def shipped() -> Index:
    return Index.load([SHIPPED])


def blocks(page: Runbook, *kinds: str) -> Iterator[str]:
    text = "\n\n".join(section.text for section in page.sections)
    return (body for kind, body in BLOCK.findall(text) if kind in kinds)


def queries(page: Runbook) -> Iterator[str]:
    """Yield what a page asks for: each statement of its blocks, whose further lines are indented, and of its steps."""
    for block in blocks(page, "promql"):
        yield from (" ".join(one.split()) for one in re.split(r"\n(?=\S)", block.strip()))
    for step in page.steps:
        if step.action.startswith("metrics.") and isinstance(query := step.args["query"], str):
            yield query


def test_every_query_is_promql(shipped: Index, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool is not installed")
    asked = {page.path: list(queries(page)) for page in shipped.runbooks.values()}
    assert sum(map(len, asked.values())) > 150
    groups = [
        {"name": f"{path} {number}", "rules": [{"record": "a:b", "expr": query}]}
        for path, some in asked.items()
        for number, query in enumerate(some)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    read = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert read.returncode == 0, read.stderr


def test_every_command_is_one_that_a_shell_can_read(shipped: Index) -> None:
    for page in shipped.runbooks.values():
        for block in blocks(page, "sh", "bash"):
            read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False, timeout=10)
            assert read.returncode == 0, (page.path, read.stderr, block)


def test_every_call_that_a_person_shall_make_is_of_an_action_with_these_arguments(shipped: Index) -> None:
    elsewhere = {"alertmanager.silences", "alertmanager.unsilence"}
    found = [call for page in shipped.runbooks.values() for s in page.sections for call in COMMAND.findall(s.text)]
    assert len(found) > 30
    for name, given in found:
        if name not in elsewhere:
            known = ACTIONS[name].parameters.model_fields
            assert {one.partition("=")[0] for one in given.split()} <= known.keys(), (name, given)
