"""What `sysop doctor` says of watches: each is tried, from here."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from sysop.app import App
from sysop.cli.found import Found
from sysop.watches.sight import sights
from sysop.watches.sources import Sources


async def watches(app: App) -> AsyncIterator[Found]:
    """Yield a line for every watch that cannot look, or sees nothing, and one for all others together."""
    settings = app.settings.watches
    found = await sights(settings, Sources(app.host, app.contexts), app.settings.state, time.time())
    for one in found:
        if not one.ok:
            yield Found("watches", "note" if one.ok is None else "failed", f"{one.name}: {one.words}", one.fix)
    if well := [one.name for one in found if one.ok]:
        yield Found("watches", "ok", f"{', '.join(well)} can look")
