"""GitLab: pipelines of GitLab CI, and deployments to its environments."""
