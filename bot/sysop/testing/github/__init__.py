"""GitHub on this machine for tests: workflow runs, deployments, comparisons, over real HTTP and as strict as it is.

    with GitHub() as github:
        repo = github.repository("acme/checkout", refs=["main", "1.4.0"])
        repo.workflow("ci.yml", inputs={"suite": True}, run_name="ci {sysop_key}")
        repo.next(Outcome(good=False, log="E   assert 1 == 2"))
        ...  # api=github.url; afterwards len(repo.runs) is the number of runs that were started

A run goes on by one state whenever it is looked at, so nothing depends on the clock. A request the real server would
not understand is kept in `problems`; leaving the `with` block then raises AssertionError.
"""

from sysop.testing.github.server import GitHub
from sysop.testing.github.state import Repository
from sysop.testing.wire import Fault, Outcome

__all__ = ["Fault", "GitHub", "Outcome", "Repository"]
