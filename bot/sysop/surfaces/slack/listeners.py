"""Registers every listener with Bolt."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack.actions import approval as approval_buttons
from sysop.surfaces.slack.actions import feedback
from sysop.surfaces.slack.actions import home as home_buttons
from sysop.surfaces.slack.actions import incident as incident_buttons
from sysop.surfaces.slack.actions import silence as silence_buttons
from sysop.surfaces.slack.commands import sysop as command
from sysop.surfaces.slack.desk import Desk
from sysop.surfaces.slack.events import home, mention, message, revoked, session
from sysop.surfaces.slack.views import ask, deny, incident, pause, regroup, run, shortcuts, silence

EVERY = (
    command,
    mention,
    message,
    home,
    session,
    revoked,
    approval_buttons,
    incident_buttons,
    silence_buttons,
    feedback,
    home_buttons,
    ask,
    run,
    incident,
    pause,
    deny,
    silence,
    regroup,
    shortcuts,
)


def register(app: AsyncApp, desk: Desk) -> None:
    """Register them all; the manifest names the same, and a test holds them equal."""
    for module in EVERY:
        module.register(app, desk)
