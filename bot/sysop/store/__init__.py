"""Memory: the database, its group-committing writer and one repository per noun."""
