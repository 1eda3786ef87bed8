"""What people say of past incidents at the command line, and the questions that no page answers."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from terminal import Shell

import bench
from incidents.lived import DAY, Lived, add_past
from sysop.store import questions
from sysop.store.store import Store

PAST = "inc-past000000"
INVENTORY = "inventory:\n  checkout: {owner: team shop}\n  gateway: {owner: team edge, depends_on: [checkout]}\n"


async def _twins(lived: Lived) -> None:
    """Live through an incident a month after one like it."""
    now = await lived.app.store.now()
    spans = {"acknowledged_at": 120_000, "mitigated_at": 240_000, "resolved_at": 900_000}
    pairs = [("HighErrorRate", "checkout"), ("Slow", "gateway")]
    await add_past(lived.app.store, {"at": now - 27 * DAY, "alerts": pairs, **spans})
    await lived.live_through()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a Sysop that has lived through twins, to be copied."""
    folder = tmp_path_factory.mktemp("twins")
    bench.upgrade(url := f"sqlite:///{folder / 'sysop.db'}")

    async def live() -> None:
        lived = Lived(folder, url)
        try:
            await _twins(lived)
        finally:
            await lived.close()

    asyncio.run(live())
    return folder


@pytest.fixture
def twins(shell: Shell, once: Path) -> Shell:
    """Return a shell in that state."""
    shutil.copytree(once, shell.folder / ".sysop")
    shell.write((shell.folder / "sysop.yaml").read_text() + INVENTORY)
    return shell


def newest(shell: Shell) -> str:
    return str(shell("incidents", "--json").json[0]["id"])


def kinds(shell: Shell, chain: str) -> list[tuple[str, str]]:
    log = shell("audit", "show", "--chain", chain, "--json").json
    return [(entry["kind"], entry["actor"]) for entry in log]


def test_a_twin_is_found_and_what_it_teaches_is_one_sentence(twins: Shell) -> None:
    id = newest(twins)
    (found,) = twins("incidents", "similar", id, "--json").json
    assert re.fullmatch(
        r"seen before on \d+ \w{3}( \d{4})?: no alert fired any more after 4 minutes; Sysop changed nothing",
        found["teaches"],
    )
    assert f"{PAST}: {found['teaches']}" in twins("incidents", "similar", id).out


def test_a_correction_is_told_instead(twins: Shell) -> None:
    said = twins("incidents", "correct", PAST, "the certificate had expired, not the release")
    assert (said.code, said.out.splitlines()[0]) == (0, f"{PAST} is corrected.")
    (found,) = twins("incidents", "similar", newest(twins), "--json").json
    assert found["teaches"].endswith(': ann corrected: "the certificate had expired, not the release"')
    twins("incidents", "correct", PAST, "the disk\x1b[31m was full", by="bob")
    told = twins("incidents", "similar", newest(twins)).out
    assert 'bob corrected: "the disk [31m was full"' in told
    assert kinds(twins, f"incident:{PAST}") == [
        ("incident.corrected", "person:ann"),
        ("incident.corrected", "person:bob"),
    ]
    assert "corrected" in twins("incidents", "show", PAST).out


def test_what_is_forgotten_is_not_found_until_it_is_remembered(twins: Shell) -> None:
    id = newest(twins)
    gone = twins("incidents", "forget", PAST, "--because", "a game day")
    assert (gone.code, gone.out.splitlines()[0]) == (0, f"{PAST} is forgotten.")
    assert f"incidents remember {PAST}" in gone.out
    assert twins("incidents", "similar", id).out == "none of the past incidents has much in common with it\n"
    assert PAST not in twins("incidents", "show", id).out
    assert PAST not in twins("incidents", "report", id).out
    assert "forgotten: a game day" in twins("incidents", "show", PAST).out, "its records stay"
    again = twins("incidents", "forget", PAST)
    assert (again.code, again.err) == (1, f"Error: {PAST} is forgotten already\n")
    assert twins("incidents", "remember", PAST, by="bob").code == 0
    assert twins("incidents", "similar", id, "--json").json[0]["incident"] == PAST
    again = twins("incidents", "remember", PAST)
    assert (again.code, again.err) == (1, f"Error: nobody said to forget {PAST}\n")


@pytest.mark.parametrize("who", ["dan", "eve"])
def test_only_a_person_with_a_role_says_what_is_remembered(twins: Shell, who: str) -> None:
    for words in (["report", PAST, "x"], ["correct", PAST, "x"], ["forget", PAST], ["remember", PAST]):
        said = twins("incidents", *words, by=who)
        assert (said.code, "only a person with a role can say what is remembered" in said.err) == (1, True), said
        assert ("Who you are is not in the settings" in said.err) is (who == "eve")
    assert kinds(twins, f"incident:{PAST}") == []


# -- reports ----------------------------------------------------------------------------------------------------------


def test_the_report_that_a_person_wrote_takes_the_place_of_the_draft(twins: Shell) -> None:
    draft = twins("incidents", "report", PAST).out
    assert draft.startswith("# Post-incident report: HighErrorRate on checkout")
    kept = twins("incidents", "report", PAST, "# What happened\n\nIt broke.")
    assert (kept.code, kept.out.splitlines()[0]) == (0, f"The report of {PAST} is kept.")
    assert twins("incidents", "report", PAST).out == "# What happened\n\nIt broke.\n"
    (twins.folder / "report.md").write_text("Written at leisure. \u202e\n")
    assert twins("incidents", "report", PAST, "--file", "report.md", by="bob").code == 0
    assert twins("incidents", "report", PAST).out == "Written at leisure. \\u202e\n"
    assert twins("incidents", "report", PAST, "--draft").out.startswith("# Post-incident report: HighErrorRate on")
    assert twins("incidents", "report", PAST, "--out", "out.md").err == "written: out.md\n"
    assert (twins.folder / "out.md").read_text() == "Written at leisure. \\u202e\n"
    piped = twins("incidents", "report", PAST, "--file", "-", stdin="from a pipe")
    assert piped.code == 0
    assert twins("incidents", "report", PAST).out == "from a pipe\n"


def test_the_report_of_one_that_is_forgotten_is_not_shown(twins: Shell) -> None:
    assert twins("incidents", "report", PAST, "a secret plan").code == 0
    assert twins("incidents", "forget", PAST).code == 0
    said = twins("incidents", "report", PAST)
    assert (said.code, "a secret plan" in said.out) == (0, False)
    assert f"it was forgotten; to take that back: sysop incidents remember {PAST}" in said.err
    assert said.out.startswith("# Post-incident report: ")
    assert twins("incidents", "remember", PAST).code == 0
    assert twins("incidents", "report", PAST).out == "a secret plan\n"


def test_a_secret_in_a_report_is_taken_out(twins: Shell) -> None:
    assert twins("incidents", "report", PAST, "password=hunter22222 leaked").code == 0
    assert twins("incidents", "report", PAST).out == "password=[redacted] leaked\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "is not UTF-8 (byte 0); save it as UTF-8 text"),
        (b"x" * 16_385, "text: longer than 16,384 bytes; shorten it"),
        (b"x" + "é".encode() * 100_000, "text: longer than 16,384 bytes; shorten it"),
        (b" \n", "text: there is nothing in it"),
    ],
    ids=["another encoding", "too long", "cut in a character", "empty"],
)
def test_a_file_that_is_no_report_is_refused_with_the_fix(twins: Shell, content: bytes, told: str) -> None:
    (twins.folder / "odd.md").write_bytes(content)
    said = twins("incidents", "report", PAST, "--file", "odd.md")
    assert (said.code != 0, told in said.err) == (True, True), said
    assert kinds(twins, f"incident:{PAST}") == []


def test_what_cannot_be_done_with_a_report_is_told(twins: Shell) -> None:
    for words in (["text", "--file", "-"], ["text", "--draft"], ["--file", "-", "--out", "x.md"]):
        said = twins("incidents", "report", PAST, *words)
        assert (said.code, "give one of them" in said.err) == (2, True), said
    assert "No such file" in twins("incidents", "report", PAST, "--file", "nowhere.md").err
    for words in (["report", "inc-x", "text"], ["report", "inc-x"], ["correct", "inc-x", "y"], ["forget", "inc-x"]):
        said = twins("incidents", *words)
        assert (said.code, "there is no incident 'inc-x'; see: sysop incidents" in said.err) == (1, True), said


# -- questions --------------------------------------------------------------------------------------------------------


def asked(shell: Shell, *texts: str) -> None:
    """Ask questions that no page answers, in the database of a shell."""
    bench.upgrade(url := f"sqlite:///{shell.folder / '.sysop' / 'sysop.db'}")

    async def ask() -> None:
        store = Store.open(url)
        for text in texts:
            await store.write(lambda tx, text=text: questions.ask(tx, text, "slack", "runbooks/a.md#b"))  # type: ignore[misc]
        await store.close()

    asyncio.run(ask())


def test_questions_are_listed_answered_and_dismissed(shell: Shell) -> None:
    asked(shell, "How do I rotate the certificate?", "who am I", "how do I rotate the certificate")
    first, second = shell("runbooks", "questions", "--json").json
    assert (first["text"], first["asked"], first["nearest"]) == (
        "How do I rotate the certificate?",
        2,
        "runbooks/a.md#b",
    )
    listed = shell("runbooks", "questions").out
    assert listed.index(first["id"]) < listed.index(second["id"])
    done = shell("runbooks", "answered", first["id"])
    assert (done.code, done.out) == (0, f"{first['id']} is answered: How do I rotate the certificate?\n")
    assert shell("runbooks", "dismiss", second["id"], by="bob").out == f"{second['id']} is dismissed: who am I\n"
    assert shell("runbooks", "questions").out == "no question is open\n"
    every = {one["id"]: one for one in shell("runbooks", "questions", "--all", "--json").json}
    assert (every[first["id"]]["state"], every[first["id"]]["decided_by"]) == ("answered", "person:ann")
    assert (every[second["id"]]["state"], every[second["id"]]["decided_by"]) == ("dismissed", "person:bob")
    again = shell("runbooks", "dismiss", first["id"])
    assert (again.code, again.err) == (1, f"Error: question {first['id']} is answered already\n")


@pytest.mark.parametrize("words", [["answered"], ["dismiss"]])
def test_a_question_that_is_none_and_a_person_without_a_role_are_refused(shell: Shell, words: list[str]) -> None:
    asked(shell, "why")
    (one,) = shell("runbooks", "questions", "--json").json
    assert "only a person with a role" in shell("runbooks", *words, one["id"], by="dan").err
    said = shell("runbooks", *words, "que-x")
    assert (said.code, "there is no question 'que-x'; see: sysop runbooks questions" in said.err) == (1, True)
    assert len(shell("runbooks", "questions", "--json").json) == 1


def test_looking_at_questions_makes_no_database(shell: Shell) -> None:
    said = shell("runbooks", "questions")
    assert (said.code, said.out, "there is no database at" in said.err) == (0, "no question is open\n", True)
    assert not (shell.folder / ".sysop").exists()


def test_a_hostile_question_stays_on_its_line(shell: Shell) -> None:
    asked(shell, "why\n\nis \x1b[31m it \u202e red" + " very" * 300)
    said = shell("runbooks", "questions").out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 4000
