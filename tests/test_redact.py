"""Safety promise 7: a secret is never stored, logged or shown, and ordinary lines stay as they are."""

from __future__ import annotations

import json
import logging
import random
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gate.kit import BOB, Attack, Calls
from lab import Lab
from scale import size
from sysop.errors import ActionFailed, InvalidRequest
from sysop.extension import Toolbox
from sysop.model import Claim, Conclusion, Run
from sysop.redact import RedactingFormatter, redact, redact_value
from sysop.store import tables as t

PLANTED = size(200, 60)
CLEAN = size(10_000, 1000)
_LETTERS = string.ascii_letters + string.digits


def _random(dice: random.Random, length: int, letters: str = _LETTERS) -> str:
    return "".join(dice.choice(letters) for _ in range(length - 1)) + str(dice.randint(0, 9))


def kinds(dice: random.Random) -> dict[str, tuple[str, str]]:
    """Return (secret, text that holds it) of every kind, different each time."""

    def some(length: int, letters: str = _LETTERS) -> str:
        return _random(dice, length, letters)

    upper = string.ascii_uppercase + string.digits
    pem = "\n".join(some(64) for _ in range(3))
    found = {
        "aws": f"AKIA{some(16, upper)}",
        "aws session": f"ASIA{some(16, upper)}",
        "google key": f"AIza{some(35)}",
        "google token": f"ya29.{some(40)}",
        "github": f"ghp_{some(36)}",
        "github server": f"ghs_{some(36)}",
        "github fine-grained": f"github_pat_{some(60)}",
        "gitlab": f"glpat-{some(20)}",
        "slack bot": f"xoxb-{some(12, string.digits)}-{some(24)}",
        "slack app": f"xapp-1-{some(12, upper)}-{some(30)}",
        "anthropic": f"sk-ant-api03-{some(40)}",
        "openai": f"sk-proj-{some(48)}",
        "stripe": f"sk_live_{some(24)}",
        "npm": f"npm_{some(36)}",
        "pypi": f"pypi-{some(60)}",
        "hugging face": f"hf_{some(34)}",
        "vault": f"hvs.{some(24)}",
        "sendgrid": f"SG.{some(22)}.{some(43)}",
        "jwt": f"eyJ{some(20)}.eyJ{some(30)}.{some(40)}",
    }
    carried = {name: (secret, f"the value is {secret}, said the log") for name, secret in found.items()}
    word = some(14)
    carried["azure"] = (some(44), "")
    carried["azure"] = (carried["azure"][0], f"DefaultEndpointsProtocol=https;AccountKey={carried['azure'][0]};")
    carried["slack webhook"] = (word, f"https://hooks.slack.com/services/T0000/B0000/{word}")
    carried["pem"] = (pem, f"-----BEGIN RSA PRIVATE KEY-----\n{pem}\n-----END RSA PRIVATE KEY-----")
    carried["url"] = (word, f"postgresql://sysop:{word}@db.example:5432/sysop")
    carried["bearer"] = (some(30), "")
    carried["bearer"] = (carried["bearer"][0], f"curl -H 'Authorization: Bearer {carried['bearer'][0]}'")
    carried["basic"] = (word, f'"authorization": "Basic {word}"')
    carried["password"] = (word, f"password={word}")
    carried["password in yaml"] = (word, f"db_password: '{word}'")
    carried["api key in json"] = (word, f'{{"api_key": "{word}"}}')
    carried["client secret"] = (word, f"client_secret={word}&grant=1")
    carried["token"] = (word, f"the target says token={word}")
    return carried


def planted(count: int) -> Iterator[tuple[str, str, str]]:
    dice = random.Random(7)
    while True:
        for kind, (secret, carrier) in kinds(dice).items():
            yield kind, secret, carrier
            count -= 1
            if count <= 0:
                return


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


class Talking(Lab):
    """A target that says secrets in every place an action can say something."""

    def __init__(self, says: list[str]) -> None:
        super().__init__()
        self.says = says

    async def preview(self, ctx: Any, args: Any) -> Any:
        shown = await super().preview(ctx, args)
        return type(shown)(self.says[0], (self.says[1],), (self.says[2],))

    async def level(self, ctx: Any, args: Any) -> str:
        return self.says[3]

    def act(self, ctx: Any, name: str) -> Any:
        done = super().act(ctx, name)
        if "fail" in name:
            raise ActionFailed(self.says[4])
        if "doubt" in name:
            raise RuntimeError(self.says[5])
        return type(done)(key=self.says[6], name=self.says[7])

    async def find(self, ctx: Any, args: Any) -> Any:
        raise ConnectionError(self.says[8])

    async def confirmed(self, ctx: Any, args: Any, result: object) -> Any:
        raise ConnectionError(self.says[9])


class Chatty:
    """A planner that says secrets in every place a planner can say something."""

    def __init__(self, says: list[str]) -> None:
        self.says = says

    async def plan(self, run: Run, incident: Any, toolbox: Toolbox) -> Conclusion:
        says = self.says
        await toolbox.remember({"next": says[0], "password": "x-" + says[1]})
        await toolbox.say("1", says[2])
        for action, name in (("guarded", "ok"), ("append", "fail"), ("append", "doubt"), ("checked", "checked")):
            try:
                await toolbox.call(f"{action}-{name}", f"lab.{action}", {"name": name}, reason=says[3])
            except Exception as gone:
                if type(gone).__name__ not in ("ActionRefused", "InvalidCall"):
                    raise
        return Conclusion(says[4], False, says[5], basis=says[6], claims=[Claim(says[7], ())], escalate=says[8])


async def everything(gate: Attack) -> str:
    """Return the whole database as text."""

    def read(conn: Any) -> str:
        rows = [row for table in t.metadata.tables for row in conn.execute(text(f'SELECT * FROM "{table}"'))]
        return "\n".join(str(tuple(row)) for row in rows)

    return await gate.app.store.read(read)


async def test_no_planted_secret_reaches_the_database_or_the_log(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(planted(PLANTED))
    carriers = [carrier for _, _, carrier in found]
    caplog.handler.setFormatter(RedactingFormatter())
    for start in range(0, len(found), 20):
        says = (carriers[start:] + carriers)[:20]
        gate = Attack(
            tmp_path,
            url,
            lab=Talking(says[:10]),
            planners={"chatty": lambda says=says: Chatty(says[10:])},
            budgets={"change": 100_000},
        )
        run = await gate.submit("", planner="chatty", text=says[0])
        for _ in range(9):
            await gate.sql("UPDATE run SET wake_at = 0")
            await gate.advance(run)
            waiting = await gate.app.store.read(lambda conn: _pending(conn))
            for approval in waiting:
                await gate.vote(await gate.load(approval), BOB, reason=says[11])
            for call in ("append-doubt", "checked-checked"):
                if await gate.state(run, call) == "unknown":
                    await gate.app.service.resolve(run, call, BOB, True, says[12])
            await gate.sql("UPDATE effect SET finished_at = 1 WHERE finished_at IS NOT NULL AND verified IS NULL")
        await gate.app.service.pause(BOB, says[13])
        await gate.app.service.resume(BOB, says[14])
        assert (await gate.run(run)).conclusion is not None, await gate.run(run)
        await gate.close()
    stored = await everything(gate := Attack(tmp_path, url))
    await gate.close()
    logged = "\n".join(RedactingFormatter().format(record) for record in caplog.records)
    assert "Traceback" in logged, "nothing was logged with an exception: the test proves little"
    for kind, secret, _ in found:
        for line in secret.split("\n"):
            assert line not in stored, f"{kind} is in the database"
            assert line not in logged, f"{kind} is in the log"
    assert stored.count("[redacted") > len(found)


def _pending(conn: Any) -> list[str]:
    return [row.id for row in conn.execute(text("SELECT id FROM approval WHERE state = 'pending'"))]


async def test_a_credential_that_looks_like_nothing_is_removed_once_it_was_handed_out(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = "correct horse battery staple"
    monkeypatch.setenv("LAB_KEY", plain)

    class Leaking(Lab):
        async def preview(self, ctx: Any, args: Any) -> Any:
            return type(await super().preview(ctx, args))(f"with {ctx.secret('lab')}")

        async def level(self, ctx: Any, args: Any) -> str:
            return f"as seen with {ctx.secret('lab')}"

        def act(self, ctx: Any, name: str) -> Any:
            if name == "fail":
                raise ActionFailed(f"not with {ctx.secret('lab')}")
            if name == "doubt":
                raise RuntimeError(f"not with {ctx.secret('lab')}")
            return super().act(ctx, f"done with {ctx.secret('lab')}")

        async def find(self, ctx: Any, args: Any) -> Any:
            raise ConnectionError(f"cannot log in with {ctx.secret('lab')}")

    secrets = {"lab": {"read": "env:LAB_KEY", "write": "env:LAB_KEY"}}
    allow = {"rules": [{"name": "f", "match": {"action": ["lab.append"]}, "then": "allow"}]}
    every = Calls(*((name, "lab.append", {"name": name}) for name in ("done", "fail", "doubt")))
    gate = Attack(tmp_path, url, lab=Leaking(), secrets=secrets, policy=allow, planners=every.named())
    await gate.submit("", planner="calls")
    asked = await gate.submit("guarded", {"name": "x"})
    await gate.work()
    await gate.vote(await gate.approval(asked))
    await gate.work()
    stored = await everything(gate)
    assert await gate.state(asked) == "done"
    assert plain not in stored
    assert stored.count("[redacted secret]") >= 5
    await gate.close()


async def test_a_request_whose_arguments_hold_a_credential_is_refused_and_not_stored(url: str, tmp_path: Path) -> None:
    gate = Attack(tmp_path, url)
    for args in ({"name": "ghp_" + "a1" * 20}, {"name": "x", "password": "hunter2hunter2"}):
        with pytest.raises(InvalidRequest, match="name a secret instead"):
            await gate.submit("append", args)
    assert "hunter2" not in await everything(gate)
    await gate.close()


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
