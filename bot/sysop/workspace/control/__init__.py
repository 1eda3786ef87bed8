"""What people and tests do to the workspace: the control API."""
