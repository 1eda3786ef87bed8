"""The ways to the app and back: envelopes, Socket Mode, signed HTTP, response URLs."""
