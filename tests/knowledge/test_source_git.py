import os
import time

import pytest
from library_kit import Kept, Repository, built, write

from sysop.errors import LibraryError
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.library.library import Library
from sysop.page_source import BrokenPage, PageEntry


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "origin" / "runbooks")
    write(made.folder, disk="# Disk", docs__down="# Down", docs__README="# About")
    made.commit()
    return made


@pytest.fixture
def source(repository, tmp_path):
    made = GitSource(repository.url, "main", tmp_path / "mirrors")
    yield made
    made.close()


def pages(source):
    return {f.path: f.read() for f in source.scan() if isinstance(f, PageEntry)}


def broken(source):
    return {f.path: f.reason for f in source.scan() if isinstance(f, BrokenPage)}


def test_nothing_is_there_before_the_first_pull(source):
    assert source.revision == ""
    with pytest.raises(LibraryError, match=r"runbooks \(main\): it has not been pulled yet"):
        list(source.scan())


def test_a_branch_is_read_at_the_commit_that_was_pulled(source, repository):
    first = repository.git("rev-parse", "HEAD")
    assert source.pull() is True
    assert source.revision == first
    assert pages(source) == {"runbooks/disk.md": b"# Disk", "runbooks/docs/down.md": b"# Down"}
    write(repository.folder, disk="# Disk, again")
    second = repository.commit()
    assert pages(source)["runbooks/disk.md"] == b"# Disk"
    assert source.pull() is True
    assert (source.revision, pages(source)["runbooks/disk.md"]) == (second, b"# Disk, again")
    assert source.pull() is False


def test_pages_are_found_while_the_server_is_away(source, repository):
    source.pull()
    repository.folder.rename(repository.folder.with_name("gone"))
    with pytest.raises(LibraryError, match="cannot be fetched: fatal: "):
        source.pull()
    assert pages(source)["runbooks/disk.md"] == b"# Disk"


@pytest.mark.parametrize("annotated", [True, False])
def test_a_tag_is_read_where_it_points(source, repository, tmp_path, annotated):
    repository.git("tag", *(["-a", "-m", "v1"] if annotated else []), "v1.0")
    tagged = repository.git("rev-parse", "HEAD")
    write(repository.folder, new="# New")
    repository.commit()
    pinned = GitSource(repository.url, "v1.0", tmp_path / "mirrors")
    pinned.pull()
    source.pull()
    assert pinned.revision == tagged
    assert "runbooks/new.md" not in pages(pinned)
    assert "runbooks/new.md" in pages(source)
    pinned.close()


def test_a_commit_stays_what_it_is(repository, tmp_path):
    commit = repository.git("rev-parse", "HEAD")
    write(repository.folder, new="# New")
    repository.commit()
    pinned = GitSource(repository.url, commit, tmp_path / "mirrors")
    assert (pinned.pull(), pinned.pull()) == (True, False)
    assert pinned.revision == commit
    assert set(pages(pinned)) == {"runbooks/disk.md", "runbooks/docs/down.md"}
    pinned.close()


def test_rewritten_history_is_refused_until_somebody_says_it_is_meant(source, repository):
    write(repository.folder, disk="# Newer")
    repository.commit()
    source.pull()
    held = source.revision
    repository.git("reset", "-q", "--hard", "HEAD~1")
    with pytest.raises(LibraryError, match=f"no longer holds {held[:12]}, which was read last"):
        source.pull()
    assert (source.revision, pages(source)["runbooks/disk.md"]) == (held, b"# Newer")
    assert source.pull(rewritten=True) is True
    assert pages(source)["runbooks/disk.md"] == b"# Disk"


def test_a_ref_that_vanished_is_an_error_and_its_pages_stay(source, repository):
    source.pull()
    repository.git("branch", "-m", "main", "trunk")
    with pytest.raises(LibraryError, match="couldn't find remote ref main"):
        source.pull()
    assert "runbooks/disk.md" in pages(source)


def test_a_ref_that_is_no_commit_is_refused(repository, tmp_path):
    repository.git("tag", "blob", repository.git("rev-parse", "HEAD:disk.md"))
    odd = GitSource(repository.url, "blob", tmp_path / "mirrors")
    with pytest.raises(LibraryError, match="it names no commit"):
        odd.pull()


def test_a_subfolder_is_the_root_of_its_pages(repository, tmp_path):
    docs = GitSource(
        repository.url, "main", tmp_path / "mirrors", subfolder="docs", name="wiki", pages_url="https://w/{id}"
    )
    docs.pull()
    (page,) = docs.scan()
    assert (page.id, page.path, page.url) == ("down", "wiki/down.md", "https://w/down")
    missing = GitSource(repository.url, "main", tmp_path / "mirrors", subfolder="nowhere")
    missing.pull()
    with pytest.raises(LibraryError, match="subfolder 'nowhere'"):
        list(missing.scan())


def test_only_what_changed_is_read_again(source, repository):
    source.pull()
    before = {f.path: f.stamp for f in source.scan()}
    write(repository.folder, disk="# Disk, again")
    repository.commit()
    source.pull()
    after = {f.path: f.stamp for f in source.scan()}
    assert {path for path in after if before[path] != after[path]} == {"runbooks/disk.md"}


def test_nothing_is_ever_checked_out_and_no_hook_runs(source, repository, tmp_path):
    ran = tmp_path / "ran"
    source.pull()
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    assert not (mirror / "hooks").exists()
    (mirror / "hooks").mkdir()
    for name in ("reference-transaction", "post-update", "post-checkout", "post-merge"):
        hook = mirror / "hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        hook.chmod(0o755)
    write(repository.folder, disk="# Disk, again")
    repository.commit()
    assert source.pull() is True
    assert not ran.exists()
    assert not list((tmp_path / "mirrors").rglob("*.md"))


def test_modules_and_hidden_files_are_not_pages_and_links_and_pointers_are_refused(repository, source):
    commit = repository.git("rev-parse", "HEAD")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    inner = repository.commit_tree(("100644", b"config.md", b"# Secret"))
    tree = repository.commit_tree(
        ("040000", b".github", inner),
        ("100644", b"good.md", b"# Good"),
        ("100644", b"large.md", b"x" * (1024 * 1024 + 1)),
        ("120000", b"link.md", b"/etc/passwd"),
        ("160000", b"module.md", commit),
        ("100644", b"pointer.md", pointer),
    )
    repository.point(tree)
    source.pull()
    found = {f.path: f for f in source.scan()}
    assert sorted(found) == [f"runbooks/{n}.md" for n in ("good", "large", "link", "pointer")]
    assert broken(source) == {
        "runbooks/link.md": "a link, which is not followed in a repository; put the file itself there",
        "runbooks/large.md": "1048577 bytes are too much, 1048576 are allowed; split the page",
    }
    with pytest.raises(LibraryError, match="it is kept in Git LFS"):
        found["runbooks/pointer.md"].read()
    assert found["runbooks/good.md"].read() == b"# Good"


def test_a_tree_that_leads_out_of_itself_is_refused(repository, source):
    inner = repository.commit_tree(("100644", b"passwd.md", b"# Out"))
    tree = repository.commit_tree(
        ("040000", b"..", inner), ("100644", b"a\nb.md", b"# X"), ("100644", b"l\xe9.md", b"# X")
    )
    repository.point(tree)
    source.pull(rewritten=True)
    assert pages(source) == {}
    assert broken(source) == {
        "runbooks/../passwd.md": "the name would lead elsewhere; rename it",
        "runbooks/a\\nb.md": "the name holds a character that is not shown; rename it",
        "runbooks/l\\udce9.md": "the name is not UTF-8; rename it",
    }


@pytest.mark.parametrize(
    "url",
    [
        *("-uploadpack=touch /tmp/x", "--upload-pack=x", "ext::sh -c touch% /tmp/x", "git://host/x", "http://host/x"),
        *("ssh://-oProxyCommand=x/y", "-oProxyCommand=x@host:y", "host:path", "../relative", "https://h\n/x", "fd::17"),
        *("a@-h:p", "/srv/x::y", "", "file::/srv/x"),
    ],
)
def test_an_address_that_git_could_misread_is_refused(url, tmp_path):
    with pytest.raises(LibraryError, match=r"url: .* is no address of a repository; write https://"):
        GitSource(url, "main", tmp_path)


@pytest.mark.parametrize(
    "url", ["https://h/x.git", "ssh://git@h:22/x", "git@h:team/x.git", "/srv/git/x y.git", "file:///srv/x"]
)
def test_an_address_people_use_is_taken(url, tmp_path):
    assert GitSource(url, "main", tmp_path).name in ("x", "x y")


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=x", "a..b", "a b", "a:b", "^a", "a~1", "@{1}", "", "a\n", "a.lock", "/a", "a//b", "*"]
)
def test_a_ref_that_git_could_misread_is_refused(ref, tmp_path):
    with pytest.raises(LibraryError, match=r"ref: .* is no branch, tag or full commit id"):
        GitSource("https://h/x", ref, tmp_path)


@pytest.mark.parametrize("subfolder", ["/a", "a/..", "../a", "a//b", "a/", "a\nb", "."])
def test_a_subfolder_that_leads_elsewhere_is_refused(subfolder, tmp_path):
    with pytest.raises(LibraryError, match=r"subfolder: .* is no folder below the root"):
        GitSource("https://h/x", "main", tmp_path, subfolder=subfolder)


def test_no_message_tells_what_gives_access(tmp_path):
    source = GitSource("https://bot:hunter2secret@127.0.0.1:9/x.git", "main", tmp_path / "mirrors")
    with pytest.raises(LibraryError) as bad:
        source.pull()
    assert "cannot be fetched" in str(bad.value)
    told = f"{bad.value} {source.key} {source.name} {[p.name for p in tmp_path.rglob('*')]}"
    assert "hunter2secret" not in told
    assert "bot" not in told


def test_a_protocol_is_refused_by_git_itself_as_well(repository, tmp_path):
    source = GitSource(repository.url, "main", tmp_path / "mirrors")
    source.pull()
    with pytest.raises(LibraryError, match="transport 'ext' not allowed"):
        source._git.run("fetch", f"ext::sh -c touch% {tmp_path}/ran", timeout=30, what="fetch")
    assert not (tmp_path / "ran").exists()


def test_git_sees_nothing_of_what_sysop_was_started_with(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SYSOP_SECRET", "hunter2secret")
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "git").write_text(f'#!/bin/sh\nenv > {tmp_path}/seen\nPATH="${{PATH#*:}}" exec git "$@"\n')
    (bin / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")
    source = GitSource(repository.url, "main", tmp_path / "mirrors", environment={"SSH_AUTH_SOCK": "/run/agent"})
    source.pull()
    seen = (tmp_path / "seen").read_text()
    assert "hunter2secret" not in seen
    assert "GIT_DIR" not in seen
    for line in ("GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:ssh:file", "SSH_AUTH_SOCK=/run/agent"):
        assert line in seen.splitlines()


def test_a_server_that_never_answers_is_given_up_with_all_it_started(repository, tmp_path, monkeypatch):
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "ssh").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    (bin / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")
    source = GitSource("git@example.invalid:x.git", "main", tmp_path / "mirrors", timeout=1.5)
    with pytest.raises(LibraryError, match=r"cannot be fetched: no answer within 1\.5 s; check the network"):
        source.pull()
    pid = int((tmp_path / "pid").read_text())
    for _ in range(500):
        if not alive(pid):
            break
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid):
    """Tell whether a process runs; one that ended and that nobody has asked about does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_without_git_the_message_says_what_to_install(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LibraryError, match=r"git cannot be run .*; install it"):
        GitSource(repository.url, "main", tmp_path / "mirrors").pull()


def test_a_damaged_mirror_breaks_a_page_and_not_the_library(source, repository, tmp_path):
    source.pull()
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    blob = repository.git("rev-parse", "HEAD:disk.md")
    (mirror / "objects" / blob[:2] / blob[2:]).unlink()
    index, library = built([source])
    assert set(index.documents) == {"docs/down"}
    (bad,) = library.broken
    assert bad.path == "runbooks/disk.md"
    assert "cannot be read from the mirror (it is missing)" in bad.reason


def test_a_library_keeps_the_pages_of_a_repository_that_is_not_there_any_more(source, repository, tmp_path):
    source.pull()
    index = Kept()
    library = Library([source], tmp_path / "cache", index)
    library.refresh()
    (mirror,) = (tmp_path / "mirrors").glob("*.git")
    mirror.rename(tmp_path / "away")
    found = library.refresh()
    assert [s.path for s in found.stale] == ["runbooks"]
    assert not found
    assert set(index.documents) == {"disk", "docs/down"}
    library.close()
