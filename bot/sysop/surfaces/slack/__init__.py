"""Slack: hears people, shows what Sysop does, and lets them decide. Only some modules here need the Slack packages."""
