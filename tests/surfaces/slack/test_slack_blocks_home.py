"""The Home tab and the lists that answer commands: what matters first, never more than Slack takes."""

from __future__ import annotations

import json
from typing import Any

import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st
from slack_payloads import texts
from test_slack_blocks_incident import cited

from sysop.model import Approval, AuditEntry
from sysop.store.mode import Mode
from sysop.surfaces.slack.blocks import home, listings
from sysop.surfaces.slack.blocks.home import Desk, PluginState
from sysop.surfaces.slack.blocks.listings import Command, Status

RUNNING = Mode(False, "", "", 0)
PAUSED = Mode(True, "person:lead", "release freeze", nouns.NOW)
modes = st.builds(Mode, st.booleans(), nouns.actors, nouns.words, nouns.times)
plugins = st.builds(PluginState, hostile.some, hostile.some, st.one_of(st.none(), nouns.words))
desks = st.builds(
    Desk,
    nouns.times,
    modes,
    st.lists(nouns.approvals, max_size=2).map(lambda found: [_numbered(one, n) for n, one in enumerate(found * 6)]),
    st.integers(0, 300),
    st.lists(nouns.incidents.map(nouns.brief), max_size=1).map(lambda found: found * 12),
    st.integers(0, 3000),
    st.lists(plugins, max_size=40),
)


def _numbered(one: Any, number: int) -> Any:
    return nouns.approval(
        **{name: getattr(one, name) for name in type(one).__dataclass_fields__} | {"id": f"apr-{number}"}
    )


entries = st.builds(
    AuditEntry,
    st.integers(1),
    hostile.some,
    st.integers(1),
    st.sampled_from(["run.started", "approval.voted"]),
    nouns.actors,
    nouns.times,
    st.dictionaries(hostile.some, nouns.values, max_size=4).map(json.dumps),
    st.just(b""),
)


@nouns.SOME
@given(desks)
def test_slack_takes_every_home(desk: Desk) -> None:
    payloads.takes_view(home.view(desk, nouns.NAMES, nouns.LINKS))


@nouns.SOME
@given(
    st.builds(Status, modes, *[st.integers(0, 10**6)] * 3, st.lists(hostile.some, max_size=12)),
    st.lists(nouns.incidents, max_size=1).map(lambda found: found * 15),
    st.lists(nouns.approvals, max_size=2).map(lambda found: found * 7),
    st.lists(nouns.runs, max_size=2).map(lambda found: found * 7),
)
def test_slack_takes_every_list_of_nouns(status: Status, incidents: Any, approvals: Any, runs: Any) -> None:
    payloads.takes(listings.status(status, nouns.NAMES, nouns.LINKS))
    payloads.takes(listings.incidents([nouns.brief(one) for one in incidents], 20, nouns.LINKS))
    payloads.takes(listings.approvals(approvals, nouns.NAMES, nouns.LINKS))
    payloads.takes(listings.runs(runs, nouns.LINKS))


@nouns.SOME
@given(
    st.lists(entries, max_size=15),
    st.lists(st.tuples(cited, nouns.words), max_size=15),
    st.lists(st.builds(Command, hostile.some, nouns.words), max_size=50),
    hostile.some,
)
def test_slack_takes_every_list_of_words(audit: Any, found: Any, commands: Any, unknown: str) -> None:
    payloads.takes(listings.audit(audit, nouns.NAMES, nouns.LINKS))
    payloads.takes(listings.runbooks(found, nouns.LINKS))
    payloads.takes(listings.help(commands, unknown))


def view(**desk: Any) -> Any:
    return home.view(Desk(nouns.NOW, **{"mode": RUNNING, **desk}), nouns.NAMES, nouns.LINKS)


def test_what_waits_for_this_person_can_be_decided_from_home() -> None:
    shown = view(approvals=[nouns.approval()], waiting=2)
    seen = texts(shown["blocks"])
    assert "cicd.rollback on service:checkout" in seen
    assert "Roll back checkout from 1.4.2 to 1.4.1" in seen
    assert "2 approvals wait for other people." in seen
    ids = [
        button["action_id"] for block in shown["blocks"] if block["type"] == "actions" for button in block["elements"]
    ]
    assert ids == [
        *("home.ask", "home.incident", "home.run", "home.pause"),
        *("approval.approve", "approval.deny", "approval.view"),
    ]


def test_a_quiet_home_says_so() -> None:
    seen = texts(view(plugins=[PluginState("cicd", "1.0")])["blocks"])
    for part in ("Changes are allowed", "Nothing needs your decision", "No incident is open", "1 plugin, all working"):
        assert part in seen


def test_a_pause_and_a_broken_plugin_stand_out() -> None:
    seen = texts(
        view(
            mode=PAUSED,
            plugins=[PluginState("cicd", "1.0", "no token")],
            incidents=[nouns.brief(nouns.incident())],
            open=1,
        )["blocks"]
    )
    for part in (
        "⏸ Changes are paused",
        "<@U0LEAD>",
        "release freeze",
        "Let changes go on",
        "1 not working",
        "no token",
    ):
        assert part in seen
    assert "🔴" in seen


def test_no_home_has_more_blocks_than_slack_takes() -> None:
    crowd = [_numbered(nouns.approval(), n) for n in range(100)]
    shown = view(
        approvals=crowd,
        incidents=[nouns.brief(nouns.incident())] * 100,
        open=2000,
        plugins=[PluginState(f"p{n}", "1", "x") for n in range(100)],
    )
    payloads.takes_view(shown)
    assert "… and 90 more approvals." in texts(shown["blocks"])
    assert "… and 1990 more" in texts(shown["blocks"])


def test_lists_say_how_many_there_are_and_how_many_are_not_shown() -> None:
    shown = listings.incidents([nouns.brief(nouns.incident())] * 12, 200, nouns.LINKS)
    assert shown.text == "200 incidents"
    assert "… and 188 more" in texts(shown.blocks)
    assert listings.incidents([], 0, nouns.LINKS).text == "No incident is open."
    assert "… and 3 more" in texts(listings.runs([nouns.run()] * 15, nouns.LINKS).blocks)


def test_the_status_begins_with_whether_all_is_well() -> None:
    assert listings.status(Status(RUNNING, 0, 3, 0), nouns.NAMES, nouns.LINKS).text == "🟢 All is quiet"
    busy = listings.status(Status(PAUSED, 0, 0, 1, ["cicd"]), nouns.NAMES, nouns.LINKS)
    assert busy.text == "🟡 Something needs attention"
    assert "release freeze" in texts(busy.blocks)
    assert listings.status(Status(RUNNING, 1, 0, 0), nouns.NAMES, nouns.LINKS).text == "🔴 Something needs attention"


@nouns.SOME
@given(st.lists(nouns.approvals, max_size=20))
def test_slack_takes_every_status_with_what_waits(waiting: list[Approval]) -> None:
    payloads.takes(listings.status(Status(RUNNING, 0, 0, len(waiting), (), waiting), nouns.NAMES, nouns.LINKS))
    payloads.takes(listings.approvals(waiting, nouns.NAMES, nouns.LINKS, "To say yes, write /sysop approve ID"))


def test_the_status_names_what_waits_by_its_id_and_counts_the_rest() -> None:
    one = nouns.approval()
    shown = listings.status(Status(RUNNING, 0, 0, 3, (), [one]), nouns.NAMES, nouns.LINKS)
    seen = texts(shown.blocks).replace("\n", "")
    for words in ("3 approvals waiting", f"{one.action} on {one.target}", one.id, "/sysop approve ID", "… and 2 more"):
        assert words in seen, words


def test_help_lists_what_there_is_and_names_the_word_that_is_none() -> None:
    shown = listings.help([Command("/sysop ask WHAT", "look into something")], "frobnicate")
    seen = texts(shown.blocks).replace("\n", "")
    assert "There is no frobnicate. This is what there is:" in seen
    assert "/sysop ask WHAT look into something" in seen
