"""Buildbot as a provider."""
