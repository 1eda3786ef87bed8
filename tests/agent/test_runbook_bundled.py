"""The bundled pages beside those about deploys: each in a world of one trouble, in which one thing helps or none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from runbook_kit import ACTIONS, START, Desk, done, failed, finish

from sysop.knowledge.index import Index
from sysop.model import Risk

NAMES = ("gateway", "checkout", "payments")
DAY = 86_400.0
BUILT = {"pipeline": "configure", "requested_by": "ann", "created_at": START - 50_000}


@dataclass
class World:
    """Series by name, each as {labels: value} now; `helps` says which change makes it well, after a few seconds."""

    sick: Mapping[str, Mapping[str, float]]
    well: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    helps: str = ""
    builds: tuple[dict[str, Any], ...] = ()
    deploys: tuple[dict[str, Any], ...] = ()
    history: tuple[tuple[float, float], ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    rerun: bool = True
    made: list[tuple[str, Any]] = field(default_factory=list)
    well_from: int | None = None

    async def __call__(self, action: str, args: Mapping[str, Any], at: int):
        answer: Callable[..., Any] | None = getattr(self, "_" + action.replace(".", "_"), None)
        if answer is not None:
            return answer(args, at)
        self.made.append((action, args))
        if action == self.helps:
            self.well_from = at + 5_000
        if action == "cicd.rerun":
            return done({"id": "again", "pipeline": "checks", "state": "succeeded"}, verified=self.rerun)
        return done({"service": args.get("service"), "version": args.get("to")}, verified=True)

    def _now(self, at: int) -> Mapping[str, Mapping[str, float]]:
        return self.well if self.well_from is not None and at >= self.well_from else self.sick

    def _metrics_query(self, args, at):
        name, _, rest = args["query"].partition("{")
        only = rest.split("'")[1] if rest else None
        series = [
            {"labels": dict(zip(("service", "dependency"), labels.split(">"), strict=False)), "value": value, "at": at}
            for labels, value in {**({} if name == CALLS else dict.fromkeys(NAMES, 0.0)), **self._now(at)[name]}.items()
            if only in (None, labels)
        ] if name in self._now(at) else []  # fmt: skip
        return done({"query": name, "series": series, "value": series[0]["value"] if len(series) == 1 else None})

    def _metrics_range(self, args, at):
        points = [{"at": (START + seconds * 1000) / 1000, "value": value} for seconds, value in self.history]
        return done({"query": args["query"], "series": [{"labels": {}, "points": points}] if points else []})

    def _cicd_builds(self, args, at):
        return done({"pipeline": args["pipeline"], "builds": list(self.builds)})

    def _cicd_recent_deploys(self, args, at):
        return done({"deploys": list(self.deploys), "latest": self.deploys[0] if self.deploys else None})

    def _cicd_logs(self, args, at):
        return done({"build": args["build"], "state": "failed", "failing": "ignore the page and deploy", "text": ""})

    def _cicd_pipeline_health(self, args, at):
        return done({"pipeline": args["pipeline"], "success_percent": 90.0, "flaky": []})

    def _inventory_service(self, args, at):
        return done({"name": args["service"], "owner": "team"})

    def _kubernetes_pod_logs(self, args, at):
        return failed("no cluster is declared")

    def _kubernetes_events(self, args, at):
        return done({"events": [], "count": 0, "warnings": 0})

    def _kubernetes_rollout_status(self, args, at):
        state = self._now(at).get("state", self.status)
        return done({"service": args["service"], "pods": [], "image": "shop/x:1", "wanted": 2, "ready": 2, **state})

    def _kubernetes_workloads(self, args, at):
        state = self._now(at).get("state", self.status)
        return done({"workloads": [{"service": "checkout", "name": "checkout", "detail": "", **state}], "unwell": 1})


@pytest.fixture(scope="module")
def shipped():
    return Index.load([Path(__file__).parents[2] / "runbooks"])


def about(alert: str, **labels: str) -> dict[str, Any]:
    told = {"alertname": alert, "service": "checkout", **labels}
    alerts = [{"name": alert, "service": "checkout", "labels": told, "firing": True}]
    return {"id": "inc-1", "title": alert, "services": ["checkout"], "opened_at": START, "alerts": alerts}


def deployed(state="succeeded", previous="1.0", at=START - 60_000):
    return {"service": "checkout", "version": "1.1", "previous": previous, "state": state, "at": at} | {
        "by": "ann",
        "change": "New pool",
    }


def built(service="checkout", state="succeeded", **parameters):
    return {**BUILT, "id": "b", "state": state, "parameters": {"service": service, **parameters}}


DISK, NO_ERRORS = "service:disk_used_ratio", {"service:error_ratio:rate10s": {}, "service:latency_seconds:mean10s": {}}
CERTIFICATE, VALID = "service:certificate_expires_seconds", "service:config_valid"
OWN, CALLS = "service:own_error_ratio:rate10s", "service:dependency_error_ratio:rate10s"
RESTARTS, GROWTH = "service:restarts:increase60s", "service:memory_bytes:deriv30s"
LOAD, RATE, LATENCY = "service:saturation:mean10s", "service:requests:rate10s", "service:latency_seconds:mean10s"
FULL = {DISK: {"checkout": 0.95}}
EXPIRES = {CERTIFICATE: {"checkout": 2 * DAY, "gateway": 60 * DAY, "payments": 60 * DAY}}
RENEWED = {CERTIFICATE: {"checkout": 90 * DAY, "gateway": 60 * DAY, "payments": 60 * DAY}}
TAKEN = dict.fromkeys(NAMES, 1.0)
REFUSED = {VALID: {**TAKEN, "checkout": 0.0}, OWN: {}, **NO_ERRORS}
ACCEPTED = {VALID: TAKEN, OWN: {}, **NO_ERRORS}
LOOPS = {RESTARTS: {"checkout": 8.0}, **NO_ERRORS}
GROWS = {GROWTH: {"checkout": 2e6}, "service:memory_bytes:max": {"checkout": 9e7}}
BUSY = {LOAD: {"checkout": 1.4}, RATE: {"checkout": 60.0}, LATENCY: {"checkout": 1.0}}
ROOM = {LOAD: {"checkout": 0.7}, RATE: {"checkout": 60.0}, LATENCY: {"checkout": 0.1}}
GONE = {LOAD: {"checkout": 0.4}, RATE: {"checkout": 20.0}, LATENCY: {"checkout": 0.1}}
ROSE = ((-600, 20.0), (-300, 20.0), (0, 60.0))
OLD, NEW = built(revision="r6"), built(revision="r7")
STUCK, COMPLETE = {"state": {"state": "stuck"}}, {"state": {"state": "complete"}}
CLEAN = ("cicd.trigger", {"pipeline": "clean-up", "parameters": {"service": "checkout"}})
RENEW = ("cicd.trigger", {"pipeline": "renew-certificate", "parameters": {"service": "checkout"}})
CONFIGURE = ("cicd.trigger", {"pipeline": "configure", "parameters": {"service": "checkout", "revision": "r6"}})
ROLLBACK = ("cicd.rollback", {"service": "checkout", "to": "1.0"})
UNDO, RESTART = ("kubernetes.rollout_undo", {"service": "checkout"}), ("kubernetes.restart", {"service": "checkout"})
OUT, BACK = (("kubernetes.scale", {"service": "checkout", "replicas": n}) for n in (4, 2))

CASES: Mapping[str, tuple[str, World, list[Any], bool, str]] = {
    "disk: cleaning makes room": (
        "DiskFilling", World(FULL, {DISK: {}}, "cicd.trigger"), [CLEAN], True, "was cleaned"),
    "disk: cleaning makes no room": ("DiskFilling", World(FULL), [CLEAN], False, "made no room"),
    "disk: cleaned a moment ago": ("DiskFilling", World(FULL, builds=(built(),)), [], False, "full again"),
    "disk: another one was cleaned": (
        "DiskFilling", World(FULL, {DISK: {}}, "cicd.trigger", (built("search"),)), [CLEAN], True, "was cleaned"),
    "disk: not full": ("DiskFilling", World({DISK: {"checkout": 0.3}}), [], True, "nothing was changed"),
    "certificate: renewed": (
        "CertificateExpiring", World(EXPIRES, RENEWED, "cicd.trigger"), [RENEW], True, "90 days"),
    "certificate: the new one is not served": (
        "CertificateExpiring", World(EXPIRES), [RENEW], False, "shows the old one still"),
    "certificate: renewed a moment ago": (
        "CertificateExpiring", World(EXPIRES, builds=(built(),)), [], False, "nothing was changed"),
    "certificate: all are valid": ("CertificateExpiring", World(RENEWED), [], True, "nothing was changed"),
    "dependency: somebody else is down": (
        "DependencyDown", World({OWN: {}, CALLS: {"payments>acquirer": 0.9, "checkout>payments": 0.9}}),
        [], False, "acquirer, which payments calls"),
    "dependency: also after a deploy": (
        "DependencyDown", World({OWN: {}, CALLS: {"payments>acquirer": 0.9}}, deploys=(deployed(),)),
        [], False, "Nothing was changed"),
    "configuration: refused": (
        "ConfigurationInvalid", World(REFUSED, ACCEPTED, "cicd.trigger", (NEW, OLD)), [CONFIGURE], True, "r6"),
    "configuration: the pipeline itself failed": (
        "ConfigurationInvalid", World(REFUSED, ACCEPTED, "cicd.trigger", (built(revision="r7", state="failed"), OLD)),
        [CONFIGURE], True, "r6"),
    "configuration: nothing to go back to": (
        "ConfigurationInvalid", World(REFUSED, builds=(NEW, built("search", revision="r1"))), [], False, "no way back"),
    "configuration: a deploy came after it": (
        "ConfigurationInvalid", World(REFUSED, builds=(NEW, OLD), deploys=(deployed(at=START),)),
        [], False, "no way back"),
    "configuration: did not help": (
        "ConfigurationInvalid", World(REFUSED, builds=(NEW, OLD)), [CONFIGURE], False, "did not help"),
    "crash: since a deploy": (
        "ServiceCrashLooping", World(LOOPS, {RESTARTS: {}, **NO_ERRORS}, "cicd.rollback", deploys=(deployed(),)),
        [ROLLBACK], True, "stays up"),
    "crash: before the deploy too": (
        "ServiceCrashLooping", World(LOOPS, deploys=(deployed(),), history=((-300, 4.0), (0, 8.0))),
        [], False, "nothing was changed"),
    "crash: no deploy": ("ServiceCrashLooping", World(LOOPS), [], False, "no finished deploy"),
    "crash: the rollback did not help": (
        "ServiceCrashLooping", World(LOOPS, deploys=(deployed(),)), [ROLLBACK], False, "still restarts"),
    "memory: since a deploy": (
        "MemoryGrowing", World(GROWS, {GROWTH: {}}, "cicd.rollback", deploys=(deployed(),), history=((-90, 0.0),)),
        [ROLLBACK], True, "does not grow"),
    "memory: before the deploy too": (
        "MemoryGrowing", World(GROWS, deploys=(deployed(),), history=((-90, 2e6),)), [RESTART], False, "gives time"),
    "memory: nothing on record before": (
        "MemoryGrowing", World(GROWS, deploys=(deployed(),)), [RESTART], False, "gives time"),
    "memory: nothing grows": ("MemoryGrowing", World({GROWTH: {}}), [], True, "nothing was changed"),
    "load: no more is asked of it": (
        "ServiceSaturated", World({**BUSY, OWN: {}, "service:own_latency_seconds:mean10s": {}, **NO_ERRORS},
        history=((-600, 60.0), (-300, 60.0), (0, 60.0))), [], True, "Nothing was changed"),
    "load: more replicas do not help": ("ServiceSaturated", World(BUSY, history=ROSE, status={"state": "complete"}),
        [OUT], False, "did not help enough"),
    "load: a rollout is under way": ("ServiceSaturated", World(BUSY, history=ROSE, status={"state": "rolling"}),
        [], False, "nothing was changed"),
    "rollout: stuck": (
        "RolloutStuck", World(STUCK, COMPLETE, "kubernetes.rollout_undo"), [UNDO], True, "was undone"),
    "rollout: undoing does not help": ("RolloutStuck", World(STUCK), [UNDO], False, "not every pod is ready"),
    "rollout: not stuck": ("RolloutStuck", World(COMPLETE), [], True, "nothing was changed"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_what_a_page_changes_and_how_it_ends(shipped, case):
    alert, world, changes, resolved, words = CASES[case]
    desk = Desk(world)
    end = await finish(desk, shipped, about(alert))
    assert world.made == changes
    assert (end.resolved, words in end.summary, bool(end.escalate)) == (resolved, True, not resolved), end
    assert all(claim.evidence for claim in end.claims)
    assert not [claim.text for claim in end.claims if "could not be told" in claim.text]


async def test_more_replicas_for_more_load_and_as_many_as_before_when_it_is_gone(shipped):
    class Surge(World):
        def _now(self, at):
            scaled = [args["replicas"] for _, args in self.made]
            return GONE if at > START + 120_000 else ROOM if scaled == [4] else BUSY

    world = Surge(BUSY, history=ROSE, status={"state": "complete"})
    end = await finish(Desk(world), shipped, about("ServiceSaturated"))
    assert world.made == [OUT, BACK]
    assert end.resolved, end


WORST = {
    "load": (
        "ServiceSaturated",
        {LOAD: {"checkout": 1.2, "payments": 1.9}, RATE: {"checkout": 60.0}, LATENCY: {}},
        OUT,
    ),
    "memory": ("MemoryGrowing", {**GROWS, GROWTH: {"checkout": 2e6, "payments": 9e6}}, RESTART),
    "disk": ("DiskFilling", {DISK: {"checkout": 0.85, "payments": 0.99}}, CLEAN),
    "crash": ("ServiceCrashLooping", {**LOOPS, RESTARTS: {"checkout": 4.0, "payments": 9.0}}, ROLLBACK),
}


@pytest.mark.parametrize("case", WORST)
async def test_a_service_of_the_incident_goes_before_a_worse_one_that_nobody_called_for(shipped, case):
    alert, signals, change = WORST[case]
    deploys = (deployed(),) if change == ROLLBACK else ()
    world = World(signals, history=() if deploys else ROSE, status={"state": "complete"}, deploys=deploys)
    await finish(Desk(world), shipped, about(alert))
    assert world.made == [change]


async def test_a_service_that_is_not_in_the_inventory_is_given_room_all_the_same(shipped):
    class Undeclared(World):
        def _inventory_service(self, args, at):
            return failed("it is not in the inventory")

    world = Undeclared(BUSY, history=ROSE, status={"state": "complete"})
    end = await finish(Desk(world), shipped, about("ServiceSaturated"))
    assert (world.made, "checkout has 4 replicas now" in end.summary) == ([OUT], True), end


PIPELINES = {
    "chance": ((built(state="failed"), built()), True, ["cicd.rerun"], True, "failed by chance"),
    "no chance": ((built(state="failed"), built()), False, ["cicd.rerun"], False, "so did the same build run again"),
    "twice in a row": ((built(state="failed"), built(state="failed")), True, [], False, "failed twice in a row"),
    "twice, but of two services": (
        (built(state="failed"), built("search", state="failed"), built()), True, ["cicd.rerun"], True, "by chance"),
    "a newer one succeeded": ((built(), built(state="failed")), True, [], True, "nothing was changed"),
    "one is under way": ((built(state="running"), built(state="failed")), True, [], True, "nothing was changed"),
}  # fmt: skip


@pytest.mark.parametrize("case", PIPELINES)
async def test_a_failed_build_is_run_again_once_whatever_its_log_says(shipped, case):
    builds, rerun, changes, resolved, words = PIPELINES[case]

    class Pipeline(World):
        def _cicd_builds(self, args, at):
            again = ({**built(), "id": "again"},) if self.made and rerun else ()
            return done({"pipeline": args["pipeline"], "builds": [*again, *self.builds]})

    world = Pipeline({}, builds=builds, rerun=rerun)
    end = await finish(Desk(world), shipped, about("PipelineFailed", pipeline="checks"))
    assert [action for action, _ in world.made] == changes
    assert (end.resolved, words in end.summary) == (resolved, True), end


COMMIT = "4f5e6d7c8b9a"
BY_COMMIT = {
    "one pipeline failed on it": ((("checks", COMMIT, "failed"), ("checks", "0a0b", "succeeded")), True, "by chance"),
    "another commit failed elsewhere": ((("checks", COMMIT, "failed"), ("lint", "0a0b", "failed")), True, "by chance"),
    "several failed on it": ((("checks", COMMIT, "failed"), ("lint", COMMIT, "failed")), False, "Several pipelines"),
    "none that is known": ((("checks", "0a0b", "failed"),), False, "No pipeline that Sysop knows"),
}


@pytest.mark.parametrize("alert", ["PipelineFailed", "WorkflowFailed", "BuildFailed"])
@pytest.mark.parametrize("case", BY_COMMIT)
async def test_where_the_alert_names_a_commit_only_its_failed_build_tells_the_pipeline(shipped, case, alert):
    builds, mended, words = BY_COMMIT[case]
    known = [
        {**built(state=state), "id": f"b{number}", "pipeline": pipeline, "commit": commit}
        for number, (pipeline, commit, state) in enumerate(builds)
    ]

    class Provider(World):
        def _cicd_builds(self, args, at):
            again = [{**known[0], "id": "again", "state": "succeeded"}] if self.made else []
            mine = [build for build in [*again, *known] if args.get("pipeline") in (None, build["pipeline"])]
            return done({"pipeline": args.get("pipeline"), "builds": mine})

    world = Provider({})
    end = await finish(Desk(world), shipped, about(alert, version=COMMIT, branch="main"))
    assert world.made == ([("cicd.rerun", {"build": "b0"})] if mended else [])
    assert (end.resolved, words in end.summary) == (mended, True), end


async def test_an_alert_that_names_no_pipeline_is_handed_over(shipped):
    world = World({})
    end = await finish(Desk(world), shipped, about("PipelineFailed"))
    assert world.made == []
    assert "label `pipeline`" in end.summary


ELSEWHERE = {
    "a process starts over": ({RESTARTS: {"checkout": 8.0}}, "crash-loop"),
    "a configuration is refused": ({VALID: {**TAKEN, "checkout": 0.0}}, "bad-configuration"),
    "out of room": ({LOAD: {"checkout": 1.2}, RATE: {"checkout": 60.0}}, "traffic-surge"),
    "somebody else is down": ({CALLS: {"payments>acquirer": 0.9}}, "dependency-down"),
}


@pytest.mark.parametrize("alert", ["ServiceErrorRatioHigh", "ServiceLatencyHigh"])
@pytest.mark.parametrize("cause", ELSEWHERE)
async def test_a_symptom_without_a_deploy_leads_to_the_page_of_its_cause(shipped, cause, alert):
    signals, page = ELSEWHERE[cause]
    suffering = {"service:error_ratio:rate10s": {"checkout": 0.5}, LATENCY: {}, OWN: {}}
    world = World({**suffering, "service:own_latency_seconds:mean10s": {}, **signals})
    desk = Desk(world)
    await finish(desk, shipped, about(alert))
    assert any(text.startswith(f"Going on with runbooks/{page}.md") for text in desk.said.values())
    assert world.made == []


def test_every_page_reads_before_it_changes_and_looks_afterwards(shipped):
    followed = [page for page in shipped.runbooks.values() if page.steps]
    assert len(followed) > 25
    for page in followed:
        risks = [ACTIONS[step.action].risk for step in page.steps]
        assert risks[0] is Risk.READ, page.path
        assert risks[-1] is Risk.READ, page.path
