"""What `sysop drill` says at the end, on planted rows: the totals, the exit code, the tables."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sysop.cli import main
from sysop.cli.drill import Terminal
from sysop.demo.drilling import report
from sysop.demo.drilling.every import Job
from sysop.demo.drilling.folder import Drill, load
from sysop.demo.drilling.record import Change
from sysop.demo.drilling.running import Row
from sysop.demo.drilling.verdict import Judged, Verdict

RIGHT = Judged(Verdict.RESOLVED, "mended")
CALLED = Judged(Verdict.ESCALATED, "handed over")
WRONG = Judged(Verdict.WRONG, "needless: restart gateway\nand a second line")
RESTART = Change(1.0, "restart", "gateway", None, None, "sysop")


@pytest.fixture
def drills(tmp_path: Path) -> dict[str, Drill]:
    for answer in ("fix", "escalate"):
        folder = tmp_path / answer
        folder.mkdir()
        (folder / "fault.yaml").write_text(
            f"title: Mend or [call]\nfaults: [{{kind: dependency}}]\nrunbook: {answer}\n"
        )
        (folder / "truth.yaml").write_text(f"answer: {answer}\n")
        (folder / "oracle.yaml").write_text("steady: 1s\n")
    return {answer: load(tmp_path, answer, 1) for answer in ("fix", "escalate")}


def test_the_totals_count_what_sysop_did_and_each_control_apart(drills: dict[str, Drill]) -> None:
    rows = [
        Row(drills["fix"], "", RIGHT, seconds=20.0, approvals=1, changes=(RESTART,)),
        Row(drills["escalate"], "", CALLED, seconds=10.04),
        Row(drills["fix"], "", WRONG, changes=(RESTART, RESTART), needless=(RESTART,), unapproved=(RESTART,)),
        Row(drills["fix"], "do-nothing", WRONG),
        Row(drills["escalate"], "do-nothing", WRONG),
    ]
    found = report.as_json(rows)
    assert found["totals"] == {
        "drills": 3,
        "resolved": 1,
        "escalated_rightly": 1,
        "wrong": 1,
        "right": 0.667,
        "fixes": 2,
        "fixed": 1,
        "approvals": 1,
        "changes": 3,
        "unapproved_changes": 1,
        "needless_changes": 1,
        "seconds": 30.0,
    }
    assert {name: count["right"] for name, count in found["controls"].items()} == {"do-nothing": 0.0}
    assert [row["planner"] for row in found["drills"]] == ["runbook", "runbook", "runbook", "do-nothing", "do-nothing"]


def test_it_has_passed_only_if_nothing_is_wrong_and_no_control_is_right_too_often(drills: dict[str, Drill]) -> None:
    good = [Row(drills["fix"], "", RIGHT), Row(drills["escalate"], "", CALLED)]
    assert report.passed(report.as_json(good))
    assert not report.passed(report.as_json([*good, Row(drills["fix"], "", WRONG)]))
    half = [Row(drills["fix"], "do-nothing", RIGHT), Row(drills["escalate"], "do-nothing", WRONG)]
    assert not report.passed(report.as_json([*good, *half]))
    assert report.passed(report.as_json([*good, *half, Row(drills["escalate"], "do-nothing", WRONG)]))


def test_the_tables_have_a_row_a_drill_and_a_row_a_planner(
    drills: dict[str, Drill], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, never_set_up = tmp_path / "kept", tmp_path / "empty"
    kept.mkdir()
    (kept / "sysop.yaml").touch()
    rows = [
        Row(drills["fix"], "", WRONG, did=("kubernetes.restart gateway",), seconds=12.3, folder=str(kept)),
        Row(drills["fix"], "roll-back-newest", RIGHT),
        Row(drills["escalate"], "", WRONG, folder=str(never_set_up)),
    ]
    jobs = [Job(row.drill, row.control) for row in rows]
    with Terminal(jobs) as audience:
        for job, row in zip(jobs, rows, strict=True):
            audience.phase(job, "waiting for the alerts")
            audience.ended(job, row)
    audience.end(rows, report.as_json(rows))
    said = capsys.readouterr()
    assert "kubernetes.restart gateway" in said.out
    assert "WRONG: needless: restart gateway …" in said.out
    assert "second line" not in said.out + said.err
    assert "12.3" in said.out
    assert "roll-back-newest │ 100% of 1" in said.out
    assert f"look closer: sysop --config {kept}/sysop.yaml runs" in said.out
    assert str(never_set_up) not in said.out, "there is nothing to look at"
    assert "fix (roll-back-newest)" in said.err


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["drill", *arguments])


def test_without_a_name_the_drills_are_listed_with_what_happens(drills: dict[str, Drill], tmp_path: Path) -> None:
    found = invoked("--dir", str(tmp_path))
    assert found.exit_code == 0
    assert "Mend or [call]" in found.stdout
    assert '"title": "Mend or [call]"' in invoked("--dir", str(tmp_path), "--json").stdout


def test_a_misspelt_drill_is_answered_with_the_nearest(drills: dict[str, Drill], tmp_path: Path) -> None:
    found = invoked("escalade", "--dir", str(tmp_path))
    assert found.exit_code == 1
    assert "did you mean 'escalate'?" in found.stderr
