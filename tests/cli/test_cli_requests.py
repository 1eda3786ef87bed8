"""Ask, run, approve, deny, cancel, pause: from the wish to the effect and back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from terminal import SETTINGS, Said, Shell, at_terminal, clean_environment, same_as_snapshot

from sysop.runner.lock import RunnerLock


def lines(shell: Shell) -> list[str]:
    file = shell.folder / ".sysop" / "plugins" / "toy" / "lines"
    return file.read_text().splitlines() if file.exists() else []


def wish(shell: Shell, text: str = "hello", by: str = "ann") -> tuple[str, str, Said]:
    """Ask for a change; return the run, the approval and what was said."""
    said = shell("run", "toy.write", f"text={text}", "--reason", "because", by=by)
    assert said.code == 3, said
    return said.find(r"run-\w{10}"), said.find(r"apr-\w{10}"), said


def digest_of(shell: Shell, approval: str) -> str:
    return str(shell("approvals", approval, "--json").json["digest"])


def test_a_question_without_a_runner_is_worked_on_by_the_command_itself(shell: Shell) -> None:
    said = shell("ask", "what", "is", "wrong", "--json")
    run = said.json
    assert (said.code, run["state"], run["planner"]) == (1, "done", "runbook")
    assert run["requesters"] == ["person:ann", "os:60001"]
    assert run["text"] == "what is wrong"
    assert RunnerLock(shell.folder / ".sysop" / "sysop.db").holder() is None


@pytest.mark.parametrize("words", [[""], [" "], ["", "  "], ["\t\n"]])
def test_a_question_without_words_is_refused_before_anything_is_stored(shell: Shell, words: list[str]) -> None:
    said = shell("ask", *words)
    assert (said.code, "there is no question" in said.err) == (2, True), said
    assert not (shell.folder / ".sysop").exists()


def test_a_read_runs_at_once_and_shows_its_result(shell: Shell) -> None:
    said = shell("run", "toy.read")
    assert said.code == 0
    assert "✓ toy.read" in said.out
    assert "resolved" in said.out


def test_a_change_waits_and_shows_everything_that_is_bound(shell: Shell) -> None:
    _, approval, said = wish(shell)
    assert f"sysop approve {approval}" in said.out
    assert "bob or cat" in said.out
    same_as_snapshot(said.out, "change-waits")
    assert lines(shell) == []


def test_another_person_approves_and_the_run_goes_on(shell: Shell) -> None:
    run, approval, _ = wish(shell)
    voted = shell("approve", approval, "--digest", digest_of(shell, approval)[:8], by="bob")
    assert (voted.code, "approved" in voted.out, "sysop serve" in voted.out) == (0, True, True)
    assert lines(shell) == []
    done = shell("runs", "follow", run)
    assert done.code == 0
    assert lines(shell) == ["hello"]
    assert shell("runs", "show", run, "--json").json["calls"][0]["approval"] == approval


def test_who_asks_cannot_approve(shell: Shell) -> None:
    _, approval, _ = wish(shell)
    said = shell("approve", approval, "--digest", digest_of(shell, approval), by="ann")
    assert said.code == 1
    assert "who asks for a change cannot approve it" in said.out
    assert shell("approvals", "--json").json[0]["state"] == "pending"


def test_a_person_without_the_role_cannot_approve(shell: Shell) -> None:
    _, approval, _ = wish(shell)
    said = shell("approve", approval, "--digest", digest_of(shell, approval), by="dan")
    assert (said.code, "needs the role approver" in said.out) == (1, True)


def test_an_unknown_user_is_told_what_to_add_and_the_attempt_is_logged(shell: Shell) -> None:
    _, approval, _ = wish(shell)
    said = shell("approve", approval, by="stranger")
    assert said.code == 1
    assert "uid: 64999" in said.out
    assert "roles: [approver]" in said.out
    votes = shell("audit", "show", "--kind", "approval.voted", "--json").json
    assert [(v["actor"], v["counted"]) for v in votes] == [("os:64999", False)]


def test_a_script_must_say_what_it_approves(shell: Shell) -> None:
    _, approval, _ = wish(shell)
    bare = shell("approve", approval, by="bob", stdin="y\n")
    wrong = shell("approve", approval, "--digest", "0" * 12, by="bob")
    short = shell("approve", approval, "--digest", digest_of(shell, approval)[:7], by="bob")
    assert [bare.code, wrong.code, short.code] == [2, 2, 2]
    assert f"--digest {digest_of(shell, approval)[:12]}" in bare.err
    assert shell("approvals", "--json").json[0]["votes"] == []


def test_no_environment_and_no_option_says_who_decides(shell: Shell) -> None:
    _, approval, _ = wish(shell)
    shell.monkeypatch.setenv("USER", "bob")
    shell.monkeypatch.setenv("SUDO_UID", "60002")
    said = shell("approve", approval, "--digest", digest_of(shell, approval), by="ann")
    assert said.code == 1
    for option in ("--by", "--as", "--uid", "--user", "--yes", "-y"):
        assert shell("approve", approval, option, "bob", by="ann").code == 2


def test_a_denial_ends_it_with_the_reason(shell: Shell) -> None:
    run, approval, _ = wish(shell)
    assert shell("deny", approval, by="bob").code == 2
    assert shell("deny", approval, "--reason", "not today", by="bob").code == 0
    done = shell("runs", "follow", run)
    assert (done.code, "not today" in done.out, lines(shell)) == (1, True, [])
    assert shell("approve", approval, "--digest", digest_of(shell, approval), by="cat").code == 1


def test_an_approval_can_be_taken_back_before_it_is_used(shell: Shell) -> None:
    run, approval, _ = wish(shell)
    shell("approve", approval, "--digest", digest_of(shell, approval), by="bob")
    assert shell("revoke", approval, "--reason", "wait", by="dan").code == 1
    assert shell("revoke", approval, "--reason", "wait", by="bob").code == 0
    assert shell("runs", "follow", run).code == 1
    assert lines(shell) == []


def test_a_destructive_action_needs_two_people(shell: Shell) -> None:
    said = shell("run", "toy.erase", "text=all")
    approval = said.find(r"apr-\w{10}")
    first = shell("approve", approval, "--digest", digest_of(shell, approval), by="bob")
    assert (first.code, "1 of 2" in first.out) == (0, True)
    second = shell("approve", approval, "--digest", digest_of(shell, approval), by="cat")
    assert "approved" in second.out


def test_a_cancelled_run_does_nothing_more(shell: Shell) -> None:
    run, approval, _ = wish(shell)
    assert shell("cancel", run, "--reason", "changed my mind").code == 0
    assert shell("approve", approval, "--digest", digest_of(shell, approval), by="bob").code == 1
    assert shell("cancel", run).code == 1
    shown = shell("runs", "show", run)
    assert "changed my mind" in shown.out
    assert lines(shell) == []


def test_a_pause_holds_changes_back_until_somebody_with_a_role_resumes(shell: Shell) -> None:
    run, approval, _ = wish(shell)
    shell("approve", approval, "--digest", digest_of(shell, approval), by="bob")
    assert shell("pause", "--reason", "storm", by="stranger").code == 0
    held = shell("runs", "follow", run)
    assert (held.code, "storm" in held.out, lines(shell)) == (3, True, [])
    refused = shell("resume", by="stranger")
    assert (refused.code, "uid: 64999" in refused.err) == (1, True)
    assert shell("resume", by="ann").code == 0
    assert shell("runs", "follow", run).code == 0
    assert lines(shell) == ["hello"]


def test_an_effect_nobody_can_tell_of_is_settled_by_a_person(shell: Shell) -> None:
    said = shell("run", "toy.vanish", "text=x")
    run, approval = said.find(r"run-\w{10}"), said.find(r"apr-\w{10}")
    shell("approve", approval, "--digest", digest_of(shell, approval), by="bob")
    doubt = shell("runs", "follow", run)
    assert (doubt.code, f"sysop runs resolve {run} call" in doubt.out) == (3, True)
    assert shell("runs", "resolve", run, "call", "--reason", "I looked").code == 2
    assert shell("runs", "resolve", run, "call", "--done", "--reason", "I looked", by="bob").code == 0
    assert shell("runs", "follow", run).code == 0


def test_a_request_can_be_left_for_a_runner(shell: Shell) -> None:
    assert shell("run", "toy.read", "--no-wait").code == 1
    shell("db", "upgrade")
    said = shell("run", "toy.read", "--no-wait", "--json")
    assert said.code == 0
    assert "sysop serve" in said.err
    assert shell("runs", "--json").json[0]["state"] == "queued"
    assert shell("runs", "follow", said.json["run"]).code == 0


def test_arguments_are_text_unless_they_are_marked_as_json(shell: Shell) -> None:
    said = shell("run", "toy.write", "text=7", "times:=2", "--json")
    assert said.json["approvals"][0]["args"] == {"text": "7", "times": 2}
    whole = shell("run", "toy.write", "--args", '{"text": "a=b"}', "--json")
    assert whole.json["approvals"][0]["args"] == {"text": "a=b", "times": 1}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["toy.write", "text"], 2, "neither key=text nor key:=JSON"),
        (["toy.write", "text=a", "text=b"], 2, "given twice"),
        (["toy.write", "times:={"], 2, "not JSON"),
        (["toy.write", "--args", "[1]"], 2, "must be a JSON object"),
        (["toy.write", "txt=a"], 1, "did you mean 'text'"),
        (["toy.write", "text=a", "times=many"], 1, "times"),
        (["toy.wriet", "text=a"], 1, "did you mean 'toy.write'"),
        (["toy.write", "text=a", "times:=" + "[" * 5000], 2, "not JSON"),
    ],
)
def test_a_misspelt_call_never_becomes_a_run(shell: Shell, words: list[str], code: int, told: str) -> None:
    said = shell("run", *words)
    assert (said.code, told in said.err) == (code, True), said
    assert not (shell.folder / ".sysop" / "sysop.db").exists()


def test_what_a_card_shows_cannot_be_reordered_or_hidden(shell: Shell) -> None:
    _, approval, said = wish(shell, "a\u202eb\u200bc\u3164d\n digest  0000")
    for shown in (said.out, shell("approvals", approval).out, shell("approvals").out):
        assert not set("\u202e\u200b\u3164") & set(shown)
        assert "\n digest  0000" not in shown
    assert r"\u202e" in said.out


@pytest.mark.usefixtures("users")
def test_the_real_user_decides_and_a_living_runner_carries_it_out(shell: Shell) -> None:
    """The whole way with processes of their own: a runner, who asks, who approves."""
    shell.write(SETTINGS + "webhooks: {port: 0}\n")
    command = [sys.executable, "-m", "sysop", "serve"]
    runner = subprocess.Popen(command, cwd=shell.folder, env=clean_environment(), stderr=subprocess.PIPE)
    try:
        assert runner.stderr is not None
        assert b"ready" in runner.stderr.readline()
        asked = shell.process("run", "toy.write", "text=real", by="ann")
        assert asked.code == 3, asked
        approval, run = asked.find(r"apr-\w{10}"), asked.find(r"run-\w{10}")
        digest = asked.find(r"\b[0-9a-f]{64}\b")
        own = shell.process("approve", approval, "--digest", digest, by="ann", env={"SUDO_UID": "60002"})
        assert (own.code, "cannot approve" in own.out) == (1, True), own
        other = shell.process("approve", approval, "--digest", digest, by="bob")
        assert (other.code, f"Process {runner.pid}" in other.out) == (0, True), other
        assert shell.process("runs", "follow", run, by="ann").code == 0
        assert lines(shell) == ["real"]
    finally:
        runner.terminate()
        runner.communicate(timeout=30)
    assert runner.returncode == 0


def test_at_a_terminal_a_person_types_y(shell: Shell) -> None:
    """A terminal of its own; this test's own user is the approver."""
    mine = os.getuid()
    shell.write(SETTINGS.replace("60002", str(mine)))
    _, approval, _ = wish(shell)
    assert "[y/N]" in at_terminal(shell.folder, ["approve", approval], "n\n")
    assert shell("approvals", "--json").json[0]["votes"] == []
    assert "approved" in at_terminal(shell.folder, ["approve", approval], "y\n")
    assert shell("approvals", approval, "--json").json["votes"][0]["approver"] == "person:bob"
