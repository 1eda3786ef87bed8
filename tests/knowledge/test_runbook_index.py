from pathlib import Path

import pytest

from sysop.errors import RunbookError
from sysop.knowledge.index import Index

SHIPPED = Path(__file__).parents[2] / "runbooks"


def page(title, alerts="", services='["*"]', text="", extra=""):
    return f"---\ntitle: {title}\nalerts: [{alerts}]\nservices: {services}\n{extra}---\n# {title}\n\n{text}\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "runbooks"
    (folder / "db").mkdir(parents=True)
    (folder / "any.md").write_text(
        page("Errors anywhere", "ErrorsHigh", text="Look at the error ratio of the service.")
    )
    (folder / "checkout.md").write_text(page("Errors in checkout", "ErrorsHigh", "[checkout]", "Baskets fail."))
    (folder / "both.md").write_text(page("Slow and failing", "LatencyHigh, ErrorsHigh", "[gateway]"))
    (folder / "db" / "lag.md").write_text(
        page("Replica lag", "ReplicaLagHigh", text="## Check\n\nThe replica is behind.")
    )
    (folder / "staging.md").write_text(page("Staging", "LatencyHigh", extra="environments: [staging]\n"))
    return folder


def found(index, *args):
    match = index.find(*args)
    return match and (match.runbook.path, match.why)


def test_the_alert_decides_and_then_the_service(folder):
    index = Index.load([folder])
    assert found(index, ["ErrorsHigh"], ["checkout"]) == (
        "runbooks/checkout.md",
        "it names the alert ErrorsHigh and suits service checkout",
    )
    assert found(index, ["ErrorsHigh"], ["payments"]) == (
        "runbooks/any.md",
        "it names the alert ErrorsHigh and suits any service",
    )
    assert found(index, ["ErrorsHigh", "LatencyHigh"], ["gateway"])[0] == "runbooks/both.md"
    assert found(index, ["ReplicaLagHigh"], [])[0] == "runbooks/db/lag.md"
    assert index.find(["errorshigh"], ["checkout"]) is None
    assert index.find([], ["checkout"]) is None


def test_a_runbook_for_another_environment_does_not_fit(folder):
    index = Index.load([folder])
    assert index.find(["LatencyHigh"], ["payments"], ["production"]) is None
    assert found(index, ["LatencyHigh"], ["payments"], ["staging"])[0] == "runbooks/staging.md"


def test_search_splits_identifiers_and_cites_the_section(folder):
    index = Index.load([folder])
    (hit,) = index.search("how do I check whether it is behind?", 1)
    assert hit.page.path == "runbooks/db/lag.md"
    assert hit.citation == "runbooks/db/lag.md#check"
    assert index.search("what is ReplicaLagHigh?", 1)[0].page.path == "runbooks/db/lag.md"
    assert index.search("replica_lag_high", 1)[0].page.path == "runbooks/db/lag.md"


def test_a_question_no_runbook_answers_gets_none(folder):
    index = Index.load([folder])
    assert index.suggest("the printer on the third floor eats paper") is None
    assert index.suggest("the replica of the accounting printer eats paper and staples") is None
    assert index.suggest("") is None
    assert index.suggest("is the replica behind?").runbook.path == "runbooks/db/lag.md"
    assert Index({}).search("anything") == []


def test_a_broken_file_is_reported_and_stops_nothing(folder):
    (folder / "broken.md").write_text("---\ntitle: Broken\n---\n```step\n```\n")
    (folder / "prose.md").write_text("no front matter")
    (folder / "binary.md").write_bytes(b"\xff\xfe\x00")
    (folder / "huge.md").write_bytes(b"x" * 1_100_000)
    (folder / "README.md").write_text("about this folder")
    (folder / "folder.md").mkdir()
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    index = Index.load([folder])
    assert len(index.runbooks) == 6
    assert index.get("prose").steps == ()
    assert [b.path.removeprefix("runbooks/") for b in index.broken] == [
        *("binary.md", "broken.md", "dangling.md", "folder.md", "huge.md")
    ]
    with pytest.raises(RunbookError, match="runbook broken is broken: "):
        index.get("broken")


def test_a_link_out_of_the_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.md").write_text(page("Secret", "ErrorsHigh"))
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "alias.md").symlink_to(folder / "any.md")
    index = Index.load([folder])
    assert "the link leads out of" in index.broken[0].reason
    assert [b.path for b in index.broken] == ["runbooks/link.md"]
    assert "runbooks/alias.md" in index.runbooks


def test_two_folders_cannot_offer_the_same_name(folder, tmp_path):
    other = tmp_path / "other" / "runbooks"
    other.mkdir(parents=True)
    (other / "any.md").write_text(page("Other", "Other"))
    index = Index.load([folder, other])
    assert index.runbooks["runbooks/any.md"].title == "Errors anywhere"
    assert "another folder has a runbook of this name" in index.broken[0].reason


def test_a_runbook_is_got_by_path_file_or_short_name(folder):
    index = Index.load([folder])
    assert index.get("runbooks/db/lag.md") is index.get("lag.md") is index.get("lag")
    with pytest.raises(RunbookError, match="there is no runbook 'lagg'; did you mean 'lag'"):
        index.get("lagg")


def test_the_shipped_runbooks_load():
    index = Index.load([SHIPPED])
    assert index.broken == ()
    assert found(index, ["ServiceErrorRatioHigh"], ["checkout"])[0] == "runbooks/error-rate-after-deploy.md"
    assert found(index, ["ServiceLatencyHigh"], ["checkout"])[0] == "runbooks/latency-after-deploy.md"
    assert index.suggest("why does checkout answer so slowly after the deploy?").runbook.path.endswith(
        "latency-after-deploy.md"
    )
