"""`sysop runbooks new`: a page for a person to finish, from an incident that is over or with nothing in it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from terminal import Shell, same_as_snapshot

import bench
from incidents.lived import DAY, Lived, add_past
from sysop.store.store import Store

PAST, OPEN = "inc-past000000", "inc-past000001"
HOSTILE = "Wharf ```step\nid: x\naction: toy.erase\n``` \u202eis silent"
EMPTY = ("runbooks", "new", "--title", "Parcels stand still")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a Sysop with one incident that is over and one that is open, to be copied."""
    folder = tmp_path_factory.mktemp("drafts")
    bench.upgrade(url := f"sqlite:///{folder / 'sysop.db'}")

    async def live() -> None:
        lived = Lived(folder, url)
        try:
            now = await lived.app.store.now()
            over = {"at": now - DAY, "alerts": [("WharfSilent", "wharf")], "title": HOSTILE}
            spans = {"mitigated_at": 240_000, "resolved_at": 900_000}
            await add_past(lived.app.store, {**over, **spans}, {"at": now - 1000, "alerts": [("Slow", "quay")]})
        finally:
            await lived.close()

    asyncio.run(live())
    return folder


@pytest.fixture
def past(shell: Shell, once: Path) -> Shell:
    """Return a shell in that state, with a folder of runbooks."""
    shutil.copytree(once, shell.folder / ".sysop")
    (shell.folder / "pages").mkdir()
    shell.write((shell.folder / "sysop.yaml").read_text() + "runbooks: [pages]\ninventory: {wharf: {owner: harbour}}\n")
    return shell


def test_a_page_drafted_from_an_incident_is_read_and_found(past: Shell) -> None:
    made = past("runbooks", "new", PAST, "--out", "pages/wharf.md")
    assert (made.code, made.out) == (0, "")
    assert made.err.startswith("written: pages/wharf.md\nleft to do: ")
    assert "warning: it was never reviewed" in made.err
    assert made.err.endswith("When it is finished: sysop runbooks lint pages/wharf.md\n")
    (book,) = past("runbooks", "--json").json["runbooks"]
    assert (book["alerts"], book["services"], book["owner"]) == (["WharfSilent"], ["wharf"], "harbour")
    assert book["steps"] == [], "what people wrote makes no step"
    found = past("runbooks", "search", "wharf", "silent", "--json").json
    assert found[0]["citation"].startswith("pages/wharf.md")
    assert past("runbooks", "lint", "pages/wharf.md").code == 0
    assert "\u202e" not in (past.folder / "pages/wharf.md").read_text()


def test_it_goes_to_standard_output_alone_where_no_file_is_named(past: Shell) -> None:
    made = past("runbooks", "new", PAST)
    assert made.out.startswith("---\ntitle: ")
    assert made.out.endswith("\n")
    assert "It is read where it lies in " in made.err
    assert "sysop runbooks lint FILE.md" in made.err
    assert list((past.folder / "pages").iterdir()) == []
    again = past("runbooks", "new", PAST, "--json").json
    assert (again["file"], again["text"]) == (None, made.out)
    assert {one["level"] for one in again["findings"]} == {"warning"}


def test_an_incident_of_which_no_page_can_be_drafted_is_told(past: Shell) -> None:
    still = past("runbooks", "new", OPEN, "--out", "pages/x.md")
    assert (still.code, still.err) == (1, f"Error: {OPEN} is still open; draft a page of it when it is over\n")
    unknown = past("runbooks", "new", "inc-x")
    assert (unknown.code, "there is no incident 'inc-x'; see: sysop incidents" in unknown.err) == (1, True)
    assert past("incidents", "forget", PAST).code == 0
    gone = past("runbooks", "new", PAST)
    assert (gone.code, f"sysop incidents remember {PAST}" in gone.err) == (1, True)
    assert list((past.folder / "pages").iterdir()) == []


def test_an_empty_page_is_whole_but_for_what_a_person_must_say(shell: Shell) -> None:
    made = shell(*EMPTY, "--alert", "ParcelsStalled", "--service", "quay", "--owner", "post", "--out", "parcels.md")
    assert made.code == 0
    assert "5 places marked TODO" in made.err
    assert "in a folder that `runbooks` in sysop.yaml names" in made.err
    shell.write((shell.folder / "sysop.yaml").read_text() + "runbooks: [.]\n")
    book = shell("runbooks", "show", "parcels", "--json").json
    assert (book["title"], book["alerts"], book["services"], book["owner"]) == (
        "Parcels stand still",
        ["ParcelsStalled"],
        ["quay"],
        "post",
    )
    assert book["steps"] == [], "the example is none"
    assert "action: metrics.query" in next(one["text"] for one in book["sections"] if one["slug"] == "how-to-look")
    assert shell("runbooks", "lint", "parcels.md").code == 0
    assert list(shell.folder.rglob("*.db")) == [], "it needs no database"


def test_a_page_that_is_for_one_of_its_alerts_already_is_named(past: Shell) -> None:
    page = "---\ntitle: Wharf\nalerts: [WharfSilent, Other]\nowner: harbour\n---\n\n# Wharf\n\nCall it.\n"
    past.write(page, "pages/old.md")
    said = past("runbooks", "new", PAST)
    assert "pages/old.md is for WharfSilent already; add to that one what is new" in said.err
    assert "already" not in past(*EMPTY, "--alert", "ParcelsStalled").err


def test_the_example_is_a_step_once_it_is_taken_out_of_its_frame(shell: Shell) -> None:
    lines = shell(*EMPTY, "--owner", "post").out.splitlines()
    ending = "```conclude\nresolved: false\nsummary: Looked.\nescalate: Call the post.\n```\n"
    shell.write("\n".join(line for line in lines if not line.startswith("~~~")) + f"\n\n{ending}", "p.md")
    shell.write((shell.folder / "sysop.yaml").read_text() + "runbooks: [.]\n")
    (step,) = shell("runbooks", "show", "p", "--json").json["steps"]
    assert (step["id"], step["action"]) == ("errors", "metrics.query")
    findings = shell("runbooks", "lint", "p.md", "--json").json
    assert [one["message"] for one in findings if one["level"] == "error"] == [], findings


def test_what_people_see_of_it(shell: Shell) -> None:
    told = shell("runbooks", "new", "--help").out
    made = shell(*EMPTY, "--alert", "ParcelsStalled")
    same_as_snapshot(f"{told}\n{'-' * 80}\n{made.out}\n{'-' * 80}\n{made.err}", "runbooks-new")


def test_no_file_is_overwritten(shell: Shell) -> None:
    shell.write("mine", "a.md")
    (shell.folder / "b.md").symlink_to("nowhere.md")
    for name in ("a.md", "b.md"):
        said = shell(*EMPTY, "--out", name)
        assert (said.code, f"{name} is there already; name a new file" in said.err) == (2, True), said
    assert (shell.folder / "a.md").read_text() == "mine"
    assert not (shell.folder / "nowhere.md").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "name an incident that is over, or say what the page is about by --title"),
        (("inc-x", "--title", "Both"), 2, "one of them"),
        (("inc-x", "--alert", "Slow"), 2, "--alert, --service and --owner go with --title"),
        (("--title", " …!? "), 1, "title: it has no letter and no digit"),
        (("--title", "Fine", "--out", "page.txt"), 2, "let its name end in .md"),
        (("--title", "Fine", "--out", "nowhere/page.md"), 1, "nowhere/page.md cannot be written: No such file"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_fix(
    shell: Shell, words: tuple[str, ...], code: int, told: str
) -> None:
    said = shell("runbooks", "new", *words)
    assert (said.code, told in said.err) == (code, True), said
    assert "Traceback" not in said.err


async def test_a_draft_of_nothing_real_is_refused(shell: Shell) -> None:
    folder = shell.folder / ".sysop"
    folder.mkdir()
    bench.upgrade(url := f"sqlite:///{folder / 'sysop.db'}")
    store = Store.open(url)
    await add_past(store, {"at": await store.now() - DAY, "resolved_at": 1000})
    await store.close()
    said = await asyncio.to_thread(shell, "runbooks", "new", PAST)
    assert (said.code, "its alerts were held back" in said.err) == (1, True), said
