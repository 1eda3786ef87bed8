"""Sysop's own eyes: metrics and logs are watched for what is unusual, and what is found enters as alerts."""
