"""Settings: whatever is wrong, one clear message names the place, the key, the reason and the fix, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sysop import sections, settings
from sysop.errors import SettingsError
from sysop.sections import SecretSettings
from sysop.settings import Secrets, Settings, config_file, load, source_of
from sysop.store.engine import parse_url


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SYSOP_") and not name.startswith("SYSOP_TEST_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sysop.yaml"


WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "an unknown key": ("stat: x\n", ("stat: there is no such setting", "did you mean 'state'?")),
    "an unknown nested key": ("webhooks:\n  prot: 1\n", ("webhooks.prot: there is no such setting", "'port'")),
    "an unknown key of a person": ("people:\n  ann:\n    role: [x]\n", ("people.ann.role", "did you mean 'roles'?")),
    "a bad number": ("webhooks:\n  port: many\n", ("webhooks.port", "valid integer", "(given: 'many')")),
    "a number out of range": ("budgets:\n  change: -1\n", ("budgets.change", "greater than or equal to 0")),
    "a bad verdict": (
        "policy:\n  rules:\n  - name: r\n    then: maybe\n",
        ("policy.rules.0.then", "'allow', 'approve' or 'forbid'", "(given: 'maybe')"),
    ),
    "a rule without an answer": ("policy:\n  rules:\n  - name: r\n", ("policy.rules.0.then", "Field required")),
    "a bad risk": (
        "policy:\n  rules:\n  - name: r\n    then: allow\n    match: {risk: [deadly]}\n",
        ("policy.rules.0.match.risk.0", "'read', 'change' or 'destructive'"),
    ),
    "a bad time zone": (
        "policy:\n  rules:\n  - name: r\n    then: allow\n    match:\n      window: {timezone: Mars/Base}\n",
        ("window.timezone", "'Mars/Base' is not a time zone"),
    ),
    "a literal secret": (
        "secrets:\n  ci:\n    write: hunter2hunter2\n",
        ("secrets.ci.write", "write env:NAME or file:PATH", "a secret itself never stands in the settings"),
    ),
    "a literal token": ("webhooks:\n  tokens:\n    alertmanager: hunter2hunter2\n", ("webhooks.tokens.alertmanager",)),
    "a literal model key": ("llm:\n  key: sk-hunter2hunter2hunter2\n", ("llm.key", "write env:NAME or file:PATH")),
    "one user twice": (
        "people:\n  ann: {uid: 1000}\n  bob: {uid: 1000}\n",
        ("two people have the same uid", "one operating-system user is one person"),
    ),
    "an unknown dependency": (
        "inventory:\n  checkout: {depends_on: [paymets]}\n  payments: {}\n",
        ("inventory.checkout.depends_on", "'paymets'", "did you mean 'payments'?"),
    ),
    "not a mapping": ("- a\n- b\n", ("the file must hold keys such as `people:`, not a list",)),
    "text": ("hello\n", ("the file must hold keys", "not a str")),
    "a section that is text": ("webhooks: yes\n", ("webhooks", "(given: 'yes')")),
    "an alias bomb": (
        "a: &a [x, x]\nb: &b [*a, *a]\n",
        (":1:4: an anchor (`&a`) is not allowed", "write the value out"),
    ),
    "deep nesting": ("[" * 100 + "]" * 100, ("nested more than 32 deep",)),
    "too many values": ("a: [" + "x," * 10_001 + "]", ("more than 10000 values",)),
    "too large": ("# " + "x" * 300_000, ("bytes are too much",)),
    "a key twice": ("state: a\nstate: b\n", (":2:1: the key 'state' is there twice",)),
    "a tag": ("state: !!python/object/apply:os.system [id]\n", ("a tag", "is not allowed")),
    "no YAML": ("people: [\n", ("not valid YAML",)),
    "not UTF-8": ("state: \udcff\n", ("save the file as UTF-8",)),
    "two documents": ("state: a\n---\nstate: b\n", ("a second document begins",)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_the_file_is_said_once_and_clearly(what: str, file: Path) -> None:
    text, expected = WRONG[what]
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as said:
        load(file)
    message = str(said.value)
    assert message.startswith(f"{file}")
    assert all(part in message for part in expected), message
    assert "hunter2" not in message
    assert "\n" not in message
    assert "pydantic" not in message


def test_everything_wrong_is_said_at_once_one_line_each(file: Path) -> None:
    file.write_text("stat: x\nwebhooks: {port: many}\n")
    with pytest.raises(SettingsError) as said:
        load(file)
    assert sorted(line.split(": ")[1] for line in str(said.value).splitlines()) == ["stat", "webhooks.port"]


ENVIRONMENT: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "an unknown name": ("SYSOP_STAT", "x", ("SYSOP_STAT in the environment is not a setting", "'SYSOP_STATE'")),
    "an unknown nested name": ("SYSOP_DATABASE__URI", "x", ("the environment", "database.uri", "'url'")),
    "a bad value": ("SYSOP_WEBHOOKS__PORT", "many", ("the environment: webhooks.port", "(given: 'many')")),
    "a section that is no JSON": ("SYSOP_INVENTORY", "{ann", ("the environment", "inventory", "JSON")),
    "a section of the wrong shape": ("SYSOP_INVENTORY", "[1]", ("the environment", "inventory")),
    "a literal secret": ("SYSOP_LLM__KEY", "sk-hunter2hunter2hunter2", ("the environment: llm.key",)),
    "a literal secret in JSON": ("SYSOP_SECRETS", '{"a": {"read": "hunter2"}}', ("the environment: secrets.a.read",)),
}


@pytest.mark.parametrize("what", ENVIRONMENT)
def test_what_is_wrong_in_the_environment_is_said_once_and_clearly(
    what: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value, expected = ENVIRONMENT[what]
    monkeypatch.setenv(name, value)
    file.write_text("shipped_runbooks: false\n")
    with pytest.raises(SettingsError) as said:
        load(file)
    message = str(said.value)
    assert all(part in message for part in expected), message
    assert "hunter2" not in message
    assert "\n" not in message


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("environment: staging\nbudgets:\n  change: 7\n  destructive: 2\ndatabase:\n  url: sqlite:///a\n")
    monkeypatch.setenv("SYSOP_DATABASE__URL", "postgresql://sysop@db/sysop")
    monkeypatch.setenv("SYSOP_BUDGETS__CHANGE", "1")
    found = load(file)
    assert found.database_url == "postgresql://sysop@db/sysop"
    assert (found.environment, found.budgets.change, found.budgets.destructive) == ("staging", 1, 2)
    assert source_of("database", {"database": {}}) == "environment"
    assert source_of("environment", {"environment": "staging"}) == "file"
    assert source_of("llm", {}) == "default"


def test_nothing_at_all_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file, named = config_file()
    assert (file, named) == (Path("sysop.yaml"), False)
    found = load(file, named=named)
    assert found == Settings()
    assert found.database_url == f"sqlite:///{tmp_path / '.sysop' / 'sysop.db'}"


def test_a_file_that_somebody_named_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSOP_CONFIG", str(tmp_path / "mine.yaml"))
    file, named = config_file()
    with pytest.raises(SettingsError, match=r"mine\.yaml: there is no such file; create it or leave"):
        load(file, named=named)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


def test_an_empty_file_is_no_error(file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert load(file) == Settings()


def test_numbers_versions_and_words_mean_what_they_say(file: Path) -> None:
    file.write_text("inventory:\n  web:\n    owner: on\n    labels: {version: 1.10, code: 012, at: 12:30:45}\n")
    service = load(file).services().services["web"]
    assert service.owner == "on"
    assert service.labels == {"version": "1.10", "code": "012", "at": "12:30:45"}


def test_the_state_folder_given_by_hand_wins(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("state: /nowhere\n")
    monkeypatch.setenv("SYSOP_STATE", "/elsewhere")
    assert load(file, state=tmp_path).state == tmp_path


SECRETS = {
    "ci": SecretSettings(read="env:CI_READ", write="file:~/ci-write"),
    "half": SecretSettings(read="env:CI_READ"),
}


def test_a_credential_is_read_when_it_is_used_and_known_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CI_READ", "read-me")
    (tmp_path / "ci-write").write_text("write-me\n")
    secrets = Secrets(SECRETS)
    assert secrets.known() == ()
    assert (secrets.get("ci", "read"), secrets.get("ci", "write")) == ("read-me", "write-me")
    assert sorted(secrets.known()) == ["read-me", "write-me"]


@pytest.mark.parametrize(
    ("name", "scope", "said"),
    [
        ("none", "read", r"secrets\.none\.read is not set; add it as env:NAME or file:PATH"),
        ("half", "write", r"secrets\.half\.write is not set"),
        ("ci", "read", r"secrets\.ci\.read: the environment has no CI_READ"),
        ("ci", "write", r"secrets\.ci\.write: ~/ci-write cannot be read: No such file"),
    ],
)
def test_a_credential_that_is_missing_names_the_key(
    name: str, scope: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CI_READ", raising=False)
    with pytest.raises(SettingsError, match=said):
        Secrets(SECRETS).get(name, scope)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense hunter2hunter2", "write sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("mysql://root:hunter2@db/x", "mysql is not supported"),
        ("sqlite://", "an in-memory database cannot prove anything"),
        ("sqlite:///:memory:", "an in-memory database cannot prove anything"),
    ],
)
def test_a_database_we_cannot_use_is_said_without_the_password(url: str, said: str) -> None:
    with pytest.raises(SettingsError) as bad:
        parse_url(url)
    assert str(bad.value).startswith("database.url: ")
    assert said in str(bad.value)
    assert "hunter2" not in str(bad.value)


def test_every_setting_says_what_it_is() -> None:
    def described(model: type) -> None:
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            assert field.description, f"{model.__name__}.{name} has no description"

    models = [one for one in vars(sections).values() if isinstance(one, type) and issubclass(one, sections.BaseModel)]
    assert len(models) > 15
    for one in (settings.Settings, *models):
        described(one)


@pytest.mark.parametrize("name", ["SYSOP_PEOPLE__lead__uid", "SYSOP_PEOPLE", "SYSOP_POLICY__DEFAULTS"])
def test_the_environment_cannot_say_who_people_are_or_what_policy_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "0")
    with pytest.raises(SettingsError, match="in the settings file only"):
        load(None)


def test_runbooks_are_linked_only_where_links_stay_links() -> None:
    slack = {"bot_token": "env:X", "app_token": "env:Y", "runbooks_url": "https://git.example/ops/"}
    assert sections.SlackSettings(**slack, link_hosts=("git.example",)).runbooks_url
    with pytest.raises(ValueError, match="its host is not in link_hosts"):
        sections.SlackSettings(**slack)
