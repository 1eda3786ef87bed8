"""Modals and shortcuts: one small file a form."""
