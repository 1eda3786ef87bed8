"""What plugin authors may use in their own tests."""
