"""What a workspace starts with: its name, its people, its channels, its app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sysop.workspace.clock import Clock
from sysop.workspace.ids import Ids
from sysop.workspace.manifest import AppManifest

TEAM_NAME = "Sysop dev (local stand-in, not Slack)"
"""Says on the page and in every answer of `auth.test` what this is."""

CHANNELS = ("incidents", "general", "shop")


@dataclass(frozen=True, slots=True)
class UserSeed:
    """A person. `channels` None means all of them."""

    name: str
    real_name: str
    group: str | None = None
    is_restricted: bool = False
    is_stranger: bool = False
    channels: Sequence[str] | None = None


DEMO_USERS = (
    UserSeed("requester", "Requester"),
    UserSeed("on-call", "On-call engineer", group="oncall"),
    UserSeed("lead", "Team lead", group="leads"),
    UserSeed("guest", "Guest", is_restricted=True),
    UserSeed("external", "External partner", is_stranger=True, channels=("shop",)),
)
"""One of each role that an approval must tell apart. The external one shares a single channel."""


@dataclass(frozen=True)
class WorkspaceSettings:
    """How to build a workspace. A `request_url` means signed HTTP delivery to it; without one, Socket Mode."""

    app: AppManifest
    request_url: str | None = None
    port: int = 0
    users: Sequence[UserSeed] = DEMO_USERS
    channels: Sequence[str] = CHANNELS
    team_name: str = TEAM_NAME
    team_domain: str = "local-stand-in"
    events_per_hour: int = 30_000
    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
