"""Buildbot: understand what HttpStatusPush sends. A build that fails is an alert, a later success ends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any
from urllib.parse import urldefrag

from pydantic import BaseModel, ConfigDict, Field

from sysop.api import Alert, AlertSource, Change, ChangeKind, ChangeState, Delivery, basic, bearer, either, hookimpl
from sysop_plugins.incoming import Sent, Text, link, read, with_text
from sysop_plugins.incoming.builds import identity, outcome, repository_of, short

_BUILD = "a build of Buildbot's HttpStatusPush"
_SUCCESS, _WARNINGS, _FAILURE, _EXCEPTION, _CANCELLED = 0, 1, 2, 4, 6
_WELL, _BADLY = frozenset({_SUCCESS, _WARNINGS}), frozenset({_FAILURE, _EXCEPTION})
_STATES: Mapping[int, ChangeState] = {
    **dict.fromkeys(_WELL, ChangeState.DONE),
    **dict.fromkeys(_BADLY, ChangeState.FAILED),
    _CANCELLED: ChangeState.CANCELLED,
}
"""Skipped (3) changed nothing, and what is tried again (5) is told of again."""
_KEY = re.compile(r"^sysop\[[^\]]*\] ?")
"""The mark by which the plugin cicd finds its builds again."""
_LATEST = 253_402_300_799  # the year 9999

Seconds = Annotated[int, Field(ge=0, le=_LATEST)]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Settings(BaseModel):
    """Which service a builder builds, by its name; else its builds' property `service` says it, or their repository.

    `deploys` are the builders that bring the property `version` of that service live: their builds are changes, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: dict[str, str] = Field(default_factory=dict)
    deploys: frozenset[str] = frozenset()


class _Builder(Sent):
    name: Text


class _Build(Sent):
    """One build. Each property has its value and where it comes from; times are seconds since the epoch."""

    builder: _Builder
    number: Number
    buildrequestid: Number
    complete: bool
    results: int | None
    started_at: Seconds
    complete_at: Seconds | None
    state_string: str = ""
    properties: dict[str, tuple[Any, Any]] = Field(default_factory=dict)
    url: str = ""

    def text(self, name: str) -> str:
        """Return a property, empty where there is none or it is no text, as with several codebases."""
        value, _ = self.properties.get(name, ("", ""))
        return value if isinstance(value, str) else ""

    @property
    def ended_at(self) -> int:
        """Return the end in milliseconds, or the start while it is under way."""
        return (self.started_at if self.complete_at is None else self.complete_at) * 1000

    def service(self, settings: Settings) -> str:
        """Return what it builds, empty where nobody says."""
        named = settings.services.get(self.builder.name)
        return named or self.text("service") or repository_of(self.text("repository"))


def parse(delivery: Delivery, settings: Settings) -> Iterable[Alert]:
    """Return the alert of a failure, the ending that a success is, or nothing. Raises ValueError naming each field."""
    it = read(_Build, delivery.json, _BUILD)
    if not it.complete or it.results not in _WELL | _BADLY:
        return
    name, branch, service = it.builder.name, it.text("branch"), it.service(settings)
    commit = it.text("got_revision") or it.text("revision")
    where = f" on {branch}" if branch else ""
    yield outcome(
        "buildbot",
        identity(*filter(None, (urldefrag(link(it.url)).url, name, it.text("service"), branch))),
        failed=it.results in _BADLY,
        began=it.started_at * 1000,
        ended=it.ended_at,
        labels=with_text(
            {"alertname": "BuildFailed", "severity": "error", "builder": name, "service": service},
            {"branch": branch, "repository": it.text("repository"), "version": commit or it.text("version")},
        ),
        annotations=with_text({"summary": f"{name} #{it.number}{where}{_at(commit)}: {it.state_string}"}),
        url=link(it.url),
    )


def _at(commit: str) -> str:
    return f" at {short(commit)}" if commit else ""


def changes(delivery: Delivery, settings: Settings) -> Iterable[Change]:
    """Return the deploy that a build of a deploying builder is, or nothing. Raises ValueError naming each field."""
    it = read(_Build, delivery.json, _BUILD)
    service, version = it.service(settings), it.text("version")
    state = _STATES.get(-1 if it.results is None else it.results) if it.complete else ChangeState.STARTED
    if it.builder.name not in settings.deploys or state is None or not (service and version):
        return
    yield Change(
        ChangeKind.DEPLOY,
        service,
        source="buildbot",
        id=_id(it),
        at=it.ended_at,
        began_at=it.started_at * 1000,
        state=state,
        after=version,
        by=it.text("owner"),
        title=_KEY.sub("", it.text("reason")),
        url=link(it.url),
    )


def moved(delivery: Delivery) -> Iterable[str]:
    """Return the build that has moved on, as the plugin cicd calls it."""
    yield _id(read(_Build, delivery.json, _BUILD))


def _id(it: _Build) -> str:
    return f"buildbot:{it.buildrequestid}"


@hookimpl
def register_settings() -> type[BaseModel]:
    """Return which service each builder builds, and which of them deploy."""
    return Settings


@hookimpl
def register_alert_sources(settings: Settings) -> Iterable[AlertSource]:
    """Accept deliveries at `/webhooks/buildbot`; HttpStatusPush shows the token as its `auth` or in a header."""
    return [
        AlertSource(
            "buildbot",
            partial(parse, settings=settings),
            either(basic, bearer),
            changes=partial(changes, settings=settings),
            moved=moved,
        )
    ]
