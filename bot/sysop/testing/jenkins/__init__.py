"""Jenkins on this machine for tests: a queue, jobs with parameters and their builds over real HTTP, as strict as it is.

with Jenkins() as jenkins:
    job = jenkins.job("team/ci", parameters=["suite", "sysop_key"])
    job.next(Outcome(good=False, log="E   assert 1 == 2"))
    ...  # url=jenkins.url; afterwards jenkins.changes lists what was changed
"""

from sysop.testing.jenkins.server import Jenkins
from sysop.testing.jenkins.state import Job
from sysop.testing.wire import Fault, Outcome

__all__ = ["Fault", "Jenkins", "Job", "Outcome"]
