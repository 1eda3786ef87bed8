"""What was changed out there: taken in from webhooks, and asked for where nobody tells."""
