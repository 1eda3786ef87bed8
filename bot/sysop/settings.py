"""The settings: `sysop.yaml`, then `SYSOP_*` from the environment, over defaults that need nothing.

This is the only file that reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableEnvironment

from sysop.errors import SettingsError
from sysop.inventory import Inventory, Service, nearest
from sysop.policy_sections import BudgetSettings, PolicySettings
from sysop.sections import (
    DatabaseSettings,
    EgressSettings,
    IncidentSettings,
    KnowledgeSettings,
    LlmSettings,
    Person,
    RunnerSettings,
    SecretSettings,
    ServiceSettings,
    SlackSettings,
    WatchSettings,
    WebhookSettings,
)
from sysop.yamlsafe import load as load_yaml

DEFAULT_FILE = "sysop.yaml"
_OUTSIDE = ("SYSOP_TEST_", "SYSOP_BUILD_")  # for our test runs and for the commands of local pipelines
_BARE = {"SYSOP_CONFIG"}
_GIT = (
    *("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "SSL_CERT_FILE"),
    *("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"),
)
FILE_ONLY = ("SYSOP_PEOPLE", "SYSOP_POLICY", "SYSOP_SLACK__ROLES")


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
    knowledge: KnowledgeSettings = Field(
        default_factory=KnowledgeSettings, description="the pages that people and planners find"
    )
    secrets: dict[str, SecretSettings] = Field(default_factory=dict, description="credentials by name")
    egress: EgressSettings = Field(default_factory=EgressSettings, description="where plugins may connect to")
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings, description="alerts in")
    slack: SlackSettings = Field(default_factory=SlackSettings, description="the chat surface")
    incidents: IncidentSettings = Field(default_factory=IncidentSettings, description="how alerts become incidents")
    watches: WatchSettings = Field(default_factory=WatchSettings, description="what Sysop watches by itself")
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


def git_environment() -> dict[str, str]:
    """Return what `git` needs of the environment: how to reach an agent, a proxy and authorities."""
    return {name: os.environ[name] for name in _GIT if os.environ.get(name)}


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
