"""Argo CD: applications are synced to a version, and rolled back."""
