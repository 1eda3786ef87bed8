"""What pages say, on the command line: quoted, cited, and a question without an answer is kept."""

from __future__ import annotations

import pytest
from terminal import SETTINGS, Shell

PAGE = """---
title: Dumps fill the disk
owner: ops
reviewed: 2026-01-03
---

## Purge the dumps

Purge dumps that are older than a week.
"""


@pytest.fixture
def pages(shell: Shell) -> Shell:
    (shell.folder / "pages").mkdir()
    (shell.folder / "pages" / "dumps.md").write_text(PAGE)
    shell.write(f"{SETTINGS}\nrunbooks: [pages]\nknowledge: {{max_age_days: 36500}}\n")
    return shell


def test_a_question_is_answered_from_a_page_with_its_citation(pages: Shell) -> None:
    said = pages("ask", "how", "do", "I", "purge", "dumps", "on", "the", "disk?", "--json").json
    summary = said["conclusion"]["summary"]
    assert "pages/dumps.md#purge-the-dumps (rev " in summary
    assert ", reviewed 2026-01-03) says:\n> **Purge** **dumps** that are older than a week." in summary
    assert pages("runbooks", "questions", "--json").json == []
    assert "> Purge dumps that are older" in pages("ask", "how", "do", "I", "purge", "dumps", "on", "the", "disk?").out


def test_a_question_without_an_answer_is_kept(pages: Shell) -> None:
    for _ in range(2):
        said = pages("ask", "who", "waters", "the", "tulips?", "--json").json
        assert "No runbook fits" in said["conclusion"]["summary"]
    (one,) = pages("runbooks", "questions", "--json").json
    assert (one["text"], one["asked"]) == ("who waters the tulips?", 2)


def test_how_old_a_review_may_be_is_set_in_one_place(pages: Shell) -> None:
    words = ("runbooks", "search", "purge", "dumps")
    assert ", reviewed 2026-01-03)" in pages(*words).out
    assert pages(*words, "--json").json[0]["state"] == "reviewed"
    pages.write(f"{SETTINGS}\nrunbooks: [pages]\nknowledge: {{max_age_days: 1}}\n")
    assert "stale: reviewed 2026-01-03" in pages(*words).out
    assert pages(*words, "--json").json[0]["state"] == "stale"
    answer = pages("ask", "how", "do", "I", "purge", "dumps", "on", "the", "disk?", "--json").json["conclusion"][
        "summary"
    ]
    assert "stale: reviewed 2026-01-03) says:" in answer


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ((), {"dumps", "quay", "pier"}),
        (("--service", "quay"), {"dumps", "quay"}),
        (("--environment", "staging"), {"dumps", "pier"}),
        (("--owner", "ops", "--owner", "harbour"), {"dumps", "quay"}),
        (("--service", "quay", "--environment", "staging"), {"dumps"}),
    ],
)
def test_only_pages_of_a_service_an_environment_or_a_team(
    pages: Shell, option: tuple[str, ...], found: set[str]
) -> None:
    front = {"quay": "services: [quay]\nenvironments: [production]\nowner: harbour", "pier": "services: [pier]"}
    front["pier"] += "\nenvironments: [staging]\nowner: docks"
    for name, lines in front.items():
        (pages.folder / "pages" / f"{name}.md").write_text(
            f"---\ntitle: Dumps of {name}\n{lines}\n---\n\nPurge dumps.\n"
        )
    told = pages("runbooks", "search", "purge", "dumps", *option, "--json").json
    assert {one["page"].removeprefix("pages/").removesuffix(".md") for one in told} == found


def test_what_is_cited_can_be_shown(pages: Shell) -> None:
    shown = pages("runbooks", "show", "pages/dumps.md#purge-the-dumps").out
    assert "Purge dumps that are older than a week." in shown
    wrong = pages("runbooks", "show", "dumps#who")
    assert (wrong.code, "it has: purge-the-dumps" in wrong.err) == (1, True)
    assert [one["slug"] for one in pages("runbooks", "show", "dumps#purge-the-dumps", "--json").json["sections"]] == [
        "purge-the-dumps"
    ]
