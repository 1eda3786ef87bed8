"""Block Kit's limits as code: what Slack would refuse is found before it is sent. Standard library only."""

from sysop.blockkit.limits import Surface
from sysop.blockkit.payload import advise_message, check_chunks, check_message, check_view
from sysop.blockkit.problem import Problem
from sysop.blockkit.rich_text import has_rich_text
from sysop.blockkit.whole import check_blocks

__all__ = [
    "Problem",
    "Surface",
    "advise_message",
    "check_blocks",
    "check_chunks",
    "check_message",
    "check_view",
    "has_rich_text",
]
