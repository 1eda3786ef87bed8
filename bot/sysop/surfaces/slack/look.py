"""What the documents need beside the database: fixed for one process, given to them by the surface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from sysop.actions import Action
from sysop.errors import RunbookError
from sysop.inventory import Inventory
from sysop.knowledge.citation import MAX_AGE_DAYS, page_link
from sysop.knowledge.index import Index
from sysop.store import members
from sysop.surfaces.slack.blocks.home import PluginState
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.links import Links


def _nobody(roles: Iterable[str]) -> Sequence[str]:
    return ()


def _nowhere(team: str) -> str:
    return ""


@dataclass(frozen=True)
class Look:
    """How to show things. `holding` returns the actors with one of some roles: `People.holding`.

    `runbooks_at` is the address below which people read runbooks, such as `https://git.example.com/ops/blob/main/`.
    `site` returns the address of a workspace, "" where it is not known. A page reviewed more than `max_age_days` ago is
    stale.
    """

    links: Links = field(default_factory=Links)
    actions: Mapping[str, Action] = field(default_factory=dict)
    inventory: Inventory = field(default_factory=Inventory)
    index: Index = field(default_factory=lambda: Index({}))
    runbooks_at: str = ""
    plugins: Sequence[PluginState] = ()
    holding: Callable[[Iterable[str]], Sequence[str]] = _nobody
    site: Callable[[str], str] = _nowhere
    max_age_days: int = MAX_AGE_DAYS

    def cited(self, citation: str) -> Cited:
        """Return a runbook or one of its sections by its citation, whether or not it is still there."""
        path, _, section = citation.partition("#")
        url = f"{self.runbooks_at}{citation}" if self.runbooks_at else ""
        try:
            title = self.index.get(path).title
            url = page_link(self.index.pages.get(path).url, section) or url
        except RunbookError:
            title = ""
        return Cited(citation, title, url if url and self.links.allows(url) else None)

    def address(self, team: str, channel: str, ts: str) -> str:
        """Return where a message of ours can be read, "" where that is not known."""
        site = self.site(team)
        return f"{site.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}" if site else ""


def names(conn: Connection, team: str) -> Names:
    """Return how the people of a workspace are shown there; without a team, those of the only one there is."""
    accounts = [(one, *one.id.removeprefix("slack:").partition(".")[::2]) for one in members.everybody(conn)]
    teams = {place for _, place, _ in accounts}
    team = team or (teams.pop() if len(teams) == 1 else "")
    users = {name: user for one, place, user in accounts if place == team for name in (one.id, one.actor)}
    return Names(team, users)
