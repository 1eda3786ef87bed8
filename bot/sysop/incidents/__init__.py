"""Alerts to incidents."""
