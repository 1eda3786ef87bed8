"""Ranking: which pages answer a question, and whether any does."""

from typing import Final

FITS: Final = 0.5
"""The confidence from which a page is taken to answer."""
