"""What a process that must answer within milliseconds tells the interpreter."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""So many new objects are one collection's worth; CPython's 700 interrupt a burst of deliveries all the time."""


def stay_responsive() -> None:
    """Call once all parts are loaded: what is there now lives as long as the process, and is not looked through again.

    A full collection looked through some 400,000 objects of imported code, for 70 to 100 ms, in the middle of a burst.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
