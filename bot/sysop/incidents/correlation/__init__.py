"""Online correlation of alerts: pure, without input or output, on the standard library alone."""

from sysop.incidents.correlation.engine import Correlator
from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.learnt import Firing, learn
from sysop.incidents.correlation.model import (
    Changed,
    Correction,
    Grounds,
    Learnt,
    Occurrence,
    Origin,
    Placement,
    Reason,
)
from sysop.incidents.correlation.topology import Topology

__all__ = [
    "Changed",
    "Correction",
    "Correlator",
    "Firing",
    "Grounds",
    "Knobs",
    "Learnt",
    "Occurrence",
    "Origin",
    "Placement",
    "Reason",
    "Topology",
    "learn",
]
