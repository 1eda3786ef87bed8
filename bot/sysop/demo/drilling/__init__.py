"""Drills: faults with a known right answer, put to a running Sysop and judged by the company's own record."""
