"""Jenkins: jobs with parameters are pipelines."""
