"""What a run wrote: of the jobs that failed, else of the last one, with what GitHub itself points out first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sysop.api import ActionFailed
from sysop_plugins.cicd.github.api import Api
from sysop_plugins.cicd.github.ids import RunId
from sysop_plugins.cicd.github.replies import Annotation, Job
from sysop_plugins.cicd.local.log import LOG_BYTES

MOST_JOBS = 3
_STAMP = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
_BAD = ("failure", "timed_out", "startup_failure", "cancelled")


async def log_of(api: Api, id: RunId, lines: int) -> str:
    """Return the last lines, at most 64 KiB."""
    jobs = await api.jobs(id)
    shown = [job for job in jobs if job.conclusion in _BAD][:MOST_JOBS] or list(jobs[-1:])
    parts = [_overview(jobs), *[await _job(api, id.repository, job) for job in shown]]
    last = "\n".join("\n".join(parts).rstrip("\n").split("\n")[-lines:])
    return last.encode()[-LOG_BYTES:].decode("utf-8", "ignore")


def _overview(jobs: Sequence[Job]) -> str:
    return "\n".join(f"job {job.name}: {job.conclusion or 'not ended'}" for job in jobs)


async def _job(api: Api, repository: str, job: Job) -> str:
    steps = [f"step {step.number} {step.name}: {step.conclusion}" for step in job.steps if step.conclusion in _BAD]
    told = [_line(one) for one in await api.annotations(repository, job.id)]
    try:
        log = _STAMP.sub("", await api.log(repository, job.id)).rstrip("\n")
    except ActionFailed as unread:
        log = f"(the log itself is not shown: {unread})"
    return "\n".join([f"== job {job.name}", *steps, log, *told])


def _line(one: Annotation) -> str:
    where = f"{one.path}:{one.start_line}: " if one.path and one.start_line else ""
    return f"##[{one.annotation_level or 'notice'}] {where}{one.title or ''} {one.message or ''}".rstrip()
