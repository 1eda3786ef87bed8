"""GitHub: workflows of GitHub Actions as pipelines, and deployments."""
