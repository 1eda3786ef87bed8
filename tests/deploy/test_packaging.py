"""What is shipped to run Sysop in containers and under systemd. It is linted here, not built: no engine runs here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from sysop.sections import SlackSettings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("sysop:"))


def test_the_dockerfile_has_nothing_a_linter_minds() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        assert os.environ.get("SYSOP_TEST_REQUIRE") != "all", "hadolint is missing; run: make test"
        pytest.skip("hadolint: it has no wheel for this platform")
    done = subprocess.run([hadolint, "--failure-threshold", "style", DEPLOY / "Dockerfile"], capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001"]
    assert all(":" in name for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE)), "every base has a tag"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_where_they_must_and_nowhere_else(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not any("docker.sock" in volume for volume in service["volumes"])


def test_the_composition_names_only_what_it_declares() -> None:
    volumes = {v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", ()) if not v.startswith(".")}
    assert volumes == set(COMPOSE["volumes"])
    assert {secret for s in SERVICES.values() for secret in s.get("secrets", ())} == set(COMPOSE["secrets"])
    assert {other for s in SERVICES.values() for other in s.get("depends_on", ())} <= set(SERVICES)
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z]+:[\w.-]+", service["image"]), "every image has a tag"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), "no port is open to the network"


def test_without_slack_no_secret_of_slack_is_needed() -> None:
    assert set(COMPOSE["secrets"]) == {"database_password"}


@pytest.mark.parametrize(("file", "mode"), [("compose.slack.yaml", "socket"), ("compose.slack-http.yaml", "http")])
def test_each_way_to_slack_adds_the_secrets_it_needs_and_no_other(file: str, mode: str) -> None:
    added = yaml.safe_load((DEPLOY / file).read_text())
    assert set(added) == {"services", "secrets"}
    given = added["services"]["sysop"]["secrets"]
    assert added["services"] == {"sysop": {"secrets": given}}
    assert added["secrets"] == {name: {"file": f"./secrets/{name}"} for name in given}
    values = {name.removeprefix("slack_"): f"file:/run/secrets/{name}" for name in given}
    assert SlackSettings(mode=mode, **values).on
    with pytest.raises(ValidationError, match="is missing"):
        SlackSettings(mode=mode, bot_token=values["bot_token"])
    assert file in (DEPLOY / "README.md").read_text()


def test_the_composition_takes_no_secret_from_the_environment() -> None:
    told = " ".join(f"{key}={value}" for s in SERVICES.values() for key, value in s.get("environment", {}).items())
    assert not re.search(r"(password|token|secret|key)=", told, re.IGNORECASE), told


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Systemd's own check where there is one; what we promise of the unit everywhere."""
    text = (DEPLOY / "systemd" / "sysop.service").read_text()
    assert "NoNewPrivileges=true" in text
    assert "KillMode=process" in text, "a local pipeline's build outlives a restart"
    if verify := shutil.which("systemd-analyze"):
        unit = tmp_path / "sysop.service"
        unit.write_text(text.replace("/opt/sysop/bin/sysop", sys.executable))
        done = subprocess.run([verify, "verify", "--man=no", str(unit)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
