"""What goes on around a change that no plugin knows: the open incidents of the service it is made to."""

from __future__ import annotations

from sqlalchemy import Connection

from sysop.store import incidents

_SERVICE = "service:"
_MOST = 5


def open_incidents(conn: Connection, target: str) -> tuple[str, ...]:
    """Return one line for each open incident of a target that is a service, newest first.

    Their titles stay out: alerts write them, and these lines stand on a card that people approve.
    """
    service = target.removeprefix(_SERVICE)
    if service == target:
        return ()
    mine = [one for one in reversed(incidents.open_heads(conn)) if service in one.services]
    lines = [f"incident {one.id} ({one.severity}, {one.state}) is open on {service}" for one in mine[:_MOST]]
    return (*lines, *([f"… {len(mine) - _MOST} more incidents are open on it"] if len(mine) > _MOST else []))
