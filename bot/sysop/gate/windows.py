"""Recurring time windows, by the clock on the wall."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sysop.policy_sections import DAYS, Window


def in_window(window: Window, now: int) -> bool:
    """Tell whether a time lies in a recurring window; a window over midnight belongs to the day it begins."""
    local = datetime.fromtimestamp(now / 1000, ZoneInfo(window.timezone))
    clock = local.time().replace(tzinfo=None)
    today = DAYS[local.weekday()] in window.days
    yesterday = DAYS[(local - timedelta(days=1)).weekday()] in window.days
    if window.start < window.end:
        return today and window.start <= clock < window.end
    return (today and clock >= window.start) or (yesterday and clock < window.end)
