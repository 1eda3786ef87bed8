"""What a process that must answer within milliseconds tells the interpreter."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""So many new objects before a collection of young ones, where CPython waits for 700."""


def stay_responsive() -> None:
    """Call once all parts are loaded: what is there now lives as long as the process, and is not looked through again.

    With Slack that is some 150,000 objects; to look through them took 70 to 100 ms, in the middle of a burst.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
