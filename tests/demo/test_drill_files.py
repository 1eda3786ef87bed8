"""The folders of drills: what they may hold, what is drawn from them, and what a wrong one is told."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.demo.drilling.folder import SHIPPED, DrillError, filled, load, names
from sysop.demo.drilling.schema import Release

ROOT = Path(__file__).resolve().parents[2]
FAULT = """
title: A release that fails requests
runbook: error-rate-after-deploy
choose: {service: [gateway, checkout, payments]}
decoys: {deploys: [0, 2], after: [1s, 6s]}
faults:
  - {at: [500ms, 2s], kind: release, service: "${service}", fault: errors}
deadline: 2m
"""
TRUTH = """
answer: fix
changes: [{kind: deploy, service: "${service}", after: "${good}"}]
"""
ORACLE = """
steady: 5s
well: [gateway, checkout, payments]
live: {"${service}": "${good}"}
"""


def write(folder: Path, name: str = "errors", fault: str = FAULT, truth: str = TRUTH, oracle: str = ORACLE) -> Path:
    (folder / name).mkdir(parents=True)
    for file, text in (("fault", fault), ("truth", truth), ("oracle", oracle)):
        (folder / name / f"{file}.yaml").write_text(text)
    return folder


def refused(folder: Path, **files: str) -> str:
    with pytest.raises(DrillError) as caught:
        load(write(folder, **files), "errors", 1)
    return str(caught.value)


def test_the_same_seed_draws_the_same_and_others_draw_otherwise(tmp_path: Path) -> None:
    folder = write(tmp_path)
    drawn = [load(folder, "errors", seed) for seed in range(1, 21)]
    assert drawn == [load(folder, "errors", seed) for seed in range(1, 21)]
    guilty = {one.about.faults[0].service for one in drawn}  # type: ignore[union-attr]
    assert guilty == {"gateway", "checkout", "payments"}
    assert {len(one.orders) for one in drawn} == {1, 2, 3}
    assert len({one.orders[0].at for one in drawn}) > 5


def test_times_and_decoys_stay_within_what_was_written(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for seed in range(40):
        one = load(folder, "errors", seed)
        assert list(one.orders) == sorted(one.orders, key=lambda order: order.at)
        bad = [order for order in one.orders if order.fault is one.about.faults[0]]
        decoys = [order for order in one.orders if order.fault is not one.about.faults[0]]
        assert [0.5 <= order.at <= 2 for order in bad] == [True]
        for order in decoys:
            assert isinstance(order.fault, Release)
            assert order.fault.fault == "none"
            assert order.fault.service != bad[0].fault.service  # type: ignore[union-attr]
            assert 1 <= order.at <= 6


def test_two_names_never_draw_the_same_value(tmp_path: Path) -> None:
    fault = FAULT.replace("choose: {", "choose: {other: [gateway, payments], ")
    folder = write(tmp_path, fault=fault, truth=TRUTH.replace("${service}", "${other}"))
    for seed in range(40):
        one = load(folder, "errors", seed)
        assert one.about.faults[0].service != one.truth.changes[0].service  # type: ignore[union-attr]
    narrow = FAULT.replace("choose: {", "choose: {other: [gateway], third: [gateway], ")
    assert "no value is left that no other name has drawn" in refused(tmp_path / "narrow", fault=narrow)


def test_what_was_live_before_is_filled_in_once_it_is_known(tmp_path: Path) -> None:
    one = load(write(tmp_path), "errors", 3)
    service = one.about.faults[0].service  # type: ignore[union-attr]
    truth, oracle = filled(one.truth, {"good": "1.2.3"}), filled(one.oracle, {"good": "1.2.3"})
    assert [(c.service, c.after) for c in truth.changes] == [(service, "1.2.3")]
    assert oracle.live == {service: "1.2.3"}
    assert oracle.steady == 5.0


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("fault", "runbook:", "runbok:", "fault.yaml:3: runbok: there is no such field; did you mean 'runbook'?"),
        ("fault", "kind: release", "kind: relaese", "there is no such kind; the kinds are 'release', 'config'"),
        ("fault", "fault: errors", "fault: erors", "faults.0.fault: Input should be 'errors', 'latency'"),
        ("fault", ", fault: errors", "", "faults.0.fault: this field is missing; add it"),
        ("fault", "[500ms, 2s]", "[3s, 2s]", "faults.0.at: the first must not be above the second; swap them"),
        ("fault", "deadline: 2m", "deadline: 2", "fault.yaml:8: deadline: write a duration such as 500ms, 3s or 2m"),
        ("fault", "title: A release that fails requests", "", "title: this field is missing; add it"),
        ("fault", '"${service}"', "basket", "faults.0.service: there is no service 'basket'; the services are gateway"),
        ("fault", "choose: {service: [gateway, checkout, payments]}", "", "nothing is called ${service}; name it"),
        ("fault", "[gateway, checkout, payments]", "gateway", "choose.service: write a list of values"),
        (
            "truth",
            "answer: fix",
            "answer: mend",
            "truth.yaml:2: answer: Input should be 'fix', 'escalate' or 'nothing'",
        ),
        ("truth", "answer: fix", "answer: nothing", "where the answer is nothing, no change may be made"),
        ("truth", "${good}", "${best}", "truth.yaml:3: changes.0.after: nothing is called ${best}; there are good"),
        ("oracle", "steady: 5s", "", "oracle.yaml:3: steady: this field is missing; add it"),
        ("oracle", "well:", "wel:", "oracle.yaml:3: wel: there is no such field; did you mean 'well'?"),
        ("oracle", "live:", "figures: [{service: gateway, figure: disk_used}] #", "write at least one of below, above"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_the_field_and_the_fix(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    text = {"fault": FAULT, "truth": TRUTH, "oracle": ORACLE}[file]
    assert old in text
    assert said in refused(tmp_path, **{file: text.replace(old, new)})


def test_a_folder_without_drills_or_files_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DrillError, match=r"holds no drill: make a folder in it with fault\.yaml"):
        names(tmp_path)
    with pytest.raises(DrillError, match="is no folder; --dir names one"):
        names(tmp_path / "nowhere")
    write(tmp_path)
    (tmp_path / "errors/truth.yaml").unlink()
    with pytest.raises(DrillError, match=r"truth.yaml: No such file or directory; a drill has the files fault.yaml"):
        load(tmp_path, "errors", 1)
    with pytest.raises(DrillError, match=r"there is no drill 'eror' in .*did you mean 'errors'"):
        load(tmp_path, "eror", 1)


@given(st.text(max_size=60))
def test_whatever_a_file_holds_instead_the_error_names_the_file(text: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = write(Path(made), truth=text)
        with pytest.raises(DrillError, match=r"truth\.yaml"):
            load(folder, "errors", 1)


def test_nothing_but_the_engine_and_its_command_knows_of_drills() -> None:
    product = [*(ROOT / "bot").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    knows = {str(file.relative_to(ROOT)) for file in product if "drilling" in file.read_text()}
    engine = {name for name in knows if name.startswith("bot/sysop/demo/drilling/")}
    assert knows - engine == {"bot/sysop/cli/drill.py"}
    assert len(engine) > 5


def test_every_shipped_drill_is_valid_with_every_seed() -> None:
    shipped = names(SHIPPED)
    drawn = [load(SHIPPED, name, seed) for name in shipped for seed in range(1, 13)]
    escalated = {one.name for one in drawn if one.truth.answer == "escalate"}
    assert len(escalated) <= 0.3 * len(shipped), "most drills have something to mend"
    runbooks = {file.stem for file in (ROOT / "runbooks").glob("*.md")}
    assert {one.about.runbook for one in drawn if one.about.runbook} <= runbooks
