"""The demo: a small real company that breaks, and Sysop repairing it under a person's approval."""
