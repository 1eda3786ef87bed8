"""`/sysop …`: one small file a command."""
