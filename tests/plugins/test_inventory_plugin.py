from __future__ import annotations

import pytest

from sysop.api import InvalidCall, Inventory


async def test_services_are_listed_by_name_with_those_that_depend_on_them(world):
    listed = await world.call("inventory.services")
    assert [s["name"] for s in listed["services"]] == ["checkout", "gateway", "payments"]
    assert listed["count"] == 3


async def test_a_service_shows_whom_it_calls_and_who_calls_it(world):
    assert await world.call("inventory.service", service="payments") == {
        "name": "payments",
        "environment": "staging",
        "owner": "",
        "description": "",
        "depends_on": [],
        "dependents": ["checkout", "gateway"],
    }


async def test_an_unknown_service_is_said_to_be_unknown(world):
    with pytest.raises(InvalidCall, match="'chekout' is not in the inventory"):
        await world.call("inventory.service", service="chekout")


async def test_an_empty_inventory_is_unhealthy_and_says_what_to_write(world):
    world.inventory = Inventory()
    health = await world.health("inventory")
    assert not health.ok
    assert "inventory:\n    checkout:" in health.fix


async def test_a_filled_inventory_is_healthy(world):
    assert (await world.health("inventory")).ok
