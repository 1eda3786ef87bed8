"""The sections of the settings: what each may hold, and what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the settings: frozen, and strict about keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _secret_ref(text: str) -> str:
    if not re.fullmatch(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)", text):
        raise ValueError("write env:NAME or file:PATH; a secret itself never stands in the settings")
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as bad:
        raise ValueError(f"{text!r} is not a time zone; write one such as Europe/Berlin") from bad
    return text


SecretRef = Annotated[str, AfterValidator(_secret_ref)]
TimeZone = Annotated[str, AfterValidator(_timezone)]


class DatabaseSettings(Section):
    """Where the data is."""

    url: str | None = Field(
        None, description="sqlite:///FILE or postgresql://USER@HOST/NAME; default: in the state folder"
    )


class Person(Section):
    """A person Sysop knows. Only people can approve."""

    uid: int | None = Field(
        None, description="the operating-system user id this person has on the machine of the CLI", ge=0
    )
    roles: tuple[str, ...] = Field((), description="roles that policy rules name")
    slack: str | None = Field(
        None, description="this person's Slack user id, such as U024BE7LH", pattern=r"^[UW][A-Z0-9]{2,}$"
    )


class ServiceSettings(Section):
    """One service of the company."""

    environment: str | None = Field(None, description="where it runs; default: `environment`")
    owner: str = Field("", description="the team that owns it")
    description: str = Field("", description="what it does")
    depends_on: tuple[str, ...] = Field((), description="services it calls")
    labels: dict[str, str] = Field(default_factory=dict, description="further labels")


class SecretSettings(Section):
    """One credential in two scopes. Reads get `read`; changes get `write` once the gate has said yes."""

    read: SecretRef | None = Field(None, description="env:NAME or file:PATH")
    write: SecretRef | None = Field(None, description="env:NAME or file:PATH")


class SourceSettings(Section):
    """Where pages come from: a folder of this machine, or a Git repository."""

    folder: Path | None = Field(None, description="folder of Markdown or HTML pages")
    git: str | None = Field(None, description="https://…, ssh://…, USER@HOST:PATH or file://…")
    ref: str = Field("main", description="branch, tag or full commit of the repository")
    subfolder: str = Field("", description="folder in the repository, such as docs/runbooks")
    token: SecretRef | None = Field(None, description="env:NAME or file:PATH; access token of an https:// repository")
    name: str | None = Field(None, description="begins the citations of its pages; default: the folder's name")
    pages_url: str = Field(
        "",
        description="where people read a page; {path} is its path in the source, {id} that without the suffix",
        pattern=r"^(https?://\S+)?$",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> SourceSettings:
        if (self.folder is None) == (self.git is None):
            raise ValueError("write either folder or git")
        if self.folder is not None and (self.subfolder or self.token or "ref" in self.model_fields_set):
            raise ValueError("ref, subfolder and token are for git; leave them out beside folder")
        if self.git is not None and re.match(r"[a-z+]+://[^/@]*:[^/@]*@", self.git):
            raise ValueError("git: no password may stand in an address; write it as token: env:NAME or file:PATH")
        if self.token is not None and not str(self.git).startswith("https://"):
            raise ValueError("token: only an https:// address takes one; use a key for ssh")
        return self


class EmbeddingSettings(Section):
    """A provider's embeddings: the text of pages and questions is sent there."""

    base_url: str = Field(description="any endpoint with OpenAI's /embeddings, up to and with /v1")
    model: str = Field(description="the name of the model there", min_length=1)
    key: SecretRef | None = Field(None, description="env:NAME or file:PATH")


class KnowledgeSettings(Section):
    """The pages that people and planners find, beside `runbooks`."""

    sources: tuple[SourceSettings, ...] = Field((), description="where more pages come from")
    refresh_seconds: int = Field(30, ge=1, le=86_400, description="so often is looked for pages that changed")
    pull_seconds: int = Field(300, ge=10, le=86_400, description="so often are repositories pulled")
    max_age_days: int = Field(180, ge=1, description="a page that nobody has reviewed for longer is marked as stale")
    mode: Literal["lexical", "hybrid"] = Field(
        "lexical", description="how pages are found: by words, or by words and meaning (extra semantic, or embeddings)"
    )
    embeddings: EmbeddingSettings | None = Field(
        None, description="whose embeddings tell the meaning; without it a small model on this machine does"
    )

    @model_validator(mode="after")
    def _used(self) -> KnowledgeSettings:
        if self.embeddings is not None and self.mode != "hybrid":
            raise ValueError("embeddings are used in mode hybrid only; write mode: hybrid, or leave them out")
        return self


class WebhookSettings(Section):
    """Alerts in."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8321, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    tokens: dict[str, SecretRef] = Field(
        default_factory=dict, description="token, password or signing key by source; a source without one is off"
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="larger bodies are refused")
    max_waiting: int = Field(
        256, ge=1, description="so many deliveries may wait for the database; others are told to come again"
    )
    max_waiting_bytes: int = Field(
        16_777_216,
        ge=1024,
        description="so much all deliveries not yet answered may hold; others are told to come again",
    )


class SlackRole(Section):
    """Who holds a role because Slack says so."""

    groups: tuple[str, ...] = Field((), description="ids of user groups, such as S0615G0KT")
    users: tuple[str, ...] = Field((), description="ids of users, such as U024BE7LH")


TeamId = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]+$")]


class SlackOauthSettings(Section):
    """Several workspaces: each installs Sysop by OAuth, and its token is kept in the database."""

    teams: tuple[TeamId, ...] = Field(
        min_length=1,
        description="ids of the workspaces that may install and be served, such as T024BE7LD; the first is home to"
        " `channel`, `roles` and `people`",
    )
    client_id: str = Field(description="the app's client id")
    client_secret: SecretRef = Field(description="env:NAME or file:PATH")
    redirect_url: str = Field(description="public address of /slack/oauth_redirect")
    state_minutes: int = Field(10, ge=1, le=60, description="time to complete an installation")


class SlackSettings(Section):
    """The chat surface; without `bot_token` or `oauth` nothing of it is loaded."""

    bot_token: SecretRef | None = Field(None, description="xoxb-…, as env:NAME or file:PATH; switches Slack on")
    mode: Literal["socket", "http"] = Field("socket", description="how Slack reaches Sysop")
    app_token: SecretRef | None = Field(None, description="xapp-…, as env:NAME or file:PATH; needed in socket mode")
    signing_secret: SecretRef | None = Field(None, description="env:NAME or file:PATH; needed in http mode")
    api_url: str = Field("https://slack.com/api/", description="base of the Web API", pattern=r"^https?://.+/$")
    proxy: str | None = Field(
        None, description="http proxy to reach Slack through; the environment's is not used", pattern=r"^https?://.+$"
    )
    channel: str | None = Field(
        None,
        description="id of the channel for incidents and for approvals nobody asked for in Slack",
        pattern=r"^[CG][A-Z0-9]{2,}$",
    )
    link_hosts: tuple[str, ...] = Field(
        (), description="hosts whose links stay links in what is posted; *.example.com is every host below it"
    )
    runbooks_url: str | None = Field(
        None,
        description="address below which people read `runbooks/x.md`; its host must be in link_hosts",
        pattern=r"^https?://[^/]+/(.*/)?$",
    )
    roles: dict[str, SlackRole] = Field(default_factory=dict, description="roles that user groups and users give")
    oauth: SlackOauthSettings | None = Field(None, description="several workspaces, http mode only")

    @property
    def on(self) -> bool:
        """Tell whether Slack is used."""
        return self.bot_token is not None or self.oauth is not None

    @property
    def home(self) -> str | None:
        """Return the workspace that channel, roles and people are of; None where there is only one anyway."""
        return self.oauth.teams[0] if self.oauth else None

    @model_validator(mode="after")
    def _complete(self) -> SlackSettings:
        if not self.on:
            return self
        if self.mode == "socket" and self.app_token is None:
            raise ValueError("app_token is missing: socket mode needs an app-level token with connections:write")
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError("signing_secret is missing: http mode needs it to know that a request is Slack's")
        if self.oauth is not None and self.mode == "socket":
            raise ValueError("oauth needs mode: http")
        if self.runbooks_url is not None and urlsplit(self.runbooks_url).hostname not in self.link_hosts:
            raise ValueError("runbooks_url: its host is not in link_hosts, so that nothing would link there; add it")
        return self


class CorrelationSettings(Section):
    """How alerts are put together; `sysop alerts replay` tells beforehand what a change would do."""

    join: float = Field(0.4, gt=0, lt=1, description="likelihood of one cause from which an alert joins an incident")
    merge: float = Field(0.5, gt=0, lt=1, description="likelihood of one cause from which two incidents are one")
    alone_from: Literal["none", "info", "warning", "error", "critical", "page", "never"] = Field(
        "error", description="severity from which an alert that stands alone is an incident; others are held back"
    )


class IncidentSettings(Section):
    """How alerts become incidents."""

    quiet_seconds: int = Field(30, ge=0, description="an incident without firing alerts is resolved after this")
    triage: bool = Field(True, description="start one run for each incident")
    triage_after_seconds: float = Field(2.0, ge=0, description="so long after its first alert")
    triage_most: int = Field(3, ge=1, le=20, description="runs an incident at most that alerts alone start")
    triage_again_after_seconds: int = Field(
        600, ge=0, description="a run's end to the next look, if the incident has got worse or reached another service"
    )
    dependencies_from: str | None = Field(
        None, description="a metric source with the service graph of traces, such as metrics: who calls whom is learnt"
    )
    correlation: CorrelationSettings = Field(
        default_factory=CorrelationSettings, description="how alerts are put together"
    )


class RunnerSettings(Section):
    """How runs are carried out."""

    concurrency: int = Field(8, ge=1, le=256, description="runs advanced at the same time")
    planner: str = Field(
        "auto", description="auto (the LLM where one is configured, else runbook), or a planner's name"
    )


class LlmSettings(Section):
    """The language model; without `model` nothing of it is loaded."""

    model: str | None = Field(None, description="openai:NAME, or NAME with base_url")
    base_url: str | None = Field(None, description="any OpenAI-compatible endpoint, up to and with /v1")
    key: SecretRef | None = Field(None, description="env:NAME or file:PATH")
    max_requests: int = Field(30, ge=1, description="model requests a run")
    max_tokens: int = Field(200_000, ge=1, description="tokens a run, input and output")
    max_calls: int = Field(60, ge=1, description="calls a run")
    max_seconds: int = Field(600, ge=1, description="seconds of work a run, waiting for people not counted")
    request_seconds: int = Field(60, ge=1, description="seconds a model request may take")
    history_tokens: int = Field(
        60_000,
        ge=1000,
        description="above this, old results are shortened in what the model sees; the ledger keeps all",
    )


WatchName = Annotated[
    str,
    Field(description="how alerts and `sysop watches` call it", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"),
]
Severity = Literal["info", "warning", "error", "critical"]
MAX_WATCH_SAMPLES = 50_000
"""Samples of one series that a watch may keep, eight bytes each."""


class MetricWatchSettings(Section):
    """A query whose values are watched for what is unusual."""

    name: WatchName
    query: str = Field(min_length=1, max_length=4000, description="PromQL that gives one or a few series")
    source: str = Field("metrics", description="the plugin's metric source that answers it")
    methods: tuple[Literal["outlier", "seasonal", "shift"], ...] = Field(
        ("outlier",), min_length=1, description="what counts as unusual; any of them suffices"
    )
    sensitivity: Literal["low", "normal", "high"] = Field("normal", description="how little is unusual already")
    direction: Literal["up", "down", "both"] = Field("both", description="which departures count")
    least_change: float = Field(0.0, ge=0, description="smaller departures are never unusual; in units of the query")
    every_seconds: int = Field(60, ge=5, le=3600, description="distance of two samples, and how often it looks")
    delay_seconds: int = Field(0, ge=0, le=3600, description="how late samples arrive; none is judged before")
    for_seconds: int = Field(120, ge=0, le=86_400, description="a departure becomes an alert once it lasts so long")
    calm_seconds: int = Field(300, ge=0, le=86_400, description="the alert ends after so long without one")
    history_hours: int = Field(24, ge=1, le=24 * 90, description="for outlier: what the latest value is compared with")
    period: Literal["day", "week"] = Field("day", description="for seasonal: what repeats")
    periods: int = Field(7, ge=3, le=60, description="for seasonal: earlier days or weeks looked at")
    timezone: TimeZone = Field("UTC", description="for seasonal: the IANA time zone whose clocks people live by")
    counter: bool = Field(False, description="the query gives a counter: watch its growth a second")
    service: str | None = Field(None, description="label of the alerts; default: the label of the series")
    severity: Severity = Field("warning", description="label of the alerts")
    labels: dict[str, str] = Field(default_factory=dict, description="further labels of the alerts")

    @model_validator(mode="after")
    def _bounded(self) -> MetricWatchSettings:
        period = 86_400 * (7 if self.period == "week" else 1)
        seasonal = period * self.periods if "seasonal" in self.methods else 0
        if "seasonal" in self.methods and period % self.every_seconds:
            raise ValueError(f"every_seconds: {self.every_seconds} s do not divide a {self.period}; use 60 or 300")
        longest = max(seasonal, self.history_hours * 3600)
        if longest // self.every_seconds > MAX_WATCH_SAMPLES:
            fix = f"use every_seconds: {-(-longest // MAX_WATCH_SAMPLES // 60) * 60} or a shorter history"
            raise ValueError(f"every_seconds: the history has more than {MAX_WATCH_SAMPLES:,} samples; {fix}")
        return self


class LogWatchSettings(Section):
    """Log files whose kinds of lines are watched: new ones, vanished ones, changed rates."""

    name: WatchName
    files: tuple[str, ...] = Field(min_length=1, description="files, with * and ** as in a shell; new ones are seen")
    every_seconds: int = Field(60, ge=1, le=3600, description="length of a window in which lines are counted")
    learn_windows: int = Field(60, ge=1, le=10_000, description="windows before anything counts as new or changed")
    often: int = Field(10, ge=1, description="a new kind of line is an alert once it came so often in ten windows")
    calm_windows: int = Field(10, ge=1, le=1000, description="an alert ends after so many ordinary windows")
    sensitivity: Literal["low", "normal", "high"] = Field("normal", description="how little is a change already")
    max_templates: int = Field(1000, ge=10, le=20_000, description="kinds of lines kept; the stalest is forgotten")
    host: str | None = Field(None, description="this machine's name in labels; default: its own")
    service: str | None = Field(None, description="label of the alerts")
    severity: Severity = Field("warning", description="label of the alerts")
    labels: dict[str, str] = Field(default_factory=dict, description="further labels of the alerts")


class WatchSettings(Section):
    """What Sysop watches by itself; findings enter as alerts."""

    metrics: tuple[MetricWatchSettings, ...] = Field((), description="queries")
    logs: tuple[LogWatchSettings, ...] = Field((), description="log files")

    @model_validator(mode="after")
    def _names(self) -> WatchSettings:
        names = [*(watch.name for watch in self.metrics), *(watch.name for watch in self.logs)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"name: two watches are called {twice[0]}; an alert tells its watch by the name")
        return self


class EgressSettings(Section):
    """Where plugins may connect to."""

    allow: tuple[str, ...] = Field((), description="hosts (or host:port) beside those in the plugins' own settings")
    ca_file: Path | None = Field(None, description="PEM file of authorities to trust beside the well-known ones")
