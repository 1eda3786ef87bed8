"""`sysop runbooks index` and `status`, and a `sysop serve` that takes up what was pushed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import resource
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from terminal import SETTINGS, Shell
from test_cli_serve import serving

from knowledge.library_kit import Repository, page, write
from sysop.testing.embeddings import EmbeddingServer

TOKEN = "a token that only the server knows"
PUSHED = json.dumps({"ref": "refs/heads/main"}).encode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "origin" / "docs")
    write(made.folder, crane=page("The crane stands still", "Oil its winch.", reviewed="2020-01-01"))
    made.commit()
    return made


@pytest.fixture
def pages(shell: Shell, repository: Repository) -> Shell:
    """Return a shell with a folder and a repository of pages."""
    (shell.folder / "wiki").mkdir()
    (shell.folder / "wiki" / "quay.html").write_text("<html><title>Quay</title><body><h1>Quay</h1><p>It floods.</p>")
    sources = f"[{{folder: wiki, pages_url: 'https://wiki.test/{{id}}'}}, {{git: '{repository.url}'}}]"
    shell.write(f"{SETTINGS}\nknowledge: {{sources: {sources}}}\n")
    return shell


def test_everything_is_pulled_and_read_and_later_what_changed(pages: Shell, repository: Repository) -> None:
    first = pages("runbooks", "index", "--json").json
    assert (first["pages"], first["added"]) == (2, ["wiki/quay.html", "docs/crane.md"])
    assert first["pulled"] == [{"source": "docs", "changed": True, "reason": ""}]
    write(repository.folder, buoy=page("The buoy is dark", "Change its lamp."))
    repository.commit()
    left = pages("runbooks", "index", "--no-pull")
    assert left.out.startswith("2 pages: 0 new, 0 changed, 0 removed, 0 not used; ")
    second = pages("runbooks", "index")
    assert (second.code, second.err) == (0, "")
    assert second.out.startswith("3 pages: 1 new, 0 changed, 0 removed, 0 not used; ")
    assert (
        pages("runbooks", "search", "lamp", "of", "the", "buoy", "--json").json[0]["citation"].startswith("docs/buoy")
    )
    assert [book["path"] for book in pages("runbooks", "--json").json["runbooks"]] == [
        "docs/buoy.md",
        "docs/crane.md",
        "wiki/quay.html",
    ]
    assert "Oil its winch" in pages("runbooks", "show", "crane").out


def test_a_source_that_cannot_be_pulled_is_named_and_its_pages_stay(pages: Shell, repository: Repository) -> None:
    pages("runbooks", "index")
    shutil.move(repository.folder, repository.folder.with_name("gone"))
    away = pages("runbooks", "index")
    assert away.code == 1
    assert away.out.startswith(f"not pulled: docs: {repository.url} (main) cannot be fetched: fatal: ")
    assert "2 pages: 0 new" in away.out
    shutil.rmtree(pages.folder / "wiki")
    gone = pages("runbooks", "status")
    assert gone.code == 1
    assert re.search(r"not read: wiki: .*wiki.*cannot be read", gone.out)
    assert re.search(r"wiki +folder +1 ", gone.out)


def test_history_that_was_rewritten_is_taken_only_when_somebody_says_so(pages: Shell, repository: Repository) -> None:
    pages("runbooks", "index")
    write(repository.folder, crane=page("The crane is sold"))
    repository.git("add", "-A")
    repository.git("commit", "-q", "--amend", "-m", "another past")
    refused = pages("runbooks", "index")
    assert (refused.code, "it no longer holds" in refused.out) == (1, True)
    taken = pages("runbooks", "index", "--rewritten")
    assert (taken.code, "0 new, 1 changed, 0 removed" in taken.out) == (0, True)
    both = pages("runbooks", "index", "--rewritten", "--no-pull")
    assert (both.code, "leave out --no-pull" in both.err) == (2, True)


def test_the_status_says_how_fresh_pages_are(pages: Shell) -> None:
    before = pages("runbooks", "status")
    assert (before.code, "never pulled" in before.out) == (1, True)
    assert "not read: docs: " in before.out
    pages("runbooks", "index")
    found = pages("runbooks", "status", "--json").json
    assert [(s["name"], s["kind"], s["pages"], s["problem"]) for s in found["sources"]] == [
        ("wiki", "folder", 1, ""),
        ("docs", "git", 1, ""),
    ]
    assert re.fullmatch(r"[0-9a-f]{12}, pulled \d+ s ago", found["sources"][1]["fresh"])
    assert (found["unreviewed"], found["stale"]) == (["wiki/quay.html"], ["docs/crane.md"])
    told = pages("runbooks", "status").out
    assert re.search(r"reviewed more than 180 days ago +1 █+", told)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{git: 'ext::sh -c id'}", "knowledge.sources[0].url: 'ext::sh -c id' is no address of a repository"),
        (
            "{git: 'https://h/r.git', ref: '--upload-pack=x'}",
            "knowledge.sources[0].ref: '--upload-pack=x' is no branch",
        ),
        ("{git: 'https://h/r.git', subfolder: '../x'}", "knowledge.sources[0].subfolder: '../x' is no folder"),
        ("{folder: wiki, git: 'https://h/r.git'}", "write either folder or git"),
        ("{folder: wiki, token: 'env:X'}", "ref, subfolder and token are for git"),
        ("{git: 'ssh://h/r.git', token: 'env:X'}", "only an https:// address takes one"),
        ("{git: 'https://me:hunter2@h/r.git'}", "no password may stand in an address"),
        ("{git: 'https://h/r.git', token: 'secret'}", "a secret itself never stands in the settings"),
        ("{folder: wiki, pages_url: 'javascript:x'}", "knowledge.sources.0.pages_url"),
    ],
)
def test_a_source_that_cannot_be_one_is_refused_by_name(shell: Shell, source: str, told: str) -> None:
    shell.write(f"{SETTINGS}\nknowledge: {{sources: [{source}]}}\n")
    refused = shell("runbooks", "status")
    assert (refused.code, told in refused.err) == (1, True), refused.err
    assert "hunter2" not in refused.err


def pushed(address: str, **headers: str) -> int:
    request = urllib.request.Request(f"{address}/webhooks/runbooks", PUSHED, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as no:
        with no:
            return no.code


def signature(token: str) -> str:
    return "sha256=" + hmac.new(token.encode(), PUSHED, hashlib.sha256).hexdigest()


def test_a_push_is_taken_up_by_who_serves(pages: Shell, repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    door = f"webhooks: {{port: 0, tokens: {{runbooks: 'file:{tmp_path / 'token'}'}}}}"
    more = (pages.folder / "sysop.yaml").read_text().replace("knowledge: {", "knowledge: {pull_seconds: 3600, ")
    pages.write(f"{more}\n{door}\n")
    with serving(pages) as server:
        (address,) = re.findall(r"webhooks (http://\S+)", server.said)
        assert "sources: runbooks" in server.said
        known(pages, 2)
        write(repository.folder, buoy=page("The buoy is dark", "Change its lamp."))
        repository.commit()
        stranger = signature("another token")
        assert pushed(address, **{"X-Hub-Signature-256": stranger}) == 401
        assert pushed(address, **{"X-Hub-Signature-256": signature(TOKEN)}) == 200
        known(pages, 3)
        assert pushed(address, **{"X-Gitlab-Token": TOKEN}) == 200
        assert pushed(address, Authorization=f"Bearer {TOKEN}") == 200


def known(pages: Shell, count: int) -> None:
    """Wait until what the server has read holds so many pages; this command reads nothing itself."""
    until = time.monotonic() + 20
    while (found := pages("runbooks", "index", "--no-pull", "--json").json["pages"]) != count:
        assert time.monotonic() < until, f"{found} pages"
        time.sleep(0.2)


def test_each_user_of_a_state_folder_has_an_index_of_their_own(
    pages: Shell, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pages("runbooks", "index").code == 0
    monkeypatch.setattr(os, "geteuid", lambda: 60002)
    assert "2 pages: 2 new" in pages("runbooks", "index").out
    assert "2 pages: 0 new" in pages("runbooks", "index").out
    assert sorted(f.name for f in (pages.folder / ".sysop").iterdir()) == ["knowledge", "knowledge-60002"]


def test_pages_are_found_where_nothing_can_be_written(pages: Shell) -> None:
    (pages.folder / ".sysop").mkdir()
    (pages.folder / ".sysop" / "knowledge").write_text("in the way")
    found = pages("runbooks", "search", "it", "floods", "--json")
    assert found.json[0]["citation"].startswith("wiki/quay.html")


@pytest.mark.parametrize("most", [2_000, 70_000])
def test_pages_are_found_on_a_full_disk(pages: Shell, most: int) -> None:
    """No file may grow beyond some bytes: first the cache cannot be made, then the index cannot."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    for number in range(30):
        write(pages.folder / "wiki", **{f"p{number}": page(f"Pier {number}", "Ropes lie there. " * 400)})
    (pages.folder / ".sysop").mkdir()
    refused = pages.process("runbooks", "index", preexec_fn=full)
    assert refused.code == 1
    assert re.search(r"^Error: .*cannot be (used|written|made) \(.*; free disk space", refused.err), refused
    found = pages.process("runbooks", "search", "it", "floods", "--json", preexec_fn=full)
    assert (found.code, found.json[0]["citation"]) == (0, "wiki/quay.html#quay")


def test_pages_are_found_by_meaning_where_that_is_set_up(pages: Shell) -> None:
    pages("runbooks", "index")
    pages.write((pages.folder / "sysop.yaml").read_text().replace("knowledge: {", "knowledge: {mode: hybrid, "))
    found = pages("runbooks", "search", "water", "rises", "at", "the", "pier", "--json")
    assert found.json[0]["citation"].startswith("wiki/quay.html"), "it shares no word with the question"
    assert "found by words and meaning" in pages("runbooks", "status").out
    pages.write((pages.folder / "sysop.yaml").read_text().replace("{mode: hybrid, ", "{"))
    assert (
        pages("runbooks", "search", "water", "rises", "at", "the", "pier").out == "no runbook has any of these words\n"
    )


def test_a_providers_embeddings_are_asked_and_words_are_used_while_it_is_away(pages: Shell, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y")
    with EmbeddingServer(key="k3y") as server:
        embeddings = f"{{base_url: '{server.url}', model: m, key: 'file:{tmp_path / 'key'}'}}"
        more = f"knowledge: {{mode: hybrid, embeddings: {embeddings}, "
        pages.write((pages.folder / "sysop.yaml").read_text().replace("knowledge: {", more))
        assert pages("runbooks", "index").code == 0
        assert any("It floods." in text for texts in server.asked for text in texts)
        asked = pages("runbooks", "search", "it", "floods")
        assert (asked.code, asked.err) == (0, "")
    away = pages("runbooks", "search", "it", "floods", "--json")
    assert away.json[0]["citation"].startswith("wiki/quay.html")
    assert away.err == "found by words alone: m at 127.0.0.1 cannot be reached (ConnectError)\n"
    pages.write((pages.folder / "sysop.yaml").read_text().replace("mode: hybrid, ", ""))
    assert "embeddings are used in mode hybrid only" in pages("runbooks", "index").err


WIKI = '''
from sysop.api import PageEntry, hookimpl


class Wiki:
    """A wiki whose pages a plugin lists and reads."""

    name, key = "wiki", "wiki:harbour"

    def scan(self):
        yield PageEntry("crane", "wiki/crane.md", "7", lambda: b"# The crane stands still\\n\\nOil its winch.", "https://w.test/crane")
        yield PageEntry("secret", "runbooks/disk-filling.md", "1", lambda: b"# Mine")

    def close(self):
        pass


@hookimpl
def register_runbooks():
    return [Wiki()]
'''


def test_a_plugin_brings_pages_from_elsewhere(shell: Shell) -> None:
    (shell.folder / "more").mkdir()
    (shell.folder / "more" / "wiki.py").write_text(WIKI)
    shell.write("plugins_dir: more\nshipped_runbooks: false\n")
    found = shell("runbooks", "search", "oil", "the", "winch", "--json").json
    assert (found[0]["citation"].partition("#")[0], found[0]["link"].partition("#")[0]) == (
        "wiki/crane.md",
        "https://w.test/crane",
    )
    told = shell("runbooks", "status", "--json").json
    assert told["sources"] == [
        {"name": "wiki", "kind": "plugin", "where": "wiki:harbour", "pages": 1, "fresh": "", "problem": ""}
    ]
    assert [one["reason"] for one in told["not_used"]] == [
        "wiki: a page is left out: its path 'runbooks/disk-filling.md' must begin with wiki/"
    ]
