"""What the servers of this machine that stand in for vendors share: HTTP, pages, refusals and faults."""

from sysop.testing.wire.faults import Fault
from sysop.testing.wire.proxy import Proxy
from sysop.testing.wire.script import START, Clock, Outcome, Progress, iso
from sysop.testing.wire.served import Refused, Reply, Served, StandIn, send

__all__ = [
    "START",
    "Clock",
    "Fault",
    "Outcome",
    "Progress",
    "Proxy",
    "Refused",
    "Reply",
    "Served",
    "StandIn",
    "iso",
    "send",
]
