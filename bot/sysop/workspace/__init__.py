"""A stand-in for Slack on the loopback, so that an unmodified Bolt app runs with no Slack at all.

It knows Slack and nothing of Sysop.
"""

from sysop.workspace.clock import Clock
from sysop.workspace.errors import ControlError, ManifestError, SlackError, WorkspaceError
from sysop.workspace.ids import Ids
from sysop.workspace.manifest import AppManifest
from sysop.workspace.seed import DEMO_USERS, TEAM_NAME, UserSeed, WorkspaceSettings
from sysop.workspace.server import Workspace

__all__ = [
    "DEMO_USERS",
    "TEAM_NAME",
    "AppManifest",
    "Clock",
    "ControlError",
    "Ids",
    "ManifestError",
    "SlackError",
    "UserSeed",
    "Workspace",
    "WorkspaceError",
    "WorkspaceSettings",
]
