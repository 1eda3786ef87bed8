"""The sections of the settings: what each may hold, and what is wrong with it."""

from __future__ import annotations

import re
from datetime import time as clock_time
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sysop.model import Origin, Risk, Verdict


class _Section(BaseModel):
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
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class DatabaseSettings(_Section):
    """Where the data is."""

    url: str | None = Field(
        None, description="sqlite:///FILE or postgresql://USER@HOST/NAME; default: in the state folder"
    )


class Person(_Section):
    """A person Sysop knows. Only people can approve."""

    uid: int | None = Field(
        None, description="the operating-system user id this person has on the machine of the CLI", ge=0
    )
    roles: tuple[str, ...] = Field((), description="roles that policy rules name")
    slack: str | None = Field(
        None, description="this person's Slack user id, such as U024BE7LH", pattern=r"^[UW][A-Z0-9]{2,}$"
    )


class Window(_Section):
    """A recurring time window; `from` > `to` runs over midnight."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    days: tuple[Day, ...] = Field(DAYS, description="days on which the window begins")
    start: clock_time = Field(clock_time(0, 0), alias="from", description="first minute, HH:MM")
    end: clock_time = Field(clock_time(0, 0), alias="to", description="first minute after it, HH:MM; 00:00 is midnight")
    timezone: Annotated[str, AfterValidator(_timezone)] = Field("UTC", description="an IANA time zone")


class Match(_Section):
    """When a rule applies: every key given must match, a key left out matches all."""

    risk: tuple[Risk, ...] = Field((), description="read, change, destructive")
    action: tuple[str, ...] = Field((), description="action names; * stands for anything")
    environment: tuple[str, ...] = Field((), description="environments")
    target: tuple[str, ...] = Field((), description="targets such as service:checkout; * stands for anything")
    role: tuple[str, ...] = Field((), description="roles the requester holds")
    origin: tuple[Origin, ...] = Field((), description="asked, alert, schedule")
    window: Window | None = Field(None, description="a time window")


class Rule(_Section):
    """One policy rule."""

    name: str = Field(description="how `sysop policy explain` and the audit log call the rule", min_length=1)
    match: Match = Field(default_factory=lambda: Match(), description="when it applies")
    then: Verdict = Field(description="allow, approve or forbid")
    roles: tuple[str, ...] = Field(("approver",), description="for approve: who may, any of these roles")
    count: int = Field(1, ge=1, le=10, description="for approve: how many different people")
    approve_within_minutes: int = Field(30, ge=1, le=1440, description="for approve: time to answer")
    execute_within_minutes: int = Field(10, ge=1, le=240, description="for approve: time to begin after the answer")


class PolicySettings(_Section):
    """Who may do what. Forbid wins, else the first rule that matches, else it is denied."""

    defaults: bool = Field(True, description="end with: read allow, change one approver, destructive two approvers")
    rules: tuple[Rule, ...] = Field((), description="rules in order")


class BudgetSettings(_Section):
    """How many effects may start in an hour, for each environment."""

    change: int = Field(10, ge=0, description="changes an hour")
    destructive: int = Field(3, ge=0, description="destructive actions an hour")


class ServiceSettings(_Section):
    """One service of the company."""

    environment: str | None = Field(None, description="where it runs; default: `environment`")
    owner: str = Field("", description="the team that owns it")
    description: str = Field("", description="what it does")
    depends_on: tuple[str, ...] = Field((), description="services it calls")
    labels: dict[str, str] = Field(default_factory=dict, description="further labels")


class SecretSettings(_Section):
    """One credential in two scopes. Reads get `read`; changes get `write` once the gate has said yes."""

    read: SecretRef | None = Field(None, description="env:NAME or file:PATH")
    write: SecretRef | None = Field(None, description="env:NAME or file:PATH")


class WebhookSettings(_Section):
    """Alerts in."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8321, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    tokens: dict[str, SecretRef] = Field(
        default_factory=dict, description="bearer token by source; a source without one is off"
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="larger bodies are refused")


class SlackRole(_Section):
    """Who holds a role because Slack says so."""

    groups: tuple[str, ...] = Field((), description="ids of user groups, such as S0615G0KT")
    users: tuple[str, ...] = Field((), description="ids of users, such as U024BE7LH")


TeamId = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]+$")]


class SlackOauthSettings(_Section):
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


class SlackSettings(_Section):
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


class IncidentSettings(_Section):
    """How alerts become incidents."""

    join_within_seconds: int = Field(600, ge=1, description="alerts further apart start an incident of their own")
    quiet_seconds: int = Field(30, ge=0, description="an incident without firing alerts is resolved after this")
    triage: bool = Field(True, description="start one run for each incident")
    triage_after_seconds: float = Field(2.0, ge=0, description="so long after its first alert")


class RunnerSettings(_Section):
    """How runs are carried out."""

    concurrency: int = Field(8, ge=1, le=256, description="runs advanced at the same time")
    planner: str = Field(
        "auto", description="auto (the LLM where one is configured, else runbook), or a planner's name"
    )


class LlmSettings(_Section):
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


class EgressSettings(_Section):
    """Where plugins may connect to."""

    allow: tuple[str, ...] = Field((), description="hosts (or host:port) beside those in the plugins' own settings")
