"""Freezes on the command line: which holds now, which comes next, and who is refused by it."""

from __future__ import annotations

import pytest
from terminal import SETTINGS, Shell

FREEZES = """
policy:
  freezes:
    - {name: long ago, from: 2001-01-01, to: 2001-02-01}
    - name: far away
      from: 2990-12-20 18:00
      to: 2991-01-04 08:00
      timezone: Europe/Berlin
      service: [checkout]
      exempt: [release-manager]
      count: 3
    - {name: now, reason: stock-taking, from: 2001-01-01, to: 2999-01-01, approve: []}
"""


@pytest.fixture
def frozen(shell: Shell) -> Shell:
    shell.write(SETTINGS + FREEZES)
    return shell


def test_the_freeze_in_force_comes_first_then_the_next_then_what_is_over(frozen: Shell) -> None:
    said = frozen("policy", "show").out
    at = [said.index(words) for words in ("now until 2999-01-01 00:00 UTC", "next from 2990-12-20 18:00", "long ago")]
    assert at == sorted(at)
    for words in ("service checkout", "asked by release-manager: 3", "nothing", "stock-taking"):
        assert words in said


def test_machines_get_times_and_what_was_written(frozen: Shell) -> None:
    past, future, now = frozen("policy", "show", "--json").json["freezes"]
    assert (past["holds"], past["begins_at"], past["ends_at"]) == (False, None, None)
    assert (future["holds"], future["begins_at"]) == (False, 32_218_707_600_000)
    assert (now["holds"], now["ends_at"], now["name"]) == (True, 32_472_144_000_000, "now")
    assert future["count"] == 3


def test_explain_and_the_refusal_name_the_freeze_and_its_end(frozen: Shell) -> None:
    why = "freeze 'now' (stock-taking) holds until 2999-01-01 00:00 UTC"
    explained = frozen("policy", "explain", "toy.write", "text=one")
    assert (explained.code, why in explained.out) == (1, True)
    assert frozen("policy", "explain", "toy.write", "text=one", "--json").json["rule"] == "freeze: now"
    refused = frozen("run", "toy.write", "text=one")
    assert (refused.code, why in refused.out + refused.err) == (1, True)
    assert frozen("run", "toy.read").code == 0


def test_another_policy_s_freeze_is_found_by_replay(shell: Shell) -> None:
    assert shell("run", "toy.write", "text=plain").code == 3
    file = shell.write(SETTINGS + FREEZES, "other.yaml")
    (found,) = shell("policy", "replay", "--config", str(file), "--json").json["differences"]
    assert (found["now"], found["looser"]) == ({"decision": "forbid", "rule": "freeze: now"}, False)


def test_a_freeze_without_a_time_is_refused_with_the_field_and_the_fix(shell: Shell) -> None:
    shell.write(SETTINGS + "policy: {freezes: [{name: never}]}\n")
    said = shell("policy", "show")
    assert said.code != 0
    assert "policy.freezes" in said.err
    assert "say when: `from` and `to`, or `window`" in said.err
