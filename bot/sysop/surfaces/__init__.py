"""Ways in: they differ only in the first and the last step."""
