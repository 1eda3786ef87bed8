"""Sysop: an autonomous IT engineer that asks before it changes anything."""

__version__ = "0.1.0"
