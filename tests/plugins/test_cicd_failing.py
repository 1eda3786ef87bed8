"""The part of a log that tells why a build failed, in the words of the tools that teams use."""

from __future__ import annotations

import pytest

from sysop_plugins.remote.failing import MOST_BYTES, failing_part

NOISE = [f"step {n}: fetched, 0 errors, no failures, retries ignored" for n in range(200)]

LOGS = {
    "pytest": (
        ["=================== FAILURES ===================", "    def test_total():", "E   assert 3 == 4"],
        ["FAILED tests/test_cart.py::test_total - assert 3 == 4", "1 failed, 210 passed in 8.1s"],
    ),
    "python": (
        ["Traceback (most recent call last):", '  File "app.py", line 3, in <module>', "KeyError: 'region'"],
        ["Process completed with exit code 1."],
    ),
    "go": (["--- FAIL: TestTotal (0.00s)", "    cart_test.go:12: got 3, want 4"], ["FAIL", "exit status 1"]),
    "rust": (["error[E0308]: mismatched types", " --> src/cart.rs:12:5"], ["error: could not compile `cart`"]),
    "node": (["npm ERR! code ERESOLVE", "npm ERR! ERESOLVE unable to resolve dependency tree"], ["exit code 1"]),
    "typescript": (["src/cart.ts(12,5): error TS2322: Type 'string' is not assignable"], ["exit code 2"]),
    "maven": (["[ERROR] COMPILATION ERROR : ", "[ERROR] /src/Cart.java:[12,5] ';' expected"], ["[INFO] BUILD FAILURE"]),
    "c": (["cart.c:12:5: error: expected ';' before 'return'"], ["make: *** [Makefile:3: cart.o] Error 1"]),
    "shell": (["deploy.sh: line 3: kubectl: command not found"], ["exited with code 127"]),
    "disk": (["cp: error writing 'x': No space left on device"], ["make: *** [Makefile:9: all] Error 1"]),
    "network": (["dial tcp 10.0.0.9:5432: connect: connection refused"], ["exit status 1"]),
}


@pytest.mark.parametrize("tool", LOGS)
def test_the_cause_is_shown_and_not_what_follows_from_it_alone(tool: str) -> None:
    cause, aftermath = LOGS[tool]
    part = failing_part("\n".join([*NOISE, *cause, *aftermath, *NOISE[:30]]))
    lines = part.splitlines()
    assert cause[0] in lines
    assert lines.index(cause[0]) == 2, "a little of what came before, no more"
    assert set(cause) <= set(lines)


def test_a_log_that_tells_nothing_shows_nothing() -> None:
    assert failing_part("") == ""
    assert failing_part("\n".join(NOISE)) == ""


def test_where_only_the_end_tells_it_the_end_is_shown() -> None:
    assert "make: *** [Makefile:3: all] Error 2" in failing_part(
        "\n".join([*NOISE, "make: *** [Makefile:3: all] Error 2"])
    )


def test_one_endless_line_is_cut() -> None:
    assert len(failing_part("fatal: " + "\N{SNOWMAN}" * 100_000).encode()) <= MOST_BYTES


def test_a_hostile_log_takes_no_time() -> None:
    failing_part("\n".join(["error" + " " * 5_000, "0 " * 5_000, ": " * 5_000 + "rror:", "exit" * 5_000] * 20))
