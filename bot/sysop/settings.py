"""The settings: `sysop.yaml`, then `SYSOP_*` from the environment, over defaults that need nothing.

This is the only file that reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import time as clock_time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableEnvironment

from sysop.errors import SettingsError
from sysop.inventory import Inventory, Service, nearest
from sysop.model import Origin, Risk, Verdict
from sysop.yamlsafe import load as load_yaml

DEFAULT_FILE = "sysop.yaml"
_OUTSIDE = ("SYSOP_TEST_", "SYSOP_BUILD_")  # for our test runs and for the commands of local pipelines
_BARE = {"SYSOP_CONFIG"}
FILE_ONLY = ("SYSOP_PEOPLE", "SYSOP_POLICY", "SYSOP_SLACK__ROLES")


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


def _path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) else value


UserPath = Annotated[Path, BeforeValidator(_path)]


class Settings(BaseSettings):
    """All settings. Read them once, at start, with `load`."""

    model_config = SettingsConfigDict(
        env_prefix="SYSOP_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    state: UserPath = Field(Path(".sysop"), description="folder of everything Sysop keeps")
    environment: str = Field("production", description="environment of services that name none")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="where the data is")
    people: dict[str, Person] = Field(default_factory=dict, description="people by name")
    policy: PolicySettings = Field(default_factory=PolicySettings, description="who may do what")
    budgets: BudgetSettings = Field(default_factory=BudgetSettings, description="effects an hour")
    inventory: dict[str, ServiceSettings] = Field(default_factory=dict, description="services by name")
    runbooks: tuple[UserPath, ...] = Field((), description="folders of runbooks beside the shipped ones")
    shipped_runbooks: bool = Field(True, description="use the runbooks that come with Sysop")
    secrets: dict[str, SecretSettings] = Field(default_factory=dict, description="credentials by name")
    egress: EgressSettings = Field(default_factory=EgressSettings, description="where plugins may connect to")
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings, description="alerts in")
    slack: SlackSettings = Field(default_factory=SlackSettings, description="the chat surface")
    incidents: IncidentSettings = Field(default_factory=IncidentSettings, description="how alerts become incidents")
    runner: RunnerSettings = Field(default_factory=RunnerSettings, description="how runs are carried out")
    llm: LlmSettings = Field(default_factory=LlmSettings, description="the language model")
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict, description="a section for each plugin")
    plugins_dir: UserPath | None = Field(None, description="folder of further plugins, one file each")
    required_plugins: tuple[str, ...] = Field((), description="plugins without which the start is refused")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _known_dependencies(self) -> Settings:
        for name, service in self.inventory.items():
            for other in service.depends_on:
                if other not in self.inventory:
                    raise ValueError(
                        f"inventory.{name}.depends_on: there is no service {other!r}{nearest(other, self.inventory)}"
                    )
        uids = [person.uid for person in self.people.values() if person.uid is not None]
        if len(uids) != len(set(uids)):
            raise ValueError("people: two people have the same uid; one operating-system user is one person")
        accounts = [person.slack for person in self.people.values() if person.slack is not None]
        if len(accounts) != len(set(accounts)):
            raise ValueError("people: two people have the same slack id; one account is one person")
        return self

    @property
    def database_url(self) -> str:
        """Return the configured database or the embedded default in the state folder."""
        return self.database.url or f"sqlite:///{(self.state / 'sysop.db').absolute()}"

    def services(self) -> Inventory:
        """Return the inventory with every default filled in."""
        return Inventory(
            services={
                name: Service(
                    name=name,
                    environment=s.environment or self.environment,
                    owner=s.owner,
                    description=s.description,
                    depends_on=s.depends_on,
                    labels=s.labels,
                )
                for name, s in self.inventory.items()
            },
            default_environment=self.environment,
        )


class Secrets:
    """Resolve credentials when they are used. Values read so far are known, so that they can be redacted anywhere."""

    def __init__(self, secrets: Mapping[str, SecretSettings]) -> None:
        self._secrets = secrets
        self._known: set[str] = set()

    def get(self, name: str, scope: Literal["read", "write"]) -> str:
        """Return a credential. Raises SettingsError naming the key to add."""
        section = self._secrets.get(name)
        ref = getattr(section, scope) if section else None
        if ref is None:
            raise SettingsError(f"secrets.{name}.{scope} is not set; add it as env:NAME or file:PATH")
        return self.resolve(ref, f"secrets.{name}.{scope}")

    def resolve(self, ref: str, key: str) -> str:
        """Return what a reference points at."""
        kind, _, where = ref.partition(":")
        try:
            value = os.environ[where] if kind == "env" else Path(where).expanduser().read_text().strip()
        except KeyError:
            raise SettingsError(f"{key}: the environment has no {where}") from None
        except OSError as bad:
            raise SettingsError(f"{key}: {where} cannot be read: {bad.strerror}") from bad
        if not value:
            raise SettingsError(f"{key}: {ref} is empty")
        self._known.add(value)
        return value

    def known(self) -> tuple[str, ...]:
        """Return every value handed out so far."""
        return tuple(self._known)


def config_file(given: str | None = None) -> tuple[Path, bool]:
    """Return the settings file and whether somebody named it: `--config`, SYSOP_CONFIG, or sysop.yaml here."""
    named = given or os.environ.get("SYSOP_CONFIG")
    return Path(named or DEFAULT_FILE).expanduser(), bool(named)


def load(file: Path | None = None, *, named: bool = True, state: Path | None = None) -> Settings:
    """Read and check all settings. Raises SettingsError with file, key, reason and fix.

    A file nobody named may be missing. `state` overrides the folder (`--state`).
    """
    values = _read(file, named) if file else {}
    source = str(file) if values else "the environment"
    _refuse_unknown_environment()
    if state is not None:
        values["state"] = state
        os.environ.pop("SYSOP_STATE", None)
    try:
        return Settings(**values)
    except ValidationError as bad:
        raise SettingsError("\n".join(_explain(bad, source))) from None
    except UnreadableEnvironment as bad:
        key = "".join(re.findall(r'field "(\w+)"', str(bad)))
        name = f"SYSOP_{key.upper()}"
        fix = f"write JSON, or one variable for each key: {name}__KEY"
        raise SettingsError(f"the environment: {key}: the value of {name} is not valid JSON; {fix}") from None


def _read(file: Path, named: bool) -> dict[str, Any]:
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        if named:
            raise SettingsError(
                f"{file}: there is no such file; create it or leave --config and SYSOP_CONFIG out"
            ) from None
        return {}
    except OSError as bad:
        raise SettingsError(f"{file} cannot be read: {bad.strerror}") from bad
    values = load_yaml(text, name=str(file), error=SettingsError)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{file}: the file must hold keys such as `people:`, not a {type(values).__name__}")
    return values


def _refuse_unknown_environment() -> None:
    known = {f"SYSOP_{name}".upper() for name in Settings.model_fields}
    for name in os.environ:
        top = name.split("__")[0].upper()
        if not name.startswith("SYSOP_") or name.startswith(_OUTSIDE) or name in _BARE or top in known:
            continue
        raise SettingsError(f"{name} in the environment is not a setting{nearest(top, known)}")
    for name in os.environ:
        if name.upper().startswith(FILE_ONLY):
            raise SettingsError(f"{name}: people, roles and policy stand in the settings file only; unset it")
        if name.upper() == "SYSOP_SLACK":  # it could bring roles along
            raise SettingsError(f"{name}: write one variable for each key, such as SYSOP_SLACK__CHANNEL")


def _explain(bad: ValidationError, source: str) -> Iterator[str]:
    for error in bad.errors():
        where = [str(part) for part in error["loc"]]
        key = ".".join(where)
        place = source if _from_file(where, source) else "the environment"
        if error["type"] == "extra_forbidden":
            yield f"{place}: {key}: there is no such setting{nearest(where[-1], _names_beside(where))}"
        elif error["type"] == "value_error" and not where:
            yield f"{place}: {error['msg'].removeprefix('Value error, ')}"
        else:
            given = (
                error["input"]
                if isinstance(error["input"], str | int | float | bool)
                else type(error["input"]).__name__
            )
            yield f"{place}: {key}: {error['msg'].removeprefix('Value error, ')} (given: {_masked(where, given)})"


def _from_file(where: list[str], source: str) -> bool:
    names = (f"SYSOP_{'__'.join(where[: n + 1])}".upper() for n in range(len(where)))
    return source != "the environment" and not any(name in os.environ for name in names)


def _masked(where: list[str], given: Any) -> str:
    return (
        "…" if any(word in part for part in where for word in ("key", "token", "secret", "password")) else repr(given)
    )


def _names_beside(where: list[str]) -> list[str]:
    model: Any = Settings
    for part in where[:-1]:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        nested = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif nested:
            model = nested[-1]
    return list(getattr(model, "model_fields", {}))


def source_of(key: str, file_values: Mapping[str, Any]) -> str:
    """Return where a top-level setting comes from: `environment`, `file` or `default`."""
    if any(name.upper().split("__")[0] == f"SYSOP_{key}".upper() for name in os.environ):
        return "environment"
    return "file" if key in file_values else "default"
