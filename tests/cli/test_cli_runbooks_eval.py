"""`sysop runbooks eval`: the figures of a folder of pages, by words and by meaning, with no database."""

import json

import pytest
from terminal import Shell

import absent
from sysop.errors import SettingsError
from sysop.knowledge.retrieval.semantic import MiniLm

PAGES = {
    "node/NodeDiskFull.md": "# NodeDiskFull\n\n## Meaning\n\nThe file system of a node is nearly full.\n",
    "kubernetes/PodCrashLooping.md": "# PodCrashLooping\n\n## Meaning\n\nA pod crashes again and again.\n",
    "tls.md": "# Certificates\n\n## Meaning\n\nA TLS certificate expires soon; renew it.\n",
}
QUESTIONS = (
    {"id": "1", "query": "NodeDiskFull: node 3", "route": "alert", "gold": ["node/NodeDiskFull"]},
    {"id": "2", "query": "pod keeps crashing", "route": "chat", "gold": ["kubernetes/PodCrashLooping"], "kind": "mine"},
    {"id": "3", "query": "the cert expires", "route": "chat", "gold": ["tls"], "kind": "mine"},
    {"id": "4", "query": "book a meeting room in Paris", "route": "chat", "gold": [], "kind": "none"},
)
KEYS = {"recall@1", "recall@3", "mrr@10", "ndcg@10", "ms_p50", "ms_p99", "declined", "declined_answerable"}


@pytest.fixture
def asked(shell: Shell) -> Shell:
    """Return a command line beside a corpus and its questions."""
    for name, text in PAGES.items():
        file = shell.folder / "corpus" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    write(shell, *QUESTIONS)
    return shell


def write(shell: Shell, *questions: object) -> None:
    shell.write("\n".join(map(json.dumps, questions)), "questions.jsonl")


EVAL = ("runbooks", "eval", "questions.jsonl", "--corpus", "corpus")


def test_the_figures_of_a_folder_without_a_database(asked: Shell) -> None:
    found = asked(*EVAL, "--mode", "lexical", "--json")
    told = found.json
    assert (found.code, told["mode"], told["pages"], told["questions"], told["not_in_corpus"]) == (
        0,
        "lexical",
        3,
        4,
        [],
    )
    assert told.keys() >= KEYS
    assert (told["recall@1"], told["declined"], told["declined_answerable"]) == (1.0, 1.0, 0.0)
    assert set(told["by"]) == {"alert", "chat", "chat, mine", "chat, none"}
    assert list(asked.folder.rglob("*.db")) == []


def test_the_table_has_a_row_for_each_route_and_kind(asked: Shell) -> None:
    lines = asked(*EVAL, "--mode", "lexical").out.splitlines()
    assert lines[0] == "3 pages, 4 questions, mode lexical"
    rows = [line.split("  ")[0].strip() for line in lines[2:] if line.strip()]
    assert rows == ["all", "alert", "chat", "chat, mine", "chat, none"]


def test_by_meaning_where_that_is_installed(asked: Shell) -> None:
    try:
        MiniLm.load()
    except SettingsError as missing:
        absent.missing(str(missing))
    told = asked(*EVAL, "--json").json
    assert (told["mode"], told["recall@1"]) == ("hybrid", 1.0)


def test_a_right_page_that_is_not_there_is_named(asked: Shell) -> None:
    write(asked, {**QUESTIONS[0], "gold": ["node/Gone"]})
    found = asked(*EVAL, "--mode", "lexical", "--json")
    assert (found.code, found.json["not_in_corpus"]) == (1, ["node/Gone"])
    assert "no such pages in corpus: node/Gone; correct `gold`" in found.err


def test_what_a_file_of_questions_says_cannot_drive_the_terminal(asked: Shell) -> None:
    write(asked, {**QUESTIONS[0], "gold": ["\x1b[2Jgone"], "kind": "\x1b[2Jmine"})
    found = asked(*EVAL, "--mode", "lexical")
    assert "no such pages in corpus: \\u001b[2Jgone" in found.err
    assert "alert, \\u001b[2Jmine" in found.out
    assert "\x1b" not in found.out + found.err


def test_pages_that_cannot_be_used_are_named_and_the_others_searched(asked: Shell) -> None:
    (asked.folder / "corpus" / "huge.md").write_bytes(b"x" * (50 * 2**20))
    (asked.folder / "corpus" / "out.md").symlink_to("/etc/hostname")
    (asked.folder / "corpus" / "yaml.md").write_text("---\ntitle: [\n---\n# Broken front\n\nA zebra fails.\n")
    found = asked(*EVAL, "--mode", "lexical", "--json")
    assert (found.code, found.json["recall@1"]) == (0, 1.0)
    for name in ("huge.md", "out.md", "yaml.md"):
        assert f"not used: corpus/{name}: " in found.err


def test_wrong_words_are_told_without_a_traceback(asked: Shell) -> None:
    asked.write("{}", "questions.jsonl")
    assert "questions.jsonl:1: query must be text" in asked(*EVAL).err
    (asked.folder / "empty").mkdir()
    write(asked, *QUESTIONS)
    assert "empty: no page in it" in asked("runbooks", "eval", "questions.jsonl", "--corpus", "empty").err
    assert "does not exist" in asked("runbooks", "eval", "gone.jsonl", "--corpus", "corpus").err
