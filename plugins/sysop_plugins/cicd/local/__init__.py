"""The local provider: pipelines are commands on this machine, builds are folders that outlive whoever asked."""

from sysop_plugins.cicd.local.provider import LocalProvider

__all__ = ["LocalProvider"]
