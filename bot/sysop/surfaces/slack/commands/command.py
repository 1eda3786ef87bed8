"""What one command is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sysop.surfaces.slack.desk import Need, Work


@dataclass(frozen=True, slots=True)
class Command:
    """One word behind `/sysop`: how it is typed, what it does in a few words, the work, and for whom it is."""

    name: str
    usage: str
    summary: str
    work: Work
    need: Need = Need.MEMBER


Book = Mapping[str, Command]
