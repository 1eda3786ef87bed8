"""How the company starts, deploys and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx2
import pytest
from company_kit import Company, alive, start_company, wait_for


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with start_company(tmp_path_factory.mktemp("company"), 2) as started:
        yield started


def innocent(company: Company) -> tuple[str, str, str]:
    """Return a decoy's service, its live version, and its new one."""
    answer = company.scenario
    decoy = next(item for item in answer["deploys"] if item["service"] != answer["guilty_service"])
    return decoy["service"], company.status()["services"][decoy["service"]]["version"], decoy["version"]


def test_the_company_starts_quickly_and_serves_orders(company):
    assert company.start_seconds < 5
    assert company.http.get(f"{company.info['services']['gateway']['url']}/order").status_code == 200
    wait_for(lambda: (company.status()["success_ratio"] or 0) > 0.95, 10, "content customers")
    assert company.status()["request_rate"] > 10
    assert company.ask("/-/ready").status_code == 200


def test_the_live_versions_are_those_of_the_scenario(company):
    live = {name: item["version"] for name, item in company.status()["services"].items()}
    assert live == company.scenario["initial"]


def test_a_swap_drops_no_request(company):
    service, old, new = innocent(company)
    info = company.info["services"][service]
    path = {"gateway": "/order", "checkout": "/checkout", "payments": "/charge"}[service]
    done, codes = threading.Event(), []

    def hammer() -> None:
        with httpx2.Client(timeout=10, trust_env=False) as client:
            while not done.is_set():
                codes.append(client.get(info["url"] + path).status_code)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    results = [company.deploy(service, version) for version in (new, old, new, old)]
    done.set()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [0, 0, 0, 0]
    assert len(codes) > 50
    assert set(codes) == {200}
    assert not alive(info["pid"])
    assert company.info["services"][service] == {**info, "pid": company.info["services"][service]["pid"]}


def test_a_deploy_says_what_it_does_and_is_counted(company):
    service, old, new = innocent(company)
    told = company.deploy(service, new).stdout
    assert f"replacing {service} {old} with {new}" in told
    assert f"{service} {new} is live" in told
    assert company.info["services"][service]["version"] == new
    newest = company.status()["deploys"][-1]
    assert (newest["service"], newest["version"]) == (service, new)
    assert 0 <= newest["seconds_ago"] < 30


def test_deploying_the_live_version_changes_nothing(company):
    before = company.info
    live = before["services"]["gateway"]["version"]
    again = company.deploy("gateway", live)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert company.info == before


@pytest.mark.parametrize(("service", "version"), [("checkout", "0.0.0"), ("basket", "1.0.0")])
def test_an_unknown_release_is_refused(company, service, version):
    refused = company.deploy(service, version)
    assert refused.returncode == 2
    assert "there is no service" in refused.stderr or "has no version" in refused.stderr


def test_a_service_that_dies_is_started_again(company):
    lost = company.info["services"]["checkout"]
    os.kill(lost["pid"], signal.SIGKILL)
    wait_for(lambda: company.info["services"]["checkout"]["pid"] != lost["pid"], 10, "a new process")
    assert company.http.get(lost["url"] + "/checkout").status_code == 200
    assert company.info["services"]["checkout"]["version"] == lost["version"]


def test_a_malformed_request_to_the_control_port_is_refused(company):
    control = company.info["control"]
    assert company.http.post(f"{control}/deploy", content=b"[]").status_code == 400
    assert company.http.get(f"{control}/deploy").status_code == 404
    refused = company.http.post(f"{control}/fault", json={"kind": "crash", "service": "checkout"})
    assert refused.status_code == 422
    assert "--whole" in refused.json()["error"], "the small company breaks by its story only"


def test_a_second_company_in_the_same_folder_is_refused(company):
    command = [sys.executable, "-m", "sysop.demo.company", "--folder", str(company.folder), "--seed", "9"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert "is running in" in second.stderr
    assert company.info["seed"] == 2


def test_a_killed_supervisor_leaves_no_process(tmp_path):
    with start_company(tmp_path, 3) as company:
        pids = company.pids
        assert len(pids) == 5
        company.process.kill()
        company.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in pids), 1, "every process to end")
        assert company.deploy("gateway", "1.0.0").returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_cleanly(tmp_path, number):
    with start_company(tmp_path, 4) as company:
        pids = company.pids
        company.process.send_signal(number)
        assert company.process.wait(10) == 0
        assert not any(alive(pid) for pid in pids)
        assert not (tmp_path / "company.json").exists()


def test_the_end_of_standard_input_stops_the_company_on_request(tmp_path):
    with start_company(tmp_path, 4, "--until-eof", stdin=subprocess.PIPE) as company:
        assert company.process.stdin is not None
        company.process.stdin.close()
        company.process.stdin = None
        assert company.process.wait(10) == 0


def test_a_stop_during_the_start_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "sysop.demo.company", "--folder", str(tmp_path), "--seed", "4"]
    process = subprocess.Popen(command)
    wait_for((tmp_path / "logs" / "payments.log").exists, 10, "the first process")
    process.terminate()
    assert process.wait(10) == 0
    assert not (tmp_path / "company.json").exists()
