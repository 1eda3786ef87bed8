"""A real Buildbot of this machine: a master and a worker for tests and drills, from an environment of their own."""

from sysop.testing.buildbot.lab import LOOKER, LOOKERS_PASSWORD, PASSWORD, USER, BuildbotLab
from sysop.testing.buildbot.pipelines import Pipeline, Push, deploying

__all__ = ["LOOKER", "LOOKERS_PASSWORD", "PASSWORD", "USER", "BuildbotLab", "Pipeline", "Push", "deploying"]
