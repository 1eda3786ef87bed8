"""Deciding: planners yield calls and never hold code or credentials."""
