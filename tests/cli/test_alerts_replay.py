"""`sysop alerts replay`: recorded deliveries in, predictions and a summary out, and nothing else touched."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from terminal import Shell, at_terminal, clean_environment, same_as_snapshot

import recordings
from recordings import Fired, call
from sysop.incidents.correlation import Knobs
from sysop.sections import CorrelationSettings

RECORDING = recordings.recording(11)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording, its topology, and no settings."""
    recordings.write(tmp_path, RECORDING)
    recordings.write(tmp_path, RECORDING, "deliveries.jsonl.gz")
    return tmp_path


@pytest.fixture
def bare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a command line in that folder."""
    monkeypatch.setenv("COLUMNS", "120")
    return Shell(folder, monkeypatch)


def predictions(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def groups(lines: list[dict[str, Any]]) -> Counter[frozenset[str]]:
    """Return the final incidents, by their members."""
    last = {line["alert"]: line["incident"] for line in lines}
    members: dict[str, set[str]] = {}
    for alert, incident in last.items():
        if incident is not None:
            members.setdefault(incident, set()).add(alert)
    return Counter(map(frozenset, members.values()))


# -- what it needs and what it leaves ---------------------------------------------------------------------------------


def test_it_runs_in_an_empty_environment_and_makes_nothing_but_its_file(folder: Path) -> None:
    before = {file.name for file in folder.iterdir()}
    words = ["alerts", "replay", "deliveries.jsonl.gz", "--topology", "topology.json", "--out", "out.jsonl", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "sysop", *words], cwd=folder, env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["occurrences"] == len({line["alert"] for line in predictions(folder / "out.jsonl")})
    assert {file.name for file in folder.iterdir()} == before | {"out.jsonl"}


def test_broken_settings_and_databases_around_it_are_not_looked_at(bare: Shell) -> None:
    bare.write("a: [")
    (bare.folder / ".sysop").mkdir()
    (bare.folder / ".sysop" / "sysop.db").write_text("this is not a database")
    bare.monkeypatch.setenv("SYSOP_CONFIG", "/nowhere/sysop.yaml")
    assert bare("alerts", "replay", "deliveries.jsonl").code == 0
    assert (bare.folder / ".sysop" / "sysop.db").read_text() == "this is not a database"


# -- what it writes ---------------------------------------------------------------------------------------------------


def test_plain_zipped_and_standard_input_give_the_same_lines(bare: Shell) -> None:
    for source, target in (("deliveries.jsonl", "a"), ("deliveries.jsonl.gz", "b")):
        assert bare("alerts", "replay", source, "--topology", "topology.json", "--out", target).code == 0
    command = [sys.executable, "-m", "sysop", "alerts", "replay", "-", "--topology", "topology.json", "--out", "-"]
    piped = subprocess.run(
        command,
        cwd=bare.folder,
        env=clean_environment(),
        input=(bare.folder / "deliveries.jsonl.gz").read_bytes(),
        capture_output=True,
        check=True,
    )
    written = (bare.folder / "a").read_bytes()
    assert written == (bare.folder / "b").read_bytes() == piped.stdout
    assert b"largest incidents" in piped.stderr


def test_every_occurrence_has_a_line_and_its_time_is_that_of_a_delivery(bare: Shell) -> None:
    bare("alerts", "replay", "deliveries.jsonl", "--topology", "topology.json", "--out", "out")
    found = predictions(bare.folder / "out")
    mentioned = {f"{a['fingerprint']}@{a['startsAt']}" for one in RECORDING for a in one["body"]["alerts"]}
    assert {line["alert"] for line in found} == mentioned
    assert {line["at"] for line in found} <= {one["received_at"] for one in RECORDING}
    assert all(line.keys() == {"alert", "incident", "at"} for line in found)


@pytest.mark.parametrize("seed", range(20))
def test_the_final_incidents_do_not_depend_on_how_deliveries_came(bare: Shell, seed: int) -> None:
    recordings.write(bare.folder, recordings.disturbed(RECORDING, seed), "disturbed.jsonl.gz")
    for source, target in (("deliveries.jsonl", "a"), ("disturbed.jsonl.gz", "b")):
        assert bare("alerts", "replay", source, "--topology", "topology.json", "--out", target).code == 0
    straight, crooked = (groups(predictions(bare.folder / name)) for name in ("a", "b"))
    assert straight == crooked
    assert len(straight) > 2


def test_a_file_appears_whole_or_not_at_all(bare: Shell) -> None:
    target = bare.folder / "out.jsonl"
    target.write_text("what was there before\n")
    with (bare.folder / "deliveries.jsonl").open("a") as recording:
        recording.write("{\n")
    assert bare("alerts", "replay", "deliveries.jsonl", "--out", "out.jsonl").code == 2
    assert target.read_text() == "what was there before\n"
    assert not list(bare.folder.glob("*.part"))
    nowhere = bare("alerts", "replay", "deliveries.jsonl.gz", "--out", "nowhere/out.jsonl")
    assert (nowhere.code, "nowhere/out.jsonl cannot be written: No such" in nowhere.err) == (1, True)


@pytest.mark.parametrize("target", ["deliveries.jsonl", "topology.json", "link.jsonl"])
def test_what_is_read_is_never_overwritten(bare: Shell, target: str) -> None:
    (bare.folder / "link.jsonl").symlink_to("deliveries.jsonl")
    before = (bare.folder / target).read_bytes()
    said = bare("alerts", "replay", "deliveries.jsonl", "--topology", "topology.json", "--out", target)
    assert (said.code, "would overwrite what is read" in said.err) == (2, True), said
    assert (bare.folder / target).read_bytes() == before


def test_a_pipe_by_its_name_is_written_into(bare: Shell) -> None:
    command = f"{sys.executable} -m sysop alerts replay deliveries.jsonl --out /dev/stdout | cat"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=bare.folder, env=clean_environment(), capture_output=True, text=True, check=True
    )
    bare("alerts", "replay", "deliveries.jsonl", "--out", "out")
    assert done.stdout.startswith((bare.folder / "out").read_text())
    assert done.stderr == ""


# -- what it tells ----------------------------------------------------------------------------------------------------


def a_small_recording(folder: Path) -> Path:
    """Write an incident of a database and what calls it, an alarm by chance, one that is no problem, one that flaps."""
    fired = [
        Fired("ReplicationLag", "db", 3600, 4500, "critical"),
        Fired("HighLatency", "ledger", 3630, 4500, "warning"),
        Fired("HighErrorRate", "ledger", 3640, 4500, "critical"),
        Fired("HighErrorRate", "payments", 3660, 4500, "critical"),
        Fired("QueueGrows", "payments", 3680, 4500, "warning"),
        Fired("CertificateEnds", "images", 7200, 7300, "warning"),
        Fired("Watchdog", "metrics", 5, 9000, "none"),
        *(Fired("DiskFlaps", "batch", 1000 + 400 * n, 1100 + 400 * n, "warning") for n in range(6)),
        Fired("HighErrorRate", "search", 9000, 9300, "critical"),
    ]
    calls = [call(one.at + 2, [one.sent(resolved=False)]) for one in fired]
    calls += [call(one.ended + 2, [one.sent(resolved=True)]) for one in fired]
    return recordings.write(folder, sorted(calls, key=lambda one: one["received_at"]), "small.jsonl")


def test_the_summary_fits_one_screen_and_says_what_came_of_it(bare: Shell) -> None:
    a_small_recording(bare.folder)
    said = bare("alerts", "replay", "small.jsonl", "--topology", "topology.json")
    assert said.code == 0
    same_as_snapshot(said.out, "alerts-replay")


def test_a_narrow_terminal_leaves_columns_out_before_it_folds(bare: Shell) -> None:
    a_small_recording(bare.folder)
    screen = at_terminal(bare.folder, ["alerts", "replay", "small.jsonl", "--topology", "topology.json"], columns=60)
    assert "ReplicationLag on db" in screen
    assert "Traceback" not in screen


def test_the_json_has_every_incident_with_its_alerts_and_the_settings(bare: Shell) -> None:
    told = bare("alerts", "replay", "deliveries.jsonl", "--topology", "topology.json", "--out", "out", "--json").json
    by_lines = groups(predictions(bare.folder / "out"))
    assert Counter(frozenset(one["alerts"]) for one in told["incidents"]) == by_lines
    shown = sum(len(one["alerts"]) for one in told["incidents"])
    assert sum(told["held"].values()) + shown == told["occurrences"]
    assert told["deliveries"] == len(RECORDING)
    assert told["settings"]["join"] == 0.4


def test_an_explanation_tells_every_decision_with_its_reasons(bare: Shell) -> None:
    a_small_recording(bare.folder)
    words = ["alerts", "replay", "small.jsonl", "--topology", "topology.json", "--explain"]
    payments = Fired("HighErrorRate", "payments", 3660, 4500, "critical").key
    told = bare(*words, payments, "--json").json["explained"]
    assert {one["alert"] for one in told} == {payments}
    assert told[-1]["incident"] is not None
    assert told[-1]["reason"]
    assert all(one["kind"] and one["words"] and 0 <= one["weight"] <= 1 for one in told[-1]["why"])
    screen = bare(*words, payments).out
    assert payments in screen
    assert told[-1]["why"][0]["words"].split()[0] in screen
    flapping = bare(*words, "diskflaps-batch-warning").out
    assert flapping.count("diskflaps-batch-warning@") == 6
    assert "held back" in flapping
    unknown = bare(*words, "nothing")
    assert (unknown.code, "no alert of the recording is 'nothing'" in unknown.err) == (2, True)


def test_an_empty_recording_is_no_mistake(bare: Shell) -> None:
    (bare.folder / "empty").write_bytes(b"")
    said = bare("alerts", "replay", "empty", "--out", "out")
    assert (said.code, said.out) == (0, "no alerts in 0 deliveries\n")
    assert (bare.folder / "out").read_text() == ""
    assert bare("alerts", "replay", "empty", "--against", "join=0.5").code == 0
    assert bare("alerts", "replay", "empty", "--json").json["incidents"] == []


# -- comparing settings -----------------------------------------------------------------------------------------------

COMPARE = ["alerts", "replay", "deliveries.jsonl", "--topology", "topology.json"]


def test_two_settings_side_by_side_say_what_becomes_of_incidents(bare: Shell) -> None:
    told = bare(*COMPARE, "--against", "join=0.95", "--against", "merge=0.99", "--json").json
    alone = bare(*COMPARE, "--set", "join=0.95", "--set", "merge=0.99", "--json").json
    assert told["against"] == alone
    assert (told["settings"]["join"], told["against"]["settings"]["join"]) == (0.4, 0.95)
    found = told["differences"]
    assert found["pairs_before"] > 0
    assert found["changes"]
    screen = bare(*COMPARE, "--against", "join=0.95", "--against", "merge=0.99").out
    assert "join=0.4 merge=0.5" in screen
    assert "join=0.95 merge=0.99" in screen
    assert found["changes"][0]["kind"] in screen


def test_the_same_settings_differ_in_nothing(bare: Shell) -> None:
    said = bare(*COMPARE, "--set", "join=0.5", "--against", "join=0.5")
    assert "0 only the first, 0 only the second time" in said.out
    assert "what becomes" not in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "join"], "'join' is not NAME=VALUE, such as join=0.4"),
        (["--set", "jion=0.5"], "there is no setting 'jion'; did you mean 'join'?"),
        (["--set", "join=much"], "join: 'much' is not a number, such as 0.4"),
        (["--set", "join=nan"], "join must"),
        (["--set", "join=7"], "join must lie between 0 and 1"),
        (["--against", "held=0.5"], "held: '0.5' is not a whole number"),
        (["--against", "alone_from=loud"], "alone_from must be one of"),
        (["--json", "--out", "-"], "--json and --out - both write to standard output"),
    ],
)
def test_a_wrong_option_names_the_fix(bare: Shell, words: list[str], told: str) -> None:
    said = bare("alerts", "replay", "deliveries.jsonl", *words)
    assert (said.code, told in said.err) == (2, True), said


def test_the_page_of_correlation_has_every_setting_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs/correlation.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| ([\w.]+) \|", page, re.MULTILINE))
    assert listed == {name: str(value) for name, value in asdict(Knobs()).items()}


def test_the_settings_that_sysop_yaml_takes_are_settings_of_the_engine() -> None:
    assert CorrelationSettings().model_dump().items() <= asdict(Knobs()).items()


def test_ctrl_c_ends_it_at_once_and_leaves_no_file(folder: Path) -> None:
    command = [sys.executable, "-m", "sysop", "alerts", "replay", "-", "--out", "out.jsonl", "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **pipes,
    ) as process:
        assert process.stdin is not None
        process.stdin.write((folder / "deliveries.jsonl").read_bytes().splitlines(keepends=True)[0])
        process.stdin.flush()
        until = time.monotonic() + 60
        while not (folder / "out.jsonl.part").exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130  # its standard input is open still
        out, err = process.communicate()
        assert (out, b"Traceback" in err) == (b"", False)
    assert not list(folder.glob("out.jsonl*"))


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"received_at": "x"}\n', "line 1: received_at: 'x' is not a time; write it like 2026-"),
        (b"\n\n[]\n", "line 3: the line: must be an object"),
        (b"\x1f\x8b\x08 this is no zip", "line 1: the file is damaged or cut off"),
        (b"PK\x03\x04\xff\xfe", "line 1: is not"),
    ],
)
def test_a_bad_recording_names_line_field_and_fix_and_ends_with_code_2(bare: Shell, content: bytes, told: str) -> None:
    (bare.folder / "bad").write_bytes(content)
    said = bare("alerts", "replay", "bad")
    assert (said.code, told in said.err, "Traceback" in said.err) == (2, True, False), said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "is not a topology"),
        (b"[]", "is not a topology"),
        (b"[" * 100_000, "is not a topology"),
        (b'{"services": {"a": {}}, "edges": [["a"]]}', "edges[0]"),
        (b'{"services": {"a": {}}, "edges": [["a", "b"]]}', "'b'"),
        (b"\xff", "is not a topology"),
        (b'{"alerts": {}, "incidents": {}}', "services is missing"),
    ],
)
def test_a_bad_topology_names_the_field_and_ends_with_code_2(bare: Shell, content: bytes, told: str) -> None:
    (bare.folder / "topology.json").write_bytes(content)
    said = bare("alerts", "replay", "deliveries.jsonl", "--topology", "topology.json")
    assert (said.code, told in said.err, "--topology" in said.err) == (2, True, True), said


@pytest.mark.parametrize("words", [["nowhere"], ["."], ["deliveries.jsonl", "--topology", "nowhere"]])
def test_a_file_that_is_not_there_is_a_mistake_in_the_command(bare: Shell, words: list[str]) -> None:
    said = bare("alerts", "replay", *words)
    assert (said.code, "Traceback" in said.err) == (2, False)


# -- how it looks while it works --------------------------------------------------------------------------------------


def test_long_work_shows_how_far_it_is_on_a_terminal_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    from sysop.cli import alerts_replay
    from sysop.incidents import recorded

    monkeypatch.setattr(alerts_replay, "AFTER_S", -1.0)
    monkeypatch.setattr(alerts_replay, "EVERY_S", 0.0)
    for terminal in (True, False):
        screen, file = io.StringIO(), folder / "deliveries.jsonl"
        console = Console(file=screen, force_terminal=terminal, width=80)
        with file.open("rb") as source, alerts_replay.Reading(console, file.stat().st_size) as bar:
            read = list(bar.counting(recorded.read(recorded.unzipped(source)), source))
        assert len(read) == len(RECORDING)
        assert ("100%" in screen.getvalue()) is terminal
        assert terminal or screen.getvalue() == ""
