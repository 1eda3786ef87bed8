"""What the actions share: their words of a call, and how they tell what became of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from sysop.api import Context, Reconciled
from sysop_plugins.cicd.provider import Build, Found, Rollout

NINETY_DAYS = 60 * 24 * 90
"""In minutes: further back nothing is asked for."""


class Data(BaseModel):
    """A frozen result of an action."""

    model_config = ConfigDict(frozen=True)


def reconciled(found: Found, result: Build | Rollout | None) -> Reconciled:
    """Return what the provider knows of a key as the gate reads it."""
    return Reconciled(found.state, found.detail, result.model_dump(mode="json") if result else None)


def asked_by(ctx: Context) -> str:
    """Return who a provider is told asked for it."""
    return f"sysop:{ctx.run}"
