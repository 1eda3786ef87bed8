"""Whether the parameters of a wish are those a pipeline takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sysop.api import InvalidCall


def fit(pipeline: str, takes: Sequence[str], given: Mapping[str, str]) -> None:
    """Raise InvalidCall, naming the parameter, unless exactly those are given."""
    known = ", ".join(takes) or "none"
    if unknown := sorted(set(given) - set(takes)):
        raise InvalidCall(f"parameters.{unknown[0]}: pipeline {pipeline} does not take it; it takes: {known}")
    if missing := sorted(set(takes) - set(given)):
        raise InvalidCall(f"parameters.{missing[0]}: is missing; pipeline {pipeline} takes: {known}")
