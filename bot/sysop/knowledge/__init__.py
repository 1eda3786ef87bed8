"""What the company knows in writing: runbooks a person reads and Sysop can follow."""
