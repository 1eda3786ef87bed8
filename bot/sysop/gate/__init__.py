"""The gate: the only place where an action runs."""
