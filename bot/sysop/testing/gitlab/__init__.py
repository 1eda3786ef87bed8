"""GitLab on this machine for tests: pipelines, jobs, deployments and comparisons over real HTTP, as strict as it is.

with GitLab() as gitlab:
    project = gitlab.project("acme/checkout", refs=["main", "1.4.0"])
    project.next(Outcome(good=False, log="E   assert 1 == 2"))
    ...  # url=gitlab.url; afterwards gitlab.changes lists what was changed
"""

from sysop.testing.gitlab.server import GitLab
from sysop.testing.gitlab.state import Project
from sysop.testing.wire import Fault, Outcome

__all__ = ["Fault", "GitLab", "Outcome", "Project"]
