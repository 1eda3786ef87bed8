"""Incidents at the command line: shown whole, grouped by hand, looked back on."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from terminal import Shell, at_terminal, same_as_snapshot

import bench
from gate.kit import ANN
from incidents.lived import DAY, Lived, add_past, alert
from sysop.cli import figures_view
from sysop.cli import incidents_view as view
from sysop.cli.figures_view import BAR, bar
from sysop.cli.incidents import _whole
from sysop.cli.length import Length
from sysop.incidents.figures import Figures, figures
from sysop.inventory import Inventory
from sysop.store.store import Store

INVENTORY = "inventory:\n  checkout: {owner: team shop}\n  gateway: {owner: team edge, depends_on: [checkout]}\n"


def live(folder: Path, happens: Callable[[Lived], Awaitable[object]]) -> None:
    """Let something happen in a new database in a folder, as a process of Sysop would."""
    bench.upgrade(url := f"sqlite:///{folder / 'sysop.db'}")

    async def once() -> None:
        lived = Lived(folder, url)
        try:
            await happens(lived)
        finally:
            await lived.close()

    asyncio.run(once())


def lived_in(shell: Shell, happens: Callable[[Lived], Awaitable[object]]) -> None:
    """Let something happen in the database of a shell."""
    live(shell.folder / ".sysop", happens)
    shell.write((shell.folder / "sysop.yaml").read_text() + INVENTORY)


async def _a_past_and_an_incident(lived: Lived) -> None:
    now = await lived.app.store.now()
    origin = [{"alert": "x", "service": "checkout", "weight": 0.6, "reason": "it was first"}]
    spans = {"acknowledged_at": 120_000, "mitigated_at": 240_000, "resolved_at": 900_000}
    pairs = [("HighErrorRate", "checkout"), ("Slow", "gateway")]
    await add_past(lived.app.store, {"at": now - 27 * DAY, "alerts": pairs, "origins": origin, **spans})
    await lived.live_through()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a Sysop where an incident was lived through that is like one before, to be copied."""
    folder = tmp_path_factory.mktemp("lived")
    live(folder, _a_past_and_an_incident)
    return folder


@pytest.fixture
def lived(shell: Shell, once: Path) -> Shell:
    """Return a shell in that state."""
    shutil.copytree(once, shell.folder / ".sysop")
    shell.write((shell.folder / "sysop.yaml").read_text() + INVENTORY)
    return shell


def newest(shell: Shell) -> str:
    return str(shell("incidents", "--json").json[0]["id"])


def test_an_incident_tells_its_origin_its_owner_why_alerts_belong_what_is_like_it_and_what_happened(
    lived: Shell,
) -> None:
    id = newest(lived)
    said = lived("incidents", "show", id)
    assert said.code == 0
    for words in (
        "team shop, team edge",
        "by ann since ",
        "checkout, 72 %: it was first",
        "1 other alert around that time: sysop alerts --held",
        "HighErrorRate-checkout",
        "fits g",
        "same HighErrorRate on",
        "mitigated after 4 min",
        "lab.checked thing:web was done, and it helped: healthy",
    ):
        assert words in said.out, words
    whole = lived("incidents", "show", id, "--json").json
    assert (whole["owners"], whole["held_back"], whole["left_out"]) == (["team shop", "team edge"], 1, 0)
    assert whole["similar"][0]["incident"] == "inc-past000000"
    assert whole["origins"][0]["service"] == "checkout"
    assert {moment["kind"] for moment in whole["timeline"]} == {
        "alert",
        "incident",
        "run",
        "call",
        "approval",
        "message",
    }


def drawn(width: int, *shown: RenderableType) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(*shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_ids_to_copy_stay_whole_and_nothing_is_wider_than_the_terminal(lived: Shell, width: int) -> None:
    id = newest(lived)

    async def read() -> tuple[view.Whole, Figures]:
        store = Store.open(f"sqlite:///{lived.folder}/.sysop/sysop.db")
        now, inventory = await store.now(), Inventory()
        whole = await store.read(lambda conn: _whole(conn, inventory, id))
        counted = await store.read(lambda conn: figures(conn, inventory, now - 30 * DAY, now + 1, "week"))
        await store.close()
        return whole, counted

    whole, counted = asyncio.run(read())
    screen, bars = drawn(width, view.whole(whole)), drawn(width, figures_view.figures(counted))
    assert all(id in screen for id in (whole.incident.id, str(whole.incident.run), "inc-past000000")), screen
    assert max(map(len, [*screen.splitlines(), *bars.splitlines()])) <= width
    assert "█" * BAR in bars


def test_the_whole_of_it_fits_a_narrow_terminal(lived: Shell) -> None:
    screen = at_terminal(lived.folder, ["incidents", "show", id := newest(lived)], columns=60)
    assert id in screen
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen).splitlines()
    assert max(len(line) for line in lines if "step by step" not in line) <= 60


def test_an_incident_of_nobody_says_so(shell: Shell) -> None:
    async def odd(lived: Lived) -> None:
        await lived.app.lifecycle.open_by_hand(ANN, "Web is odd", "error", ["gateway"], delivery="1")

    lived_in(shell, odd)
    said = shell("incidents", "show", newest(shell)).out
    for words in ("looked after  by nobody yet", "origin        undetermined", "run           none"):
        assert words in said
    assert "similar incidents" not in said
    assert "held back" not in said


# -- grouping by hand -------------------------------------------------------------------------------------------------


async def _three(lived: Lived) -> None:
    now = await lived.app.store.now()
    a, b, c = alert("A", "checkout", now), alert("B", "gateway", now), alert("C", "blog", now)
    await lived.place({"g": [a, b], "h": [c]}, held=[alert("D", "blog", now)])


@pytest.fixture
def three(shell: Shell) -> Shell:
    lived_in(shell, _three)
    return shell


def open_ones(shell: Shell) -> dict[str, list[str]]:
    found = shell("incidents", "--open", "--json").json
    return {one["id"]: sorted(alert["fingerprint"][0] for alert in one["alerts"]) for one in found}


def test_a_person_merges_splits_and_moves(three: Shell) -> None:
    large, small = sorted(open_ones(three), key=lambda id: -len(open_ones(three)[id]))
    said = three("incidents", "merge", small, large)
    assert (said.code, said.out.splitlines()[0]) == (0, f"{small} is part of {large} now.")
    assert f"incidents show {large}" in said.out
    assert open_ones(three) == {large: ["A", "B", "C"]}
    assert re.search(rf"part of\s+{large}", three("incidents", "show", small).out)
    split = three("incidents", "split", large, "A-checkout", "C-blog")
    made = split.find(r"inc-\w{10}")
    assert open_ones(three) == {large: ["B"], made: ["A", "C"]}
    assert three("incidents", "move", "C-blog", "--into", large).out.startswith(f"C-blog is in {large} now.")
    alone = three("incidents", "move", "D-blog").find(r"inc-\w{10}")
    assert open_ones(three) == {large: ["B", "C"], made: ["A"], alone: ["D"]}
    freed = three("incidents", "move", "D-blog", "--free")
    assert (freed.code, freed.out.splitlines()[0]) == (
        0,
        "D-blog is left to correlation, which finds its place while Sysop runs.",
    )
    log = three("audit", "show", "--chain", f"incident:{large}", "--json").json
    assert {entry["actor"] for entry in log if entry["kind"] in ("incident.merged", "incident.split")} == {"person:ann"}


@pytest.mark.parametrize("who", ["dan", "eve"])
def test_only_a_person_with_a_role_says_which_alerts_belong_together(three: Shell, who: str) -> None:
    before = open_ones(three)
    one, other = before
    for words in (["merge", one, other], ["split", one, "A-checkout"], ["move", "D-blog"]):
        said = three("incidents", *words, by=who)
        assert (said.code, "only a person with a role" in said.err) == (1, True), said
        assert ("Who you are is not in the settings" in said.err) is (who == "eve")
    assert open_ones(three) == before


def test_what_cannot_be_done_is_told_with_the_fix(three: Shell) -> None:
    one, other = sorted(open_ones(three), key=lambda id: -len(open_ones(three)[id]))
    for words, told in (
        (["merge", one, one], "cannot be merged into itself"),
        (["merge", "inc-x", one], "there is no incident 'inc-x'; see: sysop incidents"),
        (["split", one, "nope"], f"{one} has no alert nope; its alerts: A-checkout, B-gateway"),
        (["split", other, "C-blog"], f"these are all the alerts of {other}"),
        (["move", "nope"], "there is no alert with fingerprint nope"),
        (["move", "A-checkout", "--into", one], f"A is in {one} already"),
    ):
        said = three("incidents", *words)
        assert (said.code, told in said.err) == (1, True), said
    assert three("incidents", "split", one).code == 2
    both = three("incidents", "move", "A-checkout", "--free", "--into", other)
    assert (both.code, "--free and --into say different things" in both.err) == (2, True)
    assert (
        "nobody keeps A where it is; correlation decides already"
        in three("incidents", "move", "A-checkout", "--free").err
    )


# -- looking back -----------------------------------------------------------------------------------------------------


def test_similar_incidents_are_listed_with_what_they_share_and_how_they_ended(lived: Shell) -> None:
    id = newest(lived)
    (found,) = lived("incidents", "similar", id, "--json").json
    assert (found["incident"], found["ended"]) == ("inc-past000000", "mitigated after 4 min")
    assert found["reasons"] == [
        "same HighErrorRate on checkout and 1 more alert (in 1 of 1 past incidents)",
        "same probable origin checkout",
    ]
    assert "inc-past000000" in lived("incidents", "similar", id).out
    none = lived("incidents", "similar", "inc-past000000")
    assert (none.code, none.out) == (0, "none of the past incidents has much in common with it\n")
    assert "there is no incident 'inc-x'" in lived("incidents", "similar", "inc-x").err


def test_alerts_that_were_held_back_are_listed_with_the_fingerprint_to_move_them_by(three: Shell) -> None:
    said = three("alerts", "--held").out
    fingerprint = three("alerts", "--held", "--json").json[0]["fingerprint"]
    assert (fingerprint in said, "held back" in said, "it stands alone" in said) == (True, True, True)
    assert three("incidents", "move", fingerprint).code == 0
    assert three("alerts", "--held").out == "no alert is held back\n"


async def _endless_names(lived: Lived) -> None:
    now = await lived.app.store.now()
    some = [
        alert("N" * 6000, "S" * 5000, now, fingerprint="F" * 200),
        alert("line\n\nafter\x1b[31m line \u202e", "checkout", now + 1),
    ]
    origin = {"alert": f"test/{'F' * 200}@{now}", "service": "S" * 5000, "weight": 1.0, "reason": "R" * 5000}
    await lived.place({"g": some}, origins={"g": [origin]})


def test_endless_names_are_cut_and_stay_on_their_line(shell: Shell) -> None:
    lived_in(shell, _endless_names)
    id = newest(shell)
    for words in (("incidents",), ("alerts",), ("incidents", "show", id)):
        said = shell(*words)
        assert (said.code, len(said.out) < 12_000) == (0, True), words
        assert "\x1b" not in said.out
        assert "\u202e" not in said.out
    assert "F" * 120 not in said.out, "a long fingerprint folds, and leaves room for the reason"
    assert "100 %:" in said.out
    assert "line after\\u001b[31m line" in said.out
    assert shell("incidents", "show", id, "--json").json["alerts"][0]["labels"]["alertname"] == "N" * 6000


async def _a_storm(lived: Lived) -> None:
    now = await lived.app.store.now()
    await lived.place({"g": [alert("High", "checkout", now + at, fingerprint=f"f{at}") for at in range(230)]})


def test_of_a_storm_the_first_alerts_are_shown_and_the_others_counted(shell: Shell) -> None:
    lived_in(shell, _a_storm)
    said = shell("incidents", "show", newest(shell)).out
    members = said.partition("timeline")[0]
    assert (len(re.findall(r"\bf\d+\b", members)), "30 alerts more: --json has them" in members) == (200, True)


def test_one_that_was_merged_says_what_it_is_part_of(three: Shell) -> None:
    first, second = [one["id"] for one in three("incidents", "--json").json]
    assert three("incidents", "merge", first, second).code == 0
    assert f"part of {second}" in three("incidents").out
    said = three("incidents", "show", first).out
    assert "no alert belongs to it" in said


async def _a_history(lived: Lived) -> None:
    errors, slow = ("HighErrorRate", "checkout"), ("Slow", "gateway")
    spans = [
        {"acknowledged_at": n * 60_000, "mitigated_at": n * 600_000, "resolved_at": n * 900_000} for n in range(1, 6)
    ]
    now = await lived.app.store.now()
    await add_past(
        lived.app.store,
        *({"at": now - 7 * DAY, "alerts": [errors, slow], "severity": "critical", **one} for one in spans),
        {"at": now - DAY, "alerts": [slow]},
        {"at": now - 60 * DAY, "alerts": [slow], "severity": "critical", **spans[0]},
    )


def test_figures_look_as_they_should(shell: Shell) -> None:
    lived_in(shell, _a_history)
    told = shell("incidents", "figures", "--by", "severity")
    assert told.code == 0
    blanked = re.sub(r"^\d{4}-.* UTC$", "... to ... UTC", told.out, flags=re.MULTILINE)
    same_as_snapshot(blanked, "incidents-figures")


def test_figures_are_json_too_in_seconds(shell: Shell) -> None:
    lived_in(shell, _a_history)
    found = shell("incidents", "figures", "--since", "500d", "--by", "owner", "--json").json
    assert (found["whole"]["incidents"], found["whole"]["unacknowledged"]) == (7, 1)
    assert found["whole"]["acknowledged"] == {"count": 6, "mean_s": 160.0, "median_s": 150.0, "p90_s": 300.0}
    assert [(one["name"], one["incidents"]) for one in found["groups"]] == [("team edge", 7), ("team shop", 5)]


@pytest.mark.parametrize("wrong", ["30", "3x", "0d", "-1d", "", "1 y"])
def test_a_time_that_is_none_is_refused_with_the_form(shell: Shell, wrong: str) -> None:
    said = shell("incidents", "figures", "--since", wrong)
    assert (said.code, "write 30m, 2h or 1d12h" in said.err) == (2, True), said


@pytest.mark.parametrize(
    ("wrong", "told"), [("9999d", "too long; write 3650d or less"), (f"{'9' * 5000}d", "is no length of time")]
)
def test_a_time_before_all_records_is_refused(shell: Shell, wrong: str, told: str) -> None:
    said = shell("incidents", "figures", "--since", wrong)
    assert (said.code, told in said.err, len(said.err) < 400) == (2, True, True), said


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5_400), ("12h", 43_200), ("30d", 2_592_000), ("1d12h", 129_600)])
def test_a_length_is_in_seconds(text: str, seconds: int) -> None:
    assert Length().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("part", "most", "cells"), [(0, 9, 0), (1, 10_000, 1), (5, 10, BAR // 2), (7, 7, BAR), (0, 0, 0)]
)
def test_a_bar_is_as_long_as_its_part(part: int, most: int, cells: int) -> None:
    assert bar(part, most) == cells


def test_a_report_goes_to_standard_output_or_whole_into_a_file(lived: Shell) -> None:
    id = newest(lived)
    printed = lived("incidents", "report", id)
    assert (printed.code, printed.out.splitlines()[0]) == (0, "# Post-incident report: HighErrorRate on checkout")
    assert "| Owner | team shop, team edge |" in printed.out
    written = lived("incidents", "report", id, "--out", "report.md")
    assert (written.code, written.out, written.err) == (0, "", "written: report.md\n")
    told = re.compile(r"^Drafted .*$", re.MULTILINE)
    assert told.sub("", (lived.folder / "report.md").read_text()) == told.sub("", printed.out)
    assert "there is no incident 'inc-x'" in lived("incidents", "report", "inc-x", "--out", "other.md").err
    assert not (lived.folder / "other.md").exists()
    nowhere = lived("incidents", "report", id, "--out", "no/such/place.md")
    assert (nowhere.code, "cannot be written" in nowhere.err) == (1, True)


@pytest.mark.parametrize("words", ["show", "similar", "report", "figures"])
def test_looking_back_makes_no_database(shell: Shell, words: str) -> None:
    said = shell("incidents", words, *([] if words == "figures" else ["inc-x"]))
    assert (said.code, "there is no database at" in said.err) == (1, True)
    assert not (shell.folder / ".sysop").exists()


def test_looking_changes_nothing(lived: Shell) -> None:
    def rows() -> list[str]:
        with sqlite3.connect(lived.folder / ".sysop" / "sysop.db") as database:
            dump = list(database.iterdump())
        database.close()
        return dump

    before, id = rows(), newest(lived)
    for words in (["show", id], ["similar", id], ["figures"], ["report", id]):
        assert lived("incidents", *words).code == 0
    assert rows() == before
