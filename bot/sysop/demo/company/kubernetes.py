"""The company's Kubernetes API: what its workloads look like from there, and what is changed there.

The pods are the replicas' real processes; the API server is the stand-in of the testing kit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from sysop.demo.company import releases
from sysop.demo.company.changes import Changes, Kind
from sysop.demo.company.illness import KILLED
from sysop.demo.company.releases import UnknownRelease
from sysop.demo.company.replica import Replica
from sysop.demo.company.supervisor import Company
from sysop.demo.company.topology import NAMESPACE
from sysop.demo.company.workload import Workload
from sysop.testing.kubernetes import ApiServer, Cluster, Pod, Rights, Rule, SpecChange

LOOK_SECONDS = 0.5
PROGRESS_SECONDS = 6
LINES_AT_ONCE = 500
USER = "deployer"

RULES = (
    Rule(("get", "list", "watch"), ("*",), (NAMESPACE, "")),
    Rule(("create",), ("selfsubjectaccessreviews",), ("*",)),
    Rule(("patch", "update"), ("deployments", "deployments/scale"), (NAMESPACE,)),
)
"""What the one token may do: look, and change Deployments."""

_KINDS: Mapping[str, Kind] = {"scale": "scale", "restart": "restart", "image": "deploy"}
_WAITING = ("CrashLoopBackOff", "OOMKilled", "Error")


class Face:
    """Shows a company as Deployments, and has it do what is asked of them."""

    def __init__(self, company: Company, token: str) -> None:
        self._company = company
        self._loop = asyncio.get_running_loop()
        company.onlooker = self
        self._read: dict[str, int] = {}
        self._told: dict[str, str] = {}
        self._cluster = Cluster()
        for name, workload in company.workloads.items():
            self._cluster.add_deployment(
                NAMESPACE,
                name,
                image(name, workload.live.version),
                managed=True,
                progress_deadline=PROGRESS_SECONDS,
            )
        self._cluster.on_change = self._changed
        self.server = ApiServer(self._cluster, {token: Rights(USER, RULES)})

    async def show(self) -> None:
        """Keep the cluster's picture true, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def deployed(self, service: str, version: str) -> None:
        """Take over a deploy that a pipeline ordered."""
        self._cluster.set_image(NAMESPACE, service, image(service, version), by="pipeline")

    def look(self) -> None:
        """Make the cluster's picture true now."""
        for name, workload in self._company.workloads.items():
            for replica in workload.replicas:
                self._say(replica)
            self._cluster.report(NAMESPACE, name, [_pod(name, one) for one in workload.replicas if not one.leaving])

    def _say(self, replica: Replica) -> None:
        """Pass on what a replica wrote, and what the kubelet would say of it beside the back-off."""
        for line in self._new_lines(replica):
            self._cluster.log(NAMESPACE, replica.name, line)
        state = f"{replica.reason} {replica.restarts}"
        if self._told.get(replica.name, " 0") == state:
            return
        self._told[replica.name] = state
        if replica.reason == "Unhealthy":
            said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
            self._cluster.event(NAMESPACE, "Pod", replica.name, "Unhealthy", said)
        elif replica.reason == "OOMKilled":
            said = f"Container was killed with exit code {KILLED}: out of memory"
            self._cluster.event(NAMESPACE, "Pod", replica.name, "OOMKilled", said)

    def _new_lines(self, replica: Replica) -> list[str]:
        path = self._company.options.folder / "logs" / f"{replica.name}.log"
        text, self._read[replica.name] = _after(path, self._read.get(replica.name, 0))
        return text.splitlines()[-LINES_AT_ONCE:]

    def _changed(self, change: SpecChange) -> None:
        """Hear of a change, in the thread of the request that asked for it."""
        if change.namespace == NAMESPACE and change.what in _KINDS:
            self._loop.call_soon_threadsafe(self._obey, change)

    def _obey(self, change: SpecChange) -> None:
        workload = self._company.workloads[change.name]
        try:
            _carry_out(self._company, workload, change)
        except UnknownRelease as unknown:
            self._cluster.event(
                NAMESPACE, "Deployment", change.name, "Failed", f"cannot pull {change.after}: {unknown}"
            )
            return
        _note(self._company.changes, change)
        self.look()


def image(name: str, version: str) -> str:
    """Return the image of a version of a service."""
    return f"shop/{name}:{version}"


def _carry_out(company: Company, workload: Workload, change: SpecChange) -> None:
    if change.what == "scale":
        workload.want(replicas=int(change.after))
    elif change.what == "restart":
        workload.restart()
    else:
        workload.release(releases.find(company.releases, change.name, change.after.rpartition(":")[2]))


def _note(changes: Changes, change: SpecChange) -> None:
    before, after = change.before, change.after
    if change.what == "image":
        before, after = before.rpartition(":")[2], after.rpartition(":")[2]
    changes.note(_KINDS[change.what], change.name, before, after, f"{change.by} ({change.field_manager})")


def _pod(name: str, replica: Replica) -> Pod:
    vitals = replica.vitals
    return Pod(
        name=replica.name,
        image=image(name, replica.template.release.version),
        ready=replica.ready,
        restarts=replica.restarts,
        phase="Running" if replica.child or replica.restarts else "Pending",
        reason=replica.reason if replica.reason in _WAITING else "",
        memory_bytes=int(vitals.get("memory_bytes", 0)),
        started_at=replica.started_at,
    )


def _after(path: Path, offset: int) -> tuple[str, int]:
    """Return the whole lines of a file after an offset, and the offset after them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            found = file.read()
    except FileNotFoundError:
        return "", offset
    whole = found[: found.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), offset + len(whole)
