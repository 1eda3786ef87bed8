"""What the company says of one of its services."""

from __future__ import annotations

import time
from typing import Any

from sysop.demo.company.estate import DAY, Estate
from sysop.demo.company.workload import Workload


def of_service(workload: Workload, estate: Estate, deployed_at: float) -> dict[str, Any]:
    """Return how a service fares and what it is like, as JSON values."""
    fares = workload.fares()
    memory = [replica.vitals.get("memory_bytes", 0.0) for replica in workload.replicas]
    return {
        "version": workload.live.version,
        "pid": pid(workload),
        "seconds_since_deploy": round(time.time() - deployed_at, 3),
        "replicas_wanted": workload.wanted,
        "replicas_ready": workload.ready,
        "restarts": workload.restarts,
        "config_revision": estate.configuration.live,
        "config_valid": estate.configuration.valid,
        "memory_bytes": int(max(memory, default=0)),
        "disk_used": round(estate.disk.used, 4),
        "certificate_days": round(estate.certificate_seconds / DAY, 3),
        "success_ratio": fares.success_ratio,
        "latency_seconds": fares.latency_seconds,
        "checks": estate.checks.result,
    }


def pid(workload: Workload) -> int | None:
    """Return the process of the first replica that is as all should be, None while there is none."""
    running = (one.child for one in workload.replicas if one.template == workload.template)
    return next((child.process.pid for child in running if child is not None), None)
