"""The installed app: who it is, its secrets of this start, and what it may do now."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from sysop.workspace.ids import Ids
from sysop.workspace.manifest import AppManifest


@dataclass
class App:
    """The one app of a workspace. Scopes shrink when revoked; the manifest stays what it was."""

    manifest: AppManifest
    app_id: str
    bot_id: str
    user_id: str
    granted: set[str]
    bot_token: str = field(default_factory=lambda: Ids.secret("xoxb-"), repr=False)
    app_token: str = field(default_factory=lambda: Ids.secret("xapp-"), repr=False)
    signing_secret: str = field(default_factory=Ids.secret, repr=False)
    verification_token: str = field(default_factory=Ids.secret, repr=False)
    revoked: bool = False

    def kind_of(self, token: str) -> str | None:
        """Tell whose token this is: `bot`, `app` or nobody's."""
        for kind, ours in (("bot", self.bot_token), ("app", self.app_token)):
            if hmac.compare_digest(token.encode(errors="replace"), ours.encode()):
                return kind
        return None

    def hears(self, event: str) -> bool:
        """Tell whether the manifest subscribes to an event."""
        return event in self.manifest.events

    def restore(self) -> None:
        """Install the app again as its manifest describes it."""
        self.revoked = False
        self.granted = set(self.manifest.scopes)
