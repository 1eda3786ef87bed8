"""What a workspace holds, and what changes in it make known."""
