"""The Alertmanager receiver we ship is one that Alertmanager accepts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RECEIVER = Path(__file__).resolve().parents[2] / "deploy/alertmanager/receiver.yml"


def test_alertmanager_accepts_the_receiver(tmp_path: Path) -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        assert os.environ.get("SYSOP_TEST_REQUIRE") != "all", "amtool is missing; run: make services"
        pytest.skip("Alertmanager (amtool): install Debian's `prometheus-alertmanager`")
    whole = tmp_path / "alertmanager.yml"
    whole.write_text("route: {receiver: sysop}\n" + RECEIVER.read_text())
    done = subprocess.run([amtool, "check-config", str(whole)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 receivers" in done.stdout
