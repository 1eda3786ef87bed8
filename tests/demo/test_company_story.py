"""One whole incident, as a monitoring user sees it."""

from __future__ import annotations

from company_kit import Company, Receiver, seed_where, start_company, wait_for

SERVICES = {"gateway", "checkout", "payments"}


def decoys_come_last(made) -> bool:
    return (
        made.fault.kind == "errors"
        and made.guilty_service == "payments"
        and made.deploys[-1].service != made.guilty_service
    )


def test_a_bad_release_raises_alerts_and_the_good_one_resolves_them(tmp_path, receiver):
    receiver.refusals = 2
    (tmp_path / "token").write_text("let-me-in\n")
    extra = ("--webhook", receiver.url, "--token-file", str(tmp_path / "token"))
    with start_company(tmp_path / "company", seed_where(decoys_come_last), *extra) as company:
        wait_for(lambda: company.status()["success_ratio"] == 1.0, 10, "content customers")
        break_it(company, receiver)
        find_the_culprit(company)
        mend_it(company, receiver)
    occurrences = {status: sorted(map(occurrence, receiver.bodies(status))) for status in ("firing", "resolved")}
    assert occurrences["firing"] == occurrences["resolved"], "each occurrence is told once in each state"


def occurrence(body: dict) -> tuple[str, str]:
    (alert,) = body["alerts"]
    return alert["fingerprint"], alert["startsAt"]


def break_it(company: Company, receiver: Receiver) -> None:
    for deploy in company.scenario["deploys"]:
        assert company.deploy(deploy["service"], deploy["version"]).returncode == 0
    wait_for(lambda: company.status()["success_ratio"] < 0.8, 15, "customers to notice")
    wait_for(lambda: receiver.services("firing") == SERVICES, 20, "an alert of each service in the chain")
    assert receiver.refused == 2, "what was refused came again"
    assert {headers["Authorization"] for _, headers, _ in receiver.taken} == {"Bearer let-me-in"}
    assert all(body["groupLabels"]["alertname"] == "ServiceErrorRatioHigh" for body in receiver.bodies("firing"))
    listed = company.ask("/api/v1/alerts").json()["data"]["alerts"]
    assert {item["labels"]["service"] for item in listed if item["state"] == "firing"} == SERVICES


def find_the_culprit(company: Company) -> None:
    """Only the guilty release fails by itself; its callers pass its failures on."""
    answer = company.scenario
    found = company.ask("/api/v1/query", query="version:own_error_ratio:rate10s").json()["data"]["result"]
    own = {(item["metric"]["service"], item["metric"]["version"]): float(item["value"][1]) for item in found}
    culprit = answer["guilty_service"], answer["bad_version"]
    assert abs(own.pop(culprit) - answer["fault"]["share"]) < 0.2
    assert set(own.values()) == {0.0}


def mend_it(company: Company, receiver: Receiver) -> None:
    answer = company.scenario
    assert company.deploy(answer["guilty_service"], answer["good_version"]).returncode == 0
    wait_for(lambda: company.status()["success_ratio"] > 0.98, 15, "content customers")
    wait_for(lambda: receiver.services("resolved") == SERVICES, 20, "every alert to resolve")
    assert company.ask("/api/v1/alerts").json()["data"]["alerts"] == []
