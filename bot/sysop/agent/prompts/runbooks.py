"""The pages a model is given and may look into, found as the runbook planner finds them."""

from __future__ import annotations

from sysop.agent.books import Books
from sysop.inventory import Inventory
from sysop.knowledge.citation import MAX_AGE_DAYS
from sysop.knowledge.index import Index


def finder(index: Index, inventory: Inventory, max_age_days: int = MAX_AGE_DAYS) -> Books:
    """Return what finds pages for a model. A review older than `max_age_days` is marked as stale."""
    return Books(index, inventory, max_age_days)
