"""Run the tests; what fails beside others is run once more by itself, and said plainly.

python tests/run.py [PYTEST OPTION]...

The tests start real databases, servers and browsers beside each other, and a machine that is busy enough makes one of
some thousands wait in vain. What fails by itself, too, has failed. See docs/decisions/0017.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FAILED = 1  # pytest's code for "some tests failed"; all others are no matter of single tests
MOST = 10
"""If more fail, it is not the machine."""


def pytest(cache: Path, *options: str) -> int:
    """Run pytest with a cache of its own, in which it writes what has failed."""
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *options]
    return subprocess.run(command, check=False).returncode


def failed(cache: Path) -> list[str]:
    """Return what has failed, in a stable order."""
    file = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(file.read_text())) if file.exists() else []


def main(options: Sequence[str]) -> int:
    """Return pytest's exit code: of the first run, or of the second where there was one."""
    with tempfile.TemporaryDirectory(prefix="sysop-tests-") as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        code = pytest(first, *options)
        again = failed(first)
        if code != FAILED or not 0 < len(again) <= MOST:
            return code
        print(f"\n{len(again)} failed beside others; once more, by themselves:", flush=True)
        code = pytest(second, "-n", "0", *again)
        if code not in (0, FAILED):
            return code
        still = failed(second)
        for one in again:
            print(
                f"{'FAILED TWICE' if one in still else 'passed by itself, mend it: it depends on the machine'}: {one}"
            )
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
