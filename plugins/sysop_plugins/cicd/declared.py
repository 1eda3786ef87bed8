"""What settings say of pipelines, whichever system runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

LONGEST_BUILD = 24 * 3600
ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,39}$")]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class Section(BaseModel):
    """A part of the settings: frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Declared:
    """A pipeline as it was declared, and the provider that runs it.

    `own` is the service it deploys where no service is declared for it, None where it is told which one.
    """

    provider: str
    description: str
    parameters: tuple[str, ...]
    deploys: bool
    timeout_seconds: float
    own: str | None = None
