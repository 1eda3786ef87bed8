"""A stand-in for Argo CD's API server: applications, their operations and their history.

Version 3's REST API as far as Sysop uses it. It is strict: an address, a field or a patch that the real server would
not understand is a problem, and what Argo CD refuses (an operation while another goes on, a rollback under automated
sync) is refused in its words.
"""

from sysop.testing.argocd.server import Argo
from sysop.testing.argocd.state import Application
from sysop.testing.wire import Fault, Outcome

__all__ = ["Application", "Argo", "Fault", "Outcome"]
