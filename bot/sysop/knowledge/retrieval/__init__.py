"""Ranking: which pages answer a question, and whether any does."""
