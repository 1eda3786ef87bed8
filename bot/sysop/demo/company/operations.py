"""What the company's pipelines do besides deploying: configuration, files, certificates and checks."""

from __future__ import annotations

from typing import Any

from sysop.demo.company import wire
from sysop.demo.company.estate import CERTIFICATE_DAYS, DAY, Estate
from sysop.demo.company.replica import command
from sysop.demo.company.supervisor import Company

ANSWER_SECONDS = 10.0


class UnknownService(Exception):
    """There is no such service; the text lists those there are."""


def estate(company: Company, service: str) -> Estate:
    """Return what a service has, or raise UnknownService."""
    if service not in company.estates:
        raise UnknownService(f"there is no service {service!r}; the services are {', '.join(company.services)}")
    return company.estates[service]


def configure(company: Company, service: str, revision: str, by: str) -> list[str]:
    """Bring a configuration revision live; a service keeps the one before when it rejects it.

    Raises UnknownService or UnknownRevision.
    """
    configuration = estate(company, service).configuration
    wanted, before = configuration.find(revision), configuration.live
    if before == revision:
        return [f"{service} has revision {revision} already; nothing to do"]
    configuration.live = revision
    workload = company.workloads[service]
    workload.tell(command(configuration=revision, valid=wanted.valid))
    if wanted.valid:
        workload.afflict("configuration", wanted.fault)
    company.changes.note("config", service, before, revision, by)
    return [f"{service} was told to take revision {revision}, was {before}"]


def clean_up(company: Company, service: str, by: str) -> list[str]:
    """Remove the old files of a service. Raises UnknownService."""
    disk = estate(company, service).disk
    before = disk.used
    freed = disk.clean_up()
    company.changes.note("cleanup", service, f"{before:.0%}", f"{disk.used:.0%}", by)
    return [f"removed {freed} bytes of old files of {service}; {before:.0%} were used, now {disk.used:.0%}"]


def renew_certificate(company: Company, service: str, by: str) -> list[str]:
    """Put a new certificate in place. Raises UnknownService."""
    held = estate(company, service)
    before = held.certificate_seconds / DAY
    held.certify(CERTIFICATE_DAYS)
    company.changes.note("certificate", service, f"{before:.0f}", f"{CERTIFICATE_DAYS:.0f}", by)
    return [f"the certificate of {service} was good for {before:.0f} days, the new one is for {CERTIFICATE_DAYS:.0f}"]


async def check(company: Company, service: str, build: str, by: str) -> dict[str, Any]:
    """Run the checks of a service; return how each went. Raises UnknownService."""
    checks = estate(company, service).checks
    before = checks.result or ""
    tests = checks.run(await _answers(company, service), build)
    company.changes.note("checks", service, before, checks.result or "", by)
    told = [{"name": test.name, "passed": test.passed, "said": list(test.said)} for test in tests]
    return {"passed": checks.result == "passed", "tests": told}


async def _answers(company: Company, service: str) -> bool:
    url = f"{company.url(service)}{company.services[service].path}?alone"
    try:
        return (await wire.fetch(url, timeout=ANSWER_SECONDS)).ok
    except OSError:
        return False
