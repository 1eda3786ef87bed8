"""`sysop policy replay` over calls that were refused: the log alone says what they were about."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import SETTINGS, Shell

STRICT = """
policy:
  rules:
    - {name: no secrets, match: {target: ["page:secret"]}, then: forbid}
    - {name: no reads, match: {risk: [read]}, then: forbid}
"""
LOOSER = """
policy:
  rules:
    - {name: pages may, match: {action: ["toy.write"], target: ["page:*"]}, then: allow}
"""


@pytest.fixture
def refused(shell: Shell) -> Shell:
    """Return a shell where a change and a read were forbidden, another change waits, and one made no sense."""
    shell.write(SETTINGS + STRICT)
    assert shell("run", "toy.write", "text=secret", "times:=2").code == 1
    assert shell("run", "toy.read").code == 1
    assert shell("run", "toy.write", "text=plain").code == 3
    assert shell("run", "toy.write", "txt=oops").code == 1
    return shell


def replayed(shell: Shell, policy: str, *more: str) -> tuple[Path, dict[str, object]]:
    file = shell.write(SETTINGS + policy, "other.yaml")
    return file, shell("policy", "replay", "--config", str(file), "--json", *more).json


def test_a_forbidden_call_is_judged_again_under_another_policy(refused: Shell) -> None:
    file, told = replayed(refused, LOOSER)
    assert (told["calls"], told["looser"], told["left_out"]) == (3, 3, 0)
    found = {(d["action"], d["target"]): d for d in told["differences"]}  # type: ignore[attr-defined]
    secret = found["toy.write", "page:secret"]
    assert (secret["risk"], secret["environment"]) == ("change", "production")
    assert (secret["was"], secret["now"]["rule"]) == ({"decision": "forbid", "rule": "no secrets"}, "pages may")
    assert found["toy.read", "read"]["was"]["rule"] == "no reads"
    assert found["toy.write", "page:plain"]["was"]["decision"] == "approve: 1 of role approver"
    shown = refused("policy", "replay", "--config", str(file), "--fail-on-looser")
    assert (shown.code, "left out" in shown.out) == (1, False)


def test_a_forbidden_call_that_stays_forbidden_is_no_difference(refused: Shell) -> None:
    assert replayed(refused, STRICT)[1] == {"calls": 3, "looser": 0, "left_out": 0, "differences": []}
    everything = "policy: {rules: [{name: closed, then: forbid}]}\n"
    _, told = replayed(refused, everything, "--fail-on-looser")
    assert [d["target"] for d in told["differences"]] == ["page:plain"]  # type: ignore[attr-defined]
