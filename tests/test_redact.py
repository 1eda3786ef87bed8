"""Safety promise 7: a secret is never stored, logged or shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gate.kit import BOB, Attack, Calls
from lab import Lab
from planted import planted
from scale import size
from sysop.errors import ActionFailed, InvalidRequest
from sysop.extension import Toolbox
from sysop.model import Claim, Conclusion, Run
from sysop.redact import RedactingFormatter
from sysop.store import tables as t
from sysop.testing.llm import Answer, Asked, LlmServer, Use

PLANTED = size(200, 60)


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
        for _ in range(100):  # one call is in doubt, and "not done" is believed only after a wait by the clock
            if (await gate.run(run)).conclusion is not None:
                break
            await asyncio.sleep(0.02)
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


def leaky(says: list[str]) -> Any:
    """Return a model that says secrets in every place a model can say something."""
    taken = [
        Use("lab-look", {"name": says[0], "password": "x-" + says[1]}),
        Use("lab-append", {"name": says[2]}),
        Use("lab-append", json.dumps([{"name": says[3]}])),
        Use("lab-look", '{"name": "' + says[4]),
        Use("lab-look", {says[5]: "x"}),
        Use(says[6], {"name": "x"}),
        Use("lab-look", {"name": "x"}, id=says[7]),
        Use("lab-append", {"name": "ok"}),
        Use("lab-append", {"name": "fail"}),
    ]
    unproven = {"summary": says[8], "claims": [{"text": says[9], "evidence": [says[10]]}], "basis": says[11]}
    told = {"summary": says[12], "cause": says[13], "proposed": [says[14]], "escalate": says[15]}
    answers = [
        Answer(f"<think>{says[16]}</think>{says[17]}", taken),
        Answer(says[18], [Use("conclude", unproven)]),
        Answer("", [Use("conclude", told)]),
    ]

    def script(asked: Asked) -> Answer:
        return answers[asked.turn]

    return script


def secrets_in(shown: str, found: Iterable[tuple[str, str, str]]) -> set[str]:
    """Return the kinds of secrets that stand in a text."""
    return {kind for kind, secret, _ in found if any(line in shown for line in secret.split("\n"))}


async def converse(folder: Path, url: str, says: list[str]) -> tuple[str, Any]:
    """Let a run with a leaky model come to its end. Return all that was sent to the model, and the conclusion."""
    free = {"rules": [{"name": "free", "match": {"action": ["lab.append"]}, "then": "allow"}]}
    with LlmServer(leaky(says)) as server:
        model = {"model": "test", "base_url": server.url}
        gate = Attack(folder, url, lab=Talking(says[:10]), llm=model, policy=free)
        run = await gate.submit("", planner="llm", text=says[19])
        await gate.advance(run)
        ended = await gate.run(run)
        await gate.close()
    return "".join(json.dumps(asked.body, ensure_ascii=False) for asked in server.asked), ended.conclusion


def files(folder: Path) -> str:
    """Return the bytes of an SQLite database as they lie on the disk."""
    return b"".join(file.read_bytes() for file in folder.glob("sysop.db*")).decode(errors="replace")


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
async def test_no_secret_a_model_says_is_stored_or_sent_back_to_it(
    url: str, tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a model made up, remembers or read elsewhere. The control, without the cleaning, must show it."""
    if not guarded:
        monkeypatch.setattr("sysop.agent.llm_model.clean", lambda answer: answer)
    found = list(planted(PLANTED))
    carriers = [carrier for _, _, carrier in found]
    sent = ""
    for start in range(0, len(found), 20):
        heard, conclusion = await converse(tmp_path, url, (carriers[start:] + carriers)[:20])
        assert (conclusion["degraded"], "[redacted" in conclusion["summary"]) == (None, True)
        sent += heard
    stored = await everything(gate := Attack(tmp_path, url))
    await gate.close()
    logged = "\n".join(RedactingFormatter().format(record) for record in caplog.records)
    places = {"rows": stored, "file": files(tmp_path), "sent": sent, "log": logged}
    shown = {place: secrets_in(text, found) for place, text in places.items()}
    if guarded:
        assert not any(shown.values()), shown
        assert sent.count("[redacted") > len(found)
    else:
        assert min(len(shown["rows"]), len(shown["sent"])) > 20
    assert {key.rpartition(":")[2] for key in gate.begun} == {"a1.7", "a1.8"}, "a call with a secret was made"


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
