"""Whatever is wrong, a person reads one message and no traceback. Each of these is a process of its own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest
from terminal import SETTINGS, Shell, clean_environment, same_as_snapshot

HEAVY = ("pydantic", "sqlalchemy", "rich", "httpx2", "starlette", "cel", "cel.cel", "alembic", "pluggy")


def test_help_loads_nothing_of_the_product(shell: Shell) -> None:
    code = (
        "import sys; from sysop.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=shell.folder)
    assert done.stdout.splitlines()[-1] == "[]"
    same_as_snapshot("\n".join(done.stdout.splitlines()[:-1]), "help")


@pytest.mark.parametrize(
    ("settings", "words", "code", "told"),
    [
        ("a: [", "doctor", 1, "not valid YAML"),
        ("polcy: {}", "runs", 1, "did you mean 'policy'"),
        ("database: {url: 'mysql://x/y'}", "runs", 1, "mysql is not supported"),
        ("database: {url: 'postgresql://x@127.0.0.1:1/y'}", "runs", 1, "cannot be read"),
        ("plugins_dir: nowhere", "actions", 1, "not a folder"),
        ("required_plugins: [nope]", "ask hello", 1, "required_plugins: nope"),
        ("", "--config nowhere.yaml runs", 1, "there is no such file"),
        ("", "--config . runs", 1, "cannot be read"),
        ("", "--state /proc/none run toy.read", 1, "/proc/none"),
        ("", "aks hello", 2, "did you mean 'ask'"),
        ("", "runs shwo run-1", 2, "did you mean 'show'"),
        ("", "ask hello --planner oracle", 1, "there is no planner 'oracle'"),
        ("", "runs show run-x", 1, "there is no database"),
        ("", "audit verify", 1, "there is no database"),
    ],
)
def test_a_mistake_is_one_message(shell: Shell, settings: str, words: str, code: int, told: str) -> None:
    shell.write(settings or SETTINGS)
    said = shell.process(*words.split())
    assert (said.code, told in said.out + said.err) == (code, True), said
    assert "Traceback" not in said.err


def test_unknown_ids_say_where_to_look(shell: Shell) -> None:
    shell("db", "upgrade")
    for words, told in (
        ("runs show run-x", "sysop runs"),
        ("runs follow run-x", "sysop runs"),
        ("runs resolve run-x call --done --reason x", "sysop runs show run-x"),
        ("cancel run-x", "sysop runs"),
        ("approvals apr-x", "sysop approvals"),
        ("approve apr-x --digest 00000000", "sysop approvals"),
        ("deny apr-x --reason no", "sysop approvals"),
        ("revoke apr-x", "sysop approvals"),
        ("incidents show inc-x", "sysop incidents"),
        ("runbooks show x", "there is no runbook"),
    ):
        said = shell(*words.split())
        assert (said.code, told in said.err) == (1, True), (words, said)


def test_a_locked_database_is_one_message(shell: Shell) -> None:
    shell("db", "upgrade")
    holder = sqlite3.connect(shell.folder / ".sysop" / "sysop.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        said = shell.process("pause", "--reason", "x")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert (said.code, "locked" in said.err, "Traceback" in said.err) == (1, True, False), said


def test_a_file_that_is_no_database_is_one_message(shell: Shell) -> None:
    (shell.folder / ".sysop").mkdir()
    (shell.folder / ".sysop" / "sysop.db").write_text("this is not a database, it is text " * 100)
    for words in (["runs"], ["run", "toy.read"], ["db", "check"], ["db", "upgrade"]):
        said = shell(*words)
        assert (said.code, "not a database" in said.err) == (1, True), (words, said)
    assert "not a database" in shell("doctor").out


def test_a_second_runner_is_refused_and_names_the_first(shell: Shell) -> None:
    from sysop.runner.lock import RunnerLock

    shell("db", "upgrade")
    lock = RunnerLock(shell.folder / ".sysop" / "sysop.db")
    assert lock.take()
    try:
        said = shell.process("serve")
        upgrade = shell.process("db", "upgrade")
    finally:
        lock.release()
    for refused in (said, upgrade):
        assert (refused.code, f"process {os.getpid()} runs this database" in refused.err) == (1, True), refused


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: Shell, name: str) -> None:
    assert "_SYSOP_COMPLETE" in shell("completion", name).out


def test_names_of_commands_are_completed_without_loading_them(shell: Shell) -> None:
    asked = {"_SYSOP_COMPLETE": "bash_complete", "COMP_WORDS": "sysop ru", "COMP_CWORD": "1"}
    code = (
        "import sys; from sysop.cli import main\n"
        "try: main(prog_name='sysop')\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    environment = {**clean_environment(), **asked}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["plain,run", "plain,runs", "plain,runbooks", "[]"]
