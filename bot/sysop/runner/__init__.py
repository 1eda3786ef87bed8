"""Carry runs forward."""
