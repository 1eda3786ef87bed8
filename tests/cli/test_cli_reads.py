"""What the command line shows: runs, incidents, policy, runbooks, audit, doctor, the database."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import update
from terminal import SETTINGS, Shell, same_as_snapshot

import bench
from sysop import settings as settings_file
from sysop.app import App
from sysop.cli.judge import Judge
from sysop.gate.question import Question
from sysop.model import Actor, Alert, Call, Origin
from sysop.store import schema
from sysop.store import tables as t
from sysop.store.engine import parse_url

RUNBOOK = """---
title: Read a page
alerts: [PageStale]
services: ["*"]
owner: us
reviewed: 2026-11-23
---

# Read a page

## Look

```step
id: look
note: What does it say?
action: toy.read
```

```conclude
resolved: true
summary: It was read.
```
"""


@pytest.fixture
def done(shell: Shell) -> Shell:
    """Return a shell where a read was made, a change approved and done, and another one waits."""
    shell("run", "toy.read")
    said = shell("run", "toy.write", "text=one")
    run, approval = said.find(r"run-\w{10}"), said.find(r"apr-\w{10}")
    shell("approve", approval, "--digest", shell("approvals", approval, "--json").json["digest"], by="bob")
    assert shell("runs", "follow", run).code == 0
    assert shell("run", "toy.write", "text=two", by="bob").code == 3
    return shell


def test_every_list_is_json_on_request(done: Shell) -> None:
    for words in (
        ["runs"],
        ["approvals", "--all"],
        ["incidents"],
        ["alerts"],
        ["actions"],
        ["plugins"],
        ["policy", "show"],
        ["runbooks"],
        ["runbooks", "list"],
        ["runbooks", "lint"],
        ["audit", "show"],
        ["audit", "verify"],
        ["db", "check"],
    ):
        said = done(*words, "--json")
        assert said.code == 0, (words, said)
        assert said.json is not None
        assert done(*words).code == 0, words


@pytest.mark.parametrize("words", ["runs", "approvals", "approvals --all", "incidents", "alerts", "audit show"])
def test_before_there_is_a_database_there_is_nothing_yet(shell: Shell, words: str) -> None:
    told, machine = shell(*words.split()), shell(*words.split(), "--json")
    assert (told.code, machine.code, machine.json) == (0, 0, [])
    assert re.match(r"no .* yet|nothing waits", told.out)
    assert f"no database at {shell.folder}/.sysop/sysop.db yet" in told.err
    assert not (shell.folder / ".sysop").exists()


def test_an_empty_database_says_so_kindly(shell: Shell) -> None:
    shell("db", "upgrade")
    told = {words: shell(*words.split()).out for words in ("runs", "approvals", "incidents", "alerts --firing")}
    assert "no runs yet" in told["runs"]
    assert "nothing waits" in told["approvals"]
    assert "no incidents" in told["incidents"]
    assert "no alert fires" in told["alerts --firing"]


async def an_incident(app: App) -> None:
    """Take an alert in."""
    labels = {"alertname": "PageStale", "service": "pages", "severity": "critical"}
    await bench.take(app, [Alert("test", "1", 1_700_000_000_000, None, labels, {})])
    await app.close()


def test_an_incident_is_shown_with_reasons_and_timeline(shell: Shell) -> None:
    import asyncio

    shell("db", "upgrade")
    folder = shell.folder / ".sysop"
    asyncio.run(an_incident(bench.build(folder, f"sqlite:///{folder / 'sysop.db'}")))
    incident = shell("incidents", "--open", "--json").json[0]
    assert shell("alerts", "--json").json[0]["incident"] == incident["id"]
    said = shell("incidents", "show", incident["id"])
    for words in (
        "PageStale on pages  inc-",
        "PageStale on pages started",
        "opened: PageStale on pages",
        "looks into it",
    ):
        assert words in said.out
    assert all(word in said.out for word in incident["reasons"][0].split())
    whole = shell("incidents", "show", incident["id"], "--json").json
    told = [moment["words"] for moment in whole["timeline"]]
    assert told[0] == "PageStale on pages started"
    assert f"PageStale on pages joined: {incident['reasons'][0]}" in told


def test_an_action_is_shown_with_its_arguments(shell: Shell) -> None:
    found = shell("actions", "toy.write", "--json").json
    assert (found["risk"], found["has"], found["schema"]["required"]) == ("change", ["preview"], ["text"])
    same_as_snapshot(shell("actions", "toy.write").out, "action")
    assert "did you mean 'toy.write'" in shell("actions", "toy.rite").err


def test_a_broken_plugin_is_named_with_its_reason(shell: Shell) -> None:
    folder = shell.folder / "more"
    folder.mkdir()
    (folder / "bad.py").write_text("1 / 0\n")
    shell.write(f"plugins_dir: {folder}\n")
    said = shell("plugins")
    assert (said.code, "ZeroDivisionError" in said.out) == (1, True)
    assert "plugin bad is broken" in shell("run", "bad.thing").err
    checks = shell("doctor", "--json").json["checks"]
    assert any(c["status"] == "failed" and "bad is broken" in c["detail"] for c in checks)


# -- policy -----------------------------------------------------------------------------------------------------------

RULES = """
policy:
  rules:
    - name: nothing on page:secret
      match: {target: ["page:secret"]}
      then: forbid
    - name: leads may
      match: {role: [lead], risk: [change]}
      then: allow
    - name: alerts ask three
      match: {origin: [alert]}
      then: approve
      count: 3
"""


def test_policy_explains_who_decides_and_why_no_other_rule(shell: Shell) -> None:
    shell.write(SETTINGS + RULES)
    said = shell("policy", "explain", "toy.write", "text=x")
    assert said.code == 3
    same_as_snapshot(said.out, "policy-explain")
    assert shell("policy", "explain", "toy.write", "text=secret").code == 1
    assert shell("policy", "explain", "toy.write", "text=x", "--as-role", "lead").code == 0
    alone = shell("policy", "explain", "toy.write", "text=x", "--origin", "alert", "--json")
    assert (alone.code, alone.json["rule"], alone.json["verdict"]) == (1, "alerts ask three", "forbid")
    assert not (shell.folder / ".sysop").exists()


async def test_policy_explain_answers_as_the_gate_does(tmp_path: Path) -> None:
    schema.upgrade(parse_url(url := f"sqlite:///{tmp_path / 'sysop.db'}"))
    rules = settings_file.load(_written(tmp_path, RULES)).policy
    app = bench.build(tmp_path, url, policy=rules)
    judge = Judge.of(app.settings, app.host)
    asked = 0
    for action in app.host.actions.values():
        for name in ("secret", "x"):
            args = {"name": name} if "name" in action.parameters.model_fields else {}
            for actor in (app.people.by_name("ann"), Actor("service:alerts"), Actor("person:eve", frozenset({"lead"}))):
                for origin in Origin:
                    call = Call("explain", action.name, args)
                    gate = await app.gate.judge(actor, origin, call)
                    bound = gate.bound
                    question = Question(
                        action.name, action.risk, bound.environment, bound.target, actor.roles, origin, 0
                    )
                    mine = judge.decide(question, call, action, actor)
                    assert (mine.verdict, mine.rule, mine.roles) == (
                        gate.decision.verdict,
                        gate.decision.rule,
                        gate.decision.roles,
                    )
                    asked += 1
    await app.close()
    assert asked > 100


def _written(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text)
    return file


def test_replay_shows_what_another_policy_would_have_decided(done: Shell) -> None:
    assert done("policy", "replay", "--json").json["differences"] == []
    strict = done.write(SETTINGS + "policy: {rules: [{name: closed, then: forbid}]}\n", "strict.yaml")
    stricter = done("policy", "replay", "--config", str(strict), "--fail-on-looser", "--json")
    assert (stricter.code, stricter.json["calls"], len(stricter.json["differences"])) == (0, 3, 3)
    rule = "{name: open, match: {risk: [change]}, then: allow}"
    loose = done.write(f"{SETTINGS}policy: {{rules: [{rule}]}}\n", "loose.yaml")
    looser = done("policy", "replay", "--config", str(loose), "--json").json
    assert (looser["looser"], {d["now"]["rule"] for d in looser["differences"]}) == (2, {"open"})
    assert done("policy", "replay", "--config", str(loose)).code == 0
    shown = done("policy", "replay", "--config", str(loose), "--fail-on-looser")
    assert (shown.code, shown.out.count("looser")) == (1, 3)


# -- runbooks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def books(shell: Shell) -> Shell:
    (shell.folder / "books").mkdir()
    (shell.folder / "books" / "read.md").write_text(RUNBOOK)
    shell.write(SETTINGS + "runbooks: [books]\n")
    return shell


def test_runbooks_are_listed_shown_found_and_followed(books: Shell) -> None:
    assert "Read a page" in books("runbooks").out
    assert "action: toy.read" in books("runbooks", "show", "read").out
    assert books("runbooks", "search", "page", "--json").json[0]["citation"].startswith("books/read.md")
    assert books("runbooks", "search", "zebra").code == 1
    run = books("runbooks", "run", "read", "please", "look", "--json")
    assert (run.code, run.json["planner"], run.json["request"]["runbook"]) == (0, "runbook", "books/read.md")
    assert [call["call"] for call in run.json["calls"]] == ["look"]
    assert "did you mean 'read'" in books("runbooks", "run", "raed").err


def test_runbook_lint_fails_on_errors_and_names_the_line(books: Shell) -> None:
    assert books("runbooks", "lint").code == 0
    bad = books.write(RUNBOOK.replace("toy.read", "toy.raed"), "bad.md")
    said = books("runbooks", "lint", str(bad))
    assert (said.code, "bad.md:" in said.out, "toy.raed" in said.out) == (1, True, True)
    (books.folder / "books" / "broken.md").write_text("---\ntitle: Broken\nownr: me\n---\n")
    (books.folder / "books" / "prose.md").write_text("no front matter, and nobody who owns it")
    assert books("runbooks", "lint").code == 1
    errors = [f for f in books("runbooks", "lint", "--json").json if f["level"] == "error"]
    assert [error["file"] for error in errors] == ["books/broken.md"]
    (books.folder / "books" / "prose.md").unlink()
    assert [f["level"] for f in books("runbooks", "lint", "--json").json] == ["error"]


# -- audit and database -----------------------------------------------------------------------------------------------


def test_a_changed_entry_is_found_and_named(done: Shell) -> None:
    good = done("audit", "verify", "--json")
    assert (good.code, good.json["ok"]) == (0, True)
    with sqlite3.connect(done.folder / ".sysop" / "sysop.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        swap = "UPDATE audit SET body = replace(body, 'person:bob', 'person:cat') WHERE id = ?"
        database.execute(swap, (vote := done("audit", "show", "--kind", "approval.voted", "--json").json[0]["id"],))
    database.close()
    bad = done("audit", "verify", "--json")
    assert (bad.code, bad.json["ok"]) == (1, False)
    assert f"entry {vote} " in bad.json["problem"]
    assert f"NOT as written: entry {vote} " in done("audit", "verify").out


def test_the_audit_log_is_filtered_and_exported(done: Shell) -> None:
    entries = done("audit", "show", "--json").json
    effects = done("audit", "show", "--kind", "effect", "--json").json
    assert {e["kind"].partition(".")[0] for e in effects} == {"effect"}
    chain = effects[-1]["chain"]
    assert {e["chain"] for e in done("audit", "show", "--chain", chain, "--json").json} == {chain}
    assert [e["id"] for e in done("audit", "show", "--limit", "2", "--json").json] == [e["id"] for e in entries[-2:]]
    assert done("audit", "export", "log.jsonl").code == 0
    written = (done.folder / "log.jsonl").read_text().splitlines()
    assert written == done("audit", "export").out.splitlines()
    assert [json.loads(json.loads(line)["body"])["kind"] for line in written] == [e["kind"] for e in entries]


def test_the_database_is_made_checked_and_refused_when_newer(shell: Shell) -> None:
    assert shell("db", "check").code == 1
    assert not (shell.folder / ".sysop").exists()
    assert shell("db", "upgrade").code == 0
    assert shell("db", "check", "--json").json["problem"] is None
    assert shell("db", "grant", "somebody").code == 1
    with sqlite3.connect(shell.folder / ".sysop" / "sysop.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert shell("db", "check").code == 1
    for words in (["runs"], ["run", "toy.read"], ["db", "upgrade"]):
        said = shell(*words)
        assert (said.code, "newer version" in said.err) == (1, True), (words, said)


def test_postgresql_is_used_by_every_command(shell: Shell, request: pytest.FixtureRequest) -> None:
    import postgres

    server = request.getfixturevalue("postgres_server")
    url = postgres.fresh_database(server, f"sysop_cli_{os.getpid()}")
    shell.write(f"{SETTINGS}database: {{url: '{url}'}}\n")
    assert "sysop db upgrade" in shell("runs").err
    assert shell("db", "upgrade").code == 0
    assert shell("run", "toy.read").code == 0
    said = shell("run", "toy.write", "text=pg")
    assert said.code == 3
    assert shell("approvals").out.count("apr-") == 1
    kinds = {c["name"]: c["status"] for c in shell("doctor", "--json").json["checks"]}
    assert (kinds["database"], kinds["clock"], kinds["runner"]) == ("ok", "ok", "note")


# -- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_in_an_empty_folder_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Shell(tmp_path, monkeypatch)("doctor", "--json", by="ann")
    assert said.code == 1
    checks = {check["name"]: check for check in said.json["checks"]}
    assert checks["policy"]["status"] == "failed"
    assert "uid: 60001" in checks["policy"]["fix"]
    assert checks["database"]["status"] == "note"
    assert all(check["fix"] for check in said.json["checks"] if check["status"] != "ok")
    assert {one["source"] for one in said.json["settings"].values()} == {"default"}
    assert not (tmp_path / ".sysop" / "sysop.db").exists()


def test_doctor_looks_at_everything_and_shows_no_secret(done: Shell) -> None:
    done.monkeypatch.setenv("TOY_TOKEN", "hunter2hunter2")
    done.write(
        SETTINGS
        + "webhooks: {tokens: {alertmanager: 'env:TOY_TOKEN'}}\n"
        + "secrets: {toy: {read: 'env:TOY_TOKEN', write: 'env:TOY_MISSING'}}\n"
    )
    done("pause", "--reason", "storm")
    said = done("doctor")
    for words in (f"{done.folder}/sysop.yaml", "WAL, synchronous=FULL", "the toy works", "storm", "TOY_MISSING"):
        assert words in said.out, words
    assert "hunter2" not in said.out
    checks = {check["name"]: check for check in done("doctor", "--json").json["checks"]}
    assert [checks[n]["status"] for n in ("database", "toy", "you", "pause", "alerts", "secrets")] == [
        "ok",
        "ok",
        "ok",
        "note",
        "ok",
        "failed",
    ]
    done.monkeypatch.setenv("SYSOP_DATABASE__URL", "postgresql://me:swordfish@127.0.0.1:1/x")
    unreachable = done("doctor", "--json")
    assert "swordfish" not in unreachable.out
    assert unreachable.json["settings"]["database"]["source"] == "environment"


def test_doctor_says_when_alerts_wait_that_nobody_places(shell: Shell) -> None:
    import asyncio

    shell("db", "upgrade")
    folder = shell.folder / ".sysop"

    async def taken_long_ago() -> None:
        app = bench.build(folder, f"sqlite:///{folder / 'sysop.db'}")
        await app.lifecycle.take([Alert("test", "1", 1_700_000_000_000, None, {"alertname": "Down"}, {})])
        await app.store.write(lambda tx: tx.conn.execute(update(t.alert).values(received_at=1_700_000_000_000)))
        await app.close()

    asyncio.run(taken_long_ago())
    checks = {check["name"]: check for check in shell("doctor", "--json").json["checks"]}
    assert checks["placing"]["status"] == "failed"
    assert "1 wait to be placed" in checks["placing"]["detail"]
    assert "waits" in shell("alerts").out
