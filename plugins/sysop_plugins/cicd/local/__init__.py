"""Pipelines as commands on this machine."""
