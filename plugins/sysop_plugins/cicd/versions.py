"""What a service's history of deploys says: which version to go back to, and what that takes back."""

from __future__ import annotations

from datetime import UTC, datetime

from sysop.api import ActionFailed
from sysop_plugins.cicd.provider import Deploy


def rollback_to(service: str, to: str | None, history: tuple[Deploy, ...]) -> str:
    """Return the version to go back to. A version taken back by an earlier rollback is not offered again."""
    if not history:
        raise ActionFailed(
            f"service: no successful deploy of {service} is on record, so there is nothing to go back to"
        )
    live = history[-1].version
    if to is None:
        known = released(history)
        if len(known) < 2:
            raise ActionFailed(f"service: {service} has no version before {live}; name one with `to`, or deploy a fix")
        return known[-2]
    if to == live:
        raise ActionFailed(f"to: {to} is already the live version of {service}")
    if to not in {d.version for d in history}:
        known_ones = ", ".join(dict.fromkeys(d.version for d in reversed(history)))
        raise ActionFailed(
            f"to: {service} {to} was never deployed; there were: {known_ones}; for a new one use cicd.deploy"
        )
    return to


def released(history: tuple[Deploy, ...]) -> list[str]:
    """Return the versions up to the live one; going back to a version drops all that came after it."""
    found: list[str] = []
    for deployed in history:
        if deployed.version in found:
            del found[found.index(deployed.version) + 1 :]
        else:
            found.append(deployed.version)
    return found


def since(history: tuple[Deploy, ...], version: str) -> tuple[Deploy, ...]:
    """Return the deploys after the version was last brought live."""
    last = max(i for i, d in enumerate(history) if d.version == version)
    return history[last + 1 :]


def told(deploy: Deploy) -> str:
    """Return one line on a deploy, with an absolute time: the text is part of what is approved."""
    text = f"{deploy.version} ({clock(deploy.at)}, by {deploy.by})"
    return f"{text}: {deploy.change}" if deploy.change else text


def clock(at: int) -> str:
    """Return a time in words that mean the same tomorrow."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
