"""What people say and open, and what becomes of the app: one small file a kind of event."""
