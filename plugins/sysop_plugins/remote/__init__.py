"""What the plugins that speak to servers of others share: calls, times, the failing part of a log, lines of a card."""
