"""A Kubernetes API server on this machine for tests, before a cluster that is state and no containers.

cluster = Cluster()
cluster.add_deployment("shop", "checkout", "shop/checkout:1.4.0", replicas=2)
with ApiServer(cluster, {"a-token": Rights("sysop")}) as server:
    ...  # url=server.url; afterwards server.changes and cluster.changes list what was changed
"""

from sysop.testing.kubernetes.access import Rights, Rule, reader
from sysop.testing.kubernetes.changes import SpecChange
from sysop.testing.kubernetes.cluster import Cluster
from sysop.testing.kubernetes.documents import Pod
from sysop.testing.kubernetes.server import ApiServer
from sysop.testing.wire import Fault

__all__ = ["ApiServer", "Cluster", "Fault", "Pod", "Rights", "Rule", "SpecChange", "reader"]
