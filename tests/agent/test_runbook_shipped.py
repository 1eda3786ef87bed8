"""The shipped runbooks against a small company."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from runbook_kit import ACTIONS, EVERY_TOOL, INVENTORY, START, Desk, done, failed, finish, incident

from sysop.knowledge.index import Index
from sysop.knowledge.lint import lint, together

KNOWN = ("own_error_ratio", "own_latency_seconds", "error_ratio", "latency_seconds")
SHIPPED = Path(__file__).parents[2] / "runbooks"


@dataclass
class Company:
    """Three services and their signals; a rollback to a good version cures them after some seconds."""

    guilty: str = "payments"
    kind: str = "errors"
    deployed: bool = True
    previous: str | None = "1.0"
    state: str = "succeeded"
    heals: bool = True
    latest: str = "1.1"
    earlier: tuple[dict[str, Any], ...] = ()
    bad_version: str = "1.1"
    well_from: int | None = None

    async def __call__(self, action: str, args: Mapping[str, Any], at: int):
        if action == "metrics.query":
            return done(self._samples(args["query"], at))
        if action == "metrics.range":
            return done({"query": args["query"], "series": [], "count": 0})
        if action == "cicd.recent_deploys":
            mine = self.deployed and args["service"] == self.guilty
            deploys = [self._deploy(args["service"]), *self.earlier] if mine else []
            return done({"service": args["service"], "deploys": deploys, "latest": deploys[0] if deploys else None})
        assert action == "cicd.rollback"
        assert args == {"service": self.guilty, "to": self.previous}
        self.well_from = at + 8_000 if self.heals else None
        return done({"service": self.guilty, "version": args["to"], "previous": self.latest}, verified=self.heals)

    def _deploy(self, service: str) -> dict[str, Any]:
        known = {"service": service, "version": self.latest, "previous": self.previous, "state": self.state}
        return {**known, "at": START - 60_000, "build": "7", "by": "ann", "change": "New pool"}

    def _samples(self, query: str, at: int) -> dict[str, Any]:
        sick = self.well_from is None or at < self.well_from
        name, _, rest = query.partition("{")
        if name.split(":")[1] not in KNOWN:
            return {"query": query, "series": [], "value": None, "count": 0}
        level = {"error": (0, 0.5), "latency": (0.01, 0.9)}["error" if "error_ratio" in name else "latency"]
        hit = sick and (self.kind == "errors") == ("error_ratio" in name)
        if name.startswith("version:"):
            service = rest.split("'")[1]
            versions = {self.bad_version: level[hit and service == self.guilty], "1.0": level[0]}
            series = [
                {"labels": {"version": v, "service": service}, "value": x, "at": at / 1000} for v, x in versions.items()
            ]
        else:
            order = ["payments", "checkout", "gateway"]
            callers = order[order.index(self.guilty) :] if "own" not in name else [self.guilty]
            series = [{"labels": {"service": s}, "value": level[hit and s in callers], "at": at / 1000} for s in order]
        return {"query": query, "series": series, "value": None, "count": len(series)}


@pytest.fixture(scope="module")
def shipped():
    return Index.load([SHIPPED])


def test_the_shipped_runbooks_have_no_findings(shipped):
    for runbook in shipped.runbooks.values():
        assert lint(runbook, ACTIONS, INVENTORY, today=runbook.reviewed) == []
    assert together(shipped) == []
    assert shipped.broken == ()


def test_at_least_forty_pages_say_what_is_wrong_how_to_look_and_when_to_stop(shipped):
    known = [p for p in shipped.runbooks.values() if {s.slug for s in p.sections} >= ADVICE]
    assert len(known) >= 40
    assert all(page.alerts and page.owner and page.title == page.sections[0].title for page in known)


ADVICE = {"what-it-means", "common-causes", "how-to-look", "what-helps", "when-to-stop"}
ALERTS = {"errors": "ServiceErrorRatioHigh", "latency": "ServiceLatencyHigh"}


@pytest.mark.parametrize("guilty", ["gateway", "checkout", "payments"])
@pytest.mark.parametrize("alert", ALERTS.values())
@pytest.mark.parametrize("kind", ALERTS)
async def test_either_runbook_finds_the_guilty_service_and_cures_it(shipped, guilty, alert, kind):
    desk = Desk(Company(guilty, kind), approved=False)
    end = await finish(desk, shipped, incident(alert))
    assert end.resolved, end
    assert end.summary.startswith(f"{guilty} 1.1 was rolled back to 1.0;")
    assert end.cause == f"deploy of {guilty} 1.1 by ann: New pool"
    assert end.confidence == "high"
    assert end.not_checked == []
    assert all(claim.evidence for claim in end.claims)
    assert desk.rows["rollback"][1].action == "cicd.rollback"
    assert any(w.waiting_for == "until:errors_gone" for w in desk.waits) == (kind == "errors")


STOPS = {
    "no deploy": (Company(deployed=False), "it was not deployed"),
    "first deploy": (Company(previous=None), "its newest deploy is 1.1 (succeeded)"),
    "under way": (Company(state="running"), "its newest deploy is 1.1 (running)"),
    "newest is a rollback": (
        Company(latest="1.0", previous="1.1", earlier=({"version": "1.1", "previous": "1.0", "state": "succeeded"},)),
        "its newest deploy is 1.0 (succeeded)",
    ),
    "an old version is as bad": (Company(bad_version="0.9"), "a rollback would not help"),
    "rollback did not help": (Company(heals=False), "cicd.rollback was done but did not help"),
}


@pytest.mark.parametrize("alert", ALERTS.values())
@pytest.mark.parametrize("name", STOPS)
async def test_where_a_rollback_is_not_the_answer_a_person_is_called_with_the_facts(shipped, name, alert):
    company, text = STOPS[name]
    desk = Desk(replace(company))
    end = await finish(desk, shipped, incident(alert))
    assert not end.resolved
    assert text in f"{end.basis} {end.escalate}"
    assert end.escalate
    assert end.claims
    assert ("rollback" in desk.rows) == (name == "rollback did not help")


@pytest.mark.parametrize("alert", ALERTS.values())
async def test_an_alert_without_trouble_is_looked_at_for_a_while_and_nothing_is_changed(shipped, alert):
    desk = Desk(Company(well_from=0))
    end = await finish(desk, shipped, incident(alert))
    assert end.resolved
    assert end.summary.startswith("No service failed or was slow")
    assert {row.action for _, row in desk.rows.values()} == {"metrics.query"}
    assert desk.time - START >= 20_000


PAGES = sorted(name for name, page in Index.load([SHIPPED]).runbooks.items() if page.alerts)
EMPTY: Mapping[str, Any] = {
    "metrics": {"query": "q", "series": [], "value": None, "count": 0, "start": 0.0, "end": 1.0, "step_seconds": 5},
    "cicd": {"builds": [], "deploys": [], "latest": None, "count": 0},
    "kubernetes": {"workloads": [], "events": [], "count": 0, "hidden": 0, "warnings": 0, "unwell": 0},
    "inventory": {"name": "gateway", "owner": ""},
    "changes": {"services": [], "minutes": 60, "until": START, "changes": [], "latest": None, "count": 0},
}


async def all_fail(action: str, args: Mapping[str, Any], at: int):
    return failed("the server does not answer")


async def all_empty(action: str, args: Mapping[str, Any], at: int):
    return done({**EMPTY[action.partition(".")[0]]})


@pytest.mark.parametrize("world", [all_fail, all_empty])
@pytest.mark.parametrize("page", PAGES)
async def test_what_cannot_be_seen_is_never_called_resolved(shipped, page, world):
    seen = incident(shipped.runbooks[page].alerts[0])
    seen["alerts"][0]["labels"] |= {"pipeline": "ci", "queue_name": "mails", "namespace": "shop", "pod": "checkout-1"}
    desk = Desk(world, tools=EVERY_TOOL)
    end = await finish(desk, shipped, seen)
    assert not end.resolved, end
    assert end.escalate
    assert {ACTIONS[row.action].risk.value for _, row in desk.rows.values()} == {"read"}


class TwoTroubles:
    """Search and checkout have a bad release each, and gateway calls both; a rollback cures each by itself."""

    def __init__(self) -> None:
        self.sick = {"search", "checkout"}
        self.rolled_back: list[str] = []

    async def __call__(self, action: str, args: Mapping[str, Any], at: int):
        if action == "cicd.rollback":
            self.sick.discard(args["service"])
            self.rolled_back.append(args["service"])
            return done({"service": args["service"], "version": args["to"], "previous": "1.1"}, verified=True)
        if action == "cicd.recent_deploys":
            deploy = {"service": args["service"], "version": "1.1", "previous": "1.0", "state": "succeeded"}
            deploy |= {"at": START - 60_000, "build": "7", "by": "ann", "change": "New pool"}
            return done({"service": args["service"], "deploys": [deploy], "latest": deploy})
        name, _, rest = args["query"].partition("{")
        if "latency" in name:
            values = {(service, ""): 0.01 for service in ("search", "checkout", "gateway")}
        elif name.startswith("version:"):
            service = rest.split("'")[1]
            values = {(service, "1.1"): 0.5 * (service in self.sick), (service, "1.0"): 0.0}
        else:
            values = {("search", ""): 0.6 * ("search" in self.sick), ("checkout", ""): 0.5 * ("checkout" in self.sick)}
            values["gateway", ""] = 0.2 * len(self.sick) if "own" not in name else 0.0
        series = [
            {"labels": {"service": s} | ({"version": v} if v else {}), "value": x, "at": at / 1000}
            for (s, v), x in values.items()
        ]
        return done({"query": args["query"], "series": series, "value": None, "count": len(series)})


@pytest.mark.parametrize("alert", ALERTS.values())
async def test_what_keeps_a_service_of_the_incident_down_after_the_rollback_is_found_though_it_joined_later(
    shipped, alert
):
    company = TwoTroubles()
    end = await finish(Desk(company), shipped, incident(alert, services=("search", "gateway")))
    assert end.resolved, end
    assert company.rolled_back == ["search", "checkout"]


async def test_killed_at_any_point_the_run_makes_the_same_calls_and_comes_to_the_same_end(shipped):
    def company():
        return Desk(Company("checkout", "errors"), approved=False)

    whole = company()
    expected = await finish(whole, shipped, incident("ServiceErrorRatioHigh"))
    assert whole.points > 15
    for point in range(1, whole.points + 1):
        desk = company()
        desk.crash_at = frozenset({point})
        end = await finish(desk, shipped, incident("ServiceErrorRatioHigh"))
        assert list(desk.rows) == list(whole.rows)
        assert [digest for digest, _ in desk.rows.values()] == [digest for digest, _ in whole.rows.values()]
        assert end == expected
        assert desk.said == whole.said
