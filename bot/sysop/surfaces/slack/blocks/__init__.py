"""What people see in Slack, built from frozen data: pure functions, one noun a file."""
