"""Buttons: one small file a noun."""
