"""What goes wrong, by who reads it.

WorkspaceError
    ManifestError     the operator: the manifest does not describe an app
    SlackError        the app: a Web API method refuses, in Slack's words
        RateLimited   the app: too fast
    ControlError      the page or a test: the person cannot do this
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class WorkspaceError(Exception):
    """Root of everything the workspace raises."""


class ManifestError(WorkspaceError):
    """The manifest does not describe an app."""


class SlackError(WorkspaceError):
    """A method refuses. `messages` says why and where, as `response_metadata.messages` does."""

    def __init__(self, error: str, messages: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.messages = tuple(messages)
        self.extra = extra


class RateLimited(SlackError):
    """A method is called too often."""

    def __init__(self, retry_after: int, error: str = "ratelimited") -> None:
        super().__init__(error)
        self.retry_after = retry_after


class ControlError(WorkspaceError):
    """A person cannot do this: `error` is for programs, `message` for people."""

    def __init__(self, error: str, message: str = "", **extra: Any) -> None:
        super().__init__(message or error)
        self.error = error
        self.message = message or error
        self.extra = extra
