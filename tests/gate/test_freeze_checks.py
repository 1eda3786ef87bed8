"""The doctor's look at freezes: one that holds is told, and one that a wrong name has hold for nothing is a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gate.kit import Attack
from sysop.cli.checks_freezes import freezes

NOW = {"from": "2020-01-01 00:00", "to": "2099-01-01 00:00"}
OVER = {"from": "2020-01-01 00:00", "to": "2021-01-01 00:00"}
INVENTORY: dict[str, Any] = {"checkout": {}, "search": {"environment": "staging"}}

Made = Callable[..., Attack]


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    built: list[Attack] = []

    def build(freeze: dict[str, Any], inventory: dict[str, Any] = INVENTORY) -> Attack:
        policy = {"freezes": [{"name": "year end", **freeze}]}
        built.append(Attack(tmp_path, f"sqlite:///{tmp_path}/sysop.db", policy=policy, inventory=inventory))
        return built[-1]

    yield build
    for one in built:
        await one.close()


def test_one_that_holds_is_told(made: Made) -> None:
    (found,) = freezes(made({**NOW, "reason": "the tills"}).app)
    assert (found.status, found.detail) == (
        "note",
        "freeze 'year end' (the tills) holds until 2099-01-01 00:00 UTC",
    )


def test_one_that_is_over_or_comes_later_is_not(made: Made) -> None:
    assert list(freezes(made(OVER).app)) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"service": ["chekout"]}, "service chekout, which is none of the 2 there are"),
        ({"service": ["checkout", "Search"]}, "service Search, which"),
        ({"environment": ["prod"]}, "environment prod, which is none of the 2 there are"),
        ({"action": ["cicd.dploy"]}, "action cicd.dploy, which"),
    ],
)
@pytest.mark.parametrize("when", [NOW, OVER])
def test_one_with_a_wrong_name_fails(made: Made, names: dict[str, Any], said: str, when: dict[str, Any]) -> None:
    (found,) = freezes(made({**when, **names}).app)
    assert found.status == "failed"
    assert said in found.detail


def test_patterns_and_an_empty_inventory_are_not_wrong(made: Made) -> None:
    names = {"service": ["check*", "pay*"], "environment": ["production", "staging"], "action": ["*"]}
    assert list(freezes(made({**OVER, **names}).app)) == []
    assert list(freezes(made({**OVER, "service": ["anything"]}, {}).app)) == []
