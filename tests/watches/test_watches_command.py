"""`sysop watches`: what is watched, and what a watch would have said of the past."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from pathlib import Path

import pytest

from sysop.sections import LogWatchSettings
from sysop.watches.logs.log_watch import LogWatch


def settings(shell, prom, more: str = "") -> None:
    shell.write(f"""
plugins: {{metrics: {{url: "{prom.url}"}}}}
watches:
  metrics:
    - {{name: Load, query: load, history_hours: 2, calm_seconds: 60, service: checkout}}
{more}
  logs:
    - {{name: App, files: ["{shell.folder}/*.log"]}}
""")


def loads(prom, now: float) -> None:
    def calm(at: float) -> float:
        return 100 + random.Random(int(at)).gauss(0, 1)

    prom.gives("load", lambda at: calm(at) + (80 if now - 3600 <= at < now - 1800 else 0), pod="a")
    prom.gives("load", calm, pod="b")


def test_the_list_says_what_is_watched(shell, prom):
    settings(shell, prom)
    said = shell("watches", "list")
    assert said.code == 0
    for word in ("Load", "metric", "outlier; normal, every 60 s", "App", "log", "template rates"):
        assert word in said.out
    assert [(row["name"], row["open"]) for row in shell("watches", "list", "--json").json] == [("Load", 0), ("App", 0)]


BROKEN = """
    - {name: Wrong, query: "sum(", severity: error}
    - {name: Empty, query: empty}
    - {name: Elsewhere, query: q, source: nowhere}"""


def state_of(shell, prom) -> dict[str, tuple[bool | None, str]]:
    prom.gives("empty", lambda at: None)
    loads(prom, time.time())
    settings(shell, prom, BROKEN)
    (shell.folder / "a.log").write_text("one\n")
    return {row["name"]: (row["ok"], row["state"]) for row in shell("watches", "list", "--json").json}


def test_the_list_says_which_watches_can_look_and_why_others_cannot(shell, prom):
    state = state_of(shell, prom)
    assert state == {
        "Load": (True, "2 series"),
        "Wrong": (False, "metrics: bad_data: unknown /api/v1/query_range 'sum('"),
        "Empty": (None, "its query gives no series now"),
        "Elsewhere": (False, "there is no metric source 'nowhere'; known: metrics"),
        "App": (True, "1 file; nothing counted here yet"),
    }
    assert "bad_data" in shell("watches", "list").out


def test_the_list_says_how_far_a_log_watch_has_learnt(shell, prom):
    state_of(shell, prom)
    watch = LogWatch(
        LogWatchSettings(name="App", files=(f"{shell.folder}/*.log",)), shell.folder / ".sysop/watches/App.json", float
    )
    watch.look_here(0, {})
    for window in range(1, 71):
        with (shell.folder / "a.log").open("a") as log:
            log.write(f"order {window} placed\n")
        watch.look_here(window * 60, {})
        if window in (12, 70):
            asyncio.run(watch.keep())
            (app,) = [row for row in shell("watches", "list", "--json").json if row["name"] == "App"]
            assert app["state"] == (
                "1 file; learns, 11 of 60 windows" if window == 12 else "1 file; 1 kind of line known"
            )
    watch.close()


def test_doctor_has_a_line_for_every_watch_that_cannot_look(shell, prom):
    state_of(shell, prom)
    lines = [one for one in shell("doctor", "--json").json["checks"] if one["name"] == "watches"]
    assert [(one["status"], one["detail"].partition(":")[0]) for one in lines] == [
        ("failed", "Wrong"),
        ("note", "Empty"),
        ("failed", "Elsewhere"),
        ("ok", "Load, App can look"),
    ]
    assert all(one["fix"] for one in lines[:3])


def test_doctor_says_of_a_log_watch_without_files_or_with_one_that_is_none(shell, prom):
    settings(shell, prom)
    (note, _) = [one for one in shell("doctor", "--json").json["checks"] if one["name"] == "watches"][:2]
    assert (note["status"], note["detail"]) == ("failed", "Load: metrics: bad_data: unknown /api/v1/query_range 'load'")
    os.mkfifo(shell.folder / "pipe.log")
    details = [one["detail"] for one in shell("doctor", "--json").json["checks"] if one["name"] == "watches"]
    assert f"App: {shell.folder}/pipe.log cannot be followed: is no plain file" in details


def test_doctor_without_watches_says_nothing_of_them(shell):
    assert "watches" not in [one["name"] for one in shell("doctor", "--json").json["checks"]]


def test_without_watches_the_list_says_where_to_add_some(shell):
    assert "under `watches` in sysop.yaml" in shell("watches", "list").out
    assert shell("watches", "list", "--json").json == []


def test_a_test_draws_the_past_with_what_was_normal_and_the_findings(shell, prom):
    loads(prom, time.time())
    settings(shell, prom)
    said = shell("watches", "test", "Load", "--since", "2h")
    assert said.code == 0, said
    assert "Load: 1 finding in 2 h, in 1 of 2 series" in said.out
    assert "pod=a" in said.out
    assert "pod=b" in said.out
    assert said.find(r"\d{4}-\d\d-\d\d \d\d:\d\d:00 +\d{4}-\d\d-\d\d \d\d:\d\d:00 \(UTC\)")
    for sign in "•●░│":
        assert sign in said.out
    assert "outlier" in said.out


def test_as_json_it_gives_the_findings(shell, prom):
    now = time.time()
    loads(prom, now)
    settings(shell, prom)
    hit, other = shell("watches", "test", "Load", "--since", "120m", "--json").json
    (finding,) = hit["findings"]
    assert 0 <= finding["starts_at"] - (now - 3600) < 60
    assert 0 <= finding["ends_at"] - (now - 1800) < 60
    assert float(finding["value"]) > 170
    assert hit["labels"] == {"pod": "a"}
    assert hit["judged"] in (120, 121)
    assert other["findings"] == []


def test_only_so_many_series_are_drawn(shell, prom):
    loads(prom, time.time())
    settings(shell, prom)
    said = shell("watches", "test", "Load", "--series", "1")
    assert "pod=b" not in said.out
    assert "1 more series; see --series" in said.out


def test_it_says_what_was_not_judged_and_that_a_counter_is_one(shell, prom):
    now = time.time()
    prom.gives("load", lambda at: (at - now) if at > now - 900 else None)
    settings(shell, prom)
    said = shell("watches", "test", "Load", "--since", "1h")
    assert "samples not judged: there is no sample" in said.out
    assert "samples not judged: not enough history" in said.out
    assert "counter: true" in said.out


def test_of_a_log_watch_the_kinds_of_lines_are_shown(shell, prom):
    (shell.folder / "a.log").write_text("".join(f"order {n} placed\n" for n in range(30)) + "disk full\n")
    settings(shell, prom)
    said = shell("watches", "test", "App")
    assert "App: 31 lines of 2 kinds in 1 files" in said.out
    assert "order <number> placed" in said.out
    first, second = shell("watches", "test", "App", "--json").json["commonest"]
    assert (first["count"], first["template"]) == (30, "order <number> placed")
    assert second["example"] == "disk full"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["test", "Lod"], 1, r"there is no watch 'Lod'.*Load.*sysop watches list"),
        (["test", "Load", "--since", "soon"], 2, "write one such as 90m, 6h or 7d"),
        (["test", "Load", "--since", "91d"], 2, "at most 90d"),
        (["test", "Load"], 1, "bad_data: unknown"),
        (["test", "Empty"], 1, "gives no series in this time"),
        (["test", "Elsewhere"], 1, "there is no metric source 'nowhere'"),
    ],
    ids=["a name", "a time", "too far", "a query", "no series", "a source"],
)
def test_what_is_wrong_is_said_with_the_fix(shell, prom, words, code, says):
    prom.gives("empty", lambda at: None)
    more = "    - {name: Empty, query: empty}\n    - {name: Elsewhere, query: q, source: nowhere}"
    settings(shell, prom, more)
    said = shell("watches", *words)
    assert said.code == code
    assert said.find(f"(?s){says}")
    assert "Traceback" not in said.err


def test_the_example_of_the_page_is_valid(shell):
    page = (Path(__file__).parents[2] / "docs/watches.md").read_text()
    shell.write(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    names = [row["name"] for row in shell("watches", "list", "--json").json]
    assert names == ["CheckoutErrors", "OrderRate", "PaymentLatency", "CheckoutLog"]


def test_a_server_that_is_not_there_is_said(shell, prom):
    settings(shell, prom)
    shell.write((shell.folder / "sysop.yaml").read_text().replace(prom.url, "http://127.0.0.1:9"))
    said = shell("watches", "test", "Load")
    assert said.code == 1
    assert "cannot be reached" in said.err
