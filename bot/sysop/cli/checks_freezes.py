"""What `sysop doctor` says of freezes: which holds now, and which can hold for nothing since a name in it is wrong."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

from sysop.app import App
from sysop.cli.found import Found
from sysop.gate import freeze as freezing
from sysop.policy_sections import Freeze


def freezes(app: App) -> Iterator[Found]:
    """Yield a line for each freeze that holds, and one for each that names what there is not."""
    now = time.time_ns() // 1_000_000
    for freeze in app.policy.freezes:
        if wrong := list(_unknown(freeze, app)):
            fix = "correct the names; what a freeze does not name goes on while it holds"
            yield Found("freeze", "failed", f"freeze {freeze.name!r} names {'; '.join(wrong)}", fix)
        elif freezing.holds(freeze, now):
            yield Found("freeze", "note", freezing.words(freeze, now), "see: sysop policy show")


def _unknown(freeze: Freeze, app: App) -> Iterator[str]:
    """Yield the names that are none. A pattern may be meant for what comes later."""
    inventory, actions = app.contexts.inventory, app.host.actions
    known: Mapping[str, Collection[str]] = {
        "service": inventory.domain("service"),
        "environment": inventory.domain("environment"),
        "action": actions,
    }
    for key, names in known.items():
        wanted = getattr(freeze, key)
        strange = [one for one in wanted if names and one not in names and not set(one) & set("*?[")]
        if strange:
            yield f"{key} {', '.join(strange)}, which is none of the {len(names)} there are"
