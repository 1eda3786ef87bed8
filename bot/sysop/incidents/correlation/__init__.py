"""Online correlation of alerts: pure, without input or output, on the standard library alone."""

from sysop.incidents.correlation.engine import Correlator
from sysop.incidents.correlation.knobs import Knobs
from sysop.incidents.correlation.model import Correction, Grounds, Occurrence, Origin, Placement, Reason
from sysop.incidents.correlation.topology import Topology

__all__ = ["Correction", "Correlator", "Grounds", "Knobs", "Occurrence", "Origin", "Placement", "Reason", "Topology"]
