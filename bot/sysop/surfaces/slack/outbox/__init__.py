"""Everything that goes out to Slack: in order within a thread, as fast as Slack allows, nothing lost on the way."""
