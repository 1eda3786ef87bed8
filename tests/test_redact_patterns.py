"""What redaction finds in a text, what it leaves alone, and how long that takes."""

from __future__ import annotations

import json
import logging
import random
import time

import pytest

from planted import kinds
from scale import size
from sysop.redact import RedactingFormatter, redact, redact_value

CLEAN = size(10_000, 1000)


def test_there_are_enough_kinds() -> None:
    assert len(kinds(random.Random(1))) >= 18


@pytest.mark.parametrize("kind", kinds(random.Random(1)))
def test_a_secret_of_every_kind_is_found_wherever_it_stands(kind: str) -> None:
    dice = random.Random(kind)
    for _ in range(20):
        secret, carrier = kinds(dice)[kind]
        for shown in (carrier, f"\u00e9 {carrier}\n", f"({carrier})", json.dumps({"log": carrier})):
            kept = redact(shown)
            assert all(line not in kept for line in secret.split("\n")), kept
            assert redact(kept) == kept, "redacting twice changes the text"


WORDS = (
    "GET /api/v1/orders/8f14e45f 200 13ms upstream=checkout:8080 trace=4bf92f3577b34da6a3ce929d0e0e4736",
    "deploy checkout 2.4.1 -> 2.4.2 image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "error ratio 0.{n} over 5m, threshold 0.05 (service:error_ratio:rate1m)",
    "pod payments-7d9c6b5f4-x{n} OOMKilled, restarts={n}, node ip-10-0-{n}-17.ec2.internal",
    "commit 3f2a9c1be77d{n} by ann@example.com: fix token refresh in session middleware",
    "kubectl get secret checkout-tls -n production; secret/checkout-tls unchanged",
    "SyntaxError: Unexpected token: identifier at line {n}",
    "rotate the API key every 90 days; key=value pairs are logged elsewhere",
    "https://grafana.example/d/abc{n}/checkout?orgId=1&from=now-1h&to=now",
    "postgres://db.example:5432/sysop is reachable in {n} ms",
    "passed 312 tests, failed {n}, password reset mails sent: {n}",
    "max_tokens: 200000 used_tokens={n} tokens/s={n}",
    "alert HighErrorRate firing since 2026-11-23T18:0{n}:00Z fingerprint=c0ffee{n}",
    "eyes on: kafka lag topic=orders partition={n} offset=90071992547{n}",
    "job build-{n} on runner gl-runner-{n} finished: success, cache key: go-mod-linux-{n}",
    "secret scanning found nothing in {n} files; bearer of bad news: none",
    "run-7k2m9qxd4w call=rollback key=run-7k2m9qxd4w:call digest=4bf92f35{n}",
    "authentication of service account sa-{n} succeeded",
    "SELECT count(*) FROM orders WHERE id > {n} -- 12 rows",
    "TLS handshake with hooks.example took {n} ms; certificate valid until 2027",
)


def test_clean_lines_stay_as_they_are() -> None:
    dice = random.Random(3)
    lines = [dice.choice(WORDS).replace("{n}", str(dice.randint(0, 9999))) for _ in range(CLEAN)]
    altered = [line for line in lines if redact(line) != line]
    assert len(altered) <= CLEAN / 1000, sorted(set(altered))[:10]


HOSTILE = {
    "one letter": "a" * 100_000,
    "colons": "://:" * 25_000,
    "key after key": "password=" * 11_000,
    "begins of keys": "-----BEGIN PRIVATE KEY-----" * 3_700,
    "half tokens": "eyJaaaaaaaa.eyJaaaaaaa" * 4_500,
    "many secrets": f"ghp_{'a' * 36} " * 2_400,
    "quotes": "\"'" * 50_000,
    "user parts": "http://a:" * 11_000,
    "token token": "token=a" * 14_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_linear_time(name: str) -> None:
    def seconds(given: str) -> float:
        best = 9.0
        for _ in range(3):
            began = time.perf_counter()
            redact(given)
            best = min(best, time.perf_counter() - began)
        return best

    whole, tenth = seconds(HOSTILE[name]), seconds(HOSTILE[name][:10_000])
    assert whole <= max(0.05, 30 * tenth), f"{whole * 1000:.0f} ms for 100k, {tenth * 1000:.2f} ms for 10k"


def test_a_value_under_a_name_that_says_secret_is_gone_whatever_it_looks_like() -> None:
    given = {"db_password": "abc", "nested": [{"API_KEY": "x"}], "token": "t", "tokens": 5, "keyboard": "qwerty"}
    assert redact_value(given) == {
        "db_password": "[redacted]",
        "nested": [{"API_KEY": "[redacted]"}],
        "token": "[redacted]",
        "tokens": 5,
        "keyboard": "qwerty",
    }


def test_the_formatter_hides_secrets_in_exceptions(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("password=hunter2hunter2")
    except ValueError:
        logging.getLogger("sysop.test").exception("it broke")
    shown = RedactingFormatter("%(message)s").format(caplog.records[-1])
    assert "hunter2" not in shown
    assert "it broke" in shown


def test_half_a_surrogate_pair_stops_nothing_wherever_it_stands() -> None:
    """The database and the log are written all the same: a sender that is answered 500 would try for ever."""
    half = "\udfff"
    given = {half: "\x00", f"{half}_password": "abc", "note": f"password=hunter2hunter2 {half}"}
    assert redact_value(given) == {
        "\ufffd": "\ufffd",
        "\ufffd_password": "[redacted]",
        "note": "password=[redacted] \ufffd",
    }
    assert redact(f"password=hunter2hunter2 {half}") == "password=[redacted] \ufffd"
    assert redact(f"nothing {half}") == f"nothing {half}"
