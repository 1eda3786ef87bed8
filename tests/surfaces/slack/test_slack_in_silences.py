"""Silences in Slack: typed, filled in, listed and ended, by people with a role, and what is told of another place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import in_kit
import pytest
from in_kit import Rig

from sysop.api import Action, Context, Risk, SilenceMirror, action, hookimpl
from sysop.errors import InvalidRequest
from sysop.incidents.silencing import Wish, matcher
from sysop.model import Alert
from sysop.store import alerts, audit, incidents, runs, silences
from sysop.store.silences import Silence
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.commands.silence import parse
from sysop.surfaces.slack.desk import ONLY_MEMBERS, ONLY_ROLES

SERVICES = {"checkout": {}, "payments": {"depends_on": ["checkout"]}}
ALLOW = {"name": "quiet", "match": {"action": ["radio.*"]}, "then": "allow"}


class Radio:
    """Another place where silences hold."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        heard = self.heard

        @action(risk=Risk.CHANGE, target="radio", idempotent=True)
        async def hush(
            ctx: Context,
            conditions: tuple[Mapping[str, str], ...],
            starts_at: str,
            ends_at: str,
            comment: str,
            mark: str,
        ) -> str:
            """Be quiet."""
            heard.append(f"quiet about {conditions[0]['value']}: {comment}")
            return mark

        @action(risk=Risk.CHANGE, target="radio", idempotent=True)
        async def unhush(ctx: Context, silence: str) -> str:
            """Be loud again."""
            heard.append("loud again")
            return silence

        return [hush, unhush]

    @hookimpl
    def register_silence_mirrors(self) -> Iterable[SilenceMirror]:
        return [SilenceMirror("The radio", "hush", "unhush", lambda _settings: True)]


@pytest.fixture(params=[("sqlite", "socket"), ("postgres", "http")], ids=["socket", "http"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with in_kit.started(request, tmp_path, inventory=SERVICES, incidents_channel=True) as made:
        yield made


def on_air(*rules: Mapping[str, Any]) -> Callable[..., Any]:
    return pytest.mark.parametrize("rules", [rules])  # type: ignore[return-value]


@pytest.fixture
async def radio(request: pytest.FixtureRequest, tmp_path: Path, rules: Any) -> AsyncIterator[tuple[Rig, Radio]]:
    plugin = Radio()
    more: Any = {"plugins": {"radio": plugin}, "policy": {"rules": list(rules)}, "incidents_channel": True}
    async with in_kit.started(request, tmp_path, ("sqlite", "socket"), **more) as made:
        yield made, plugin


async def silence(rig: Rig, count: int = 1) -> Silence:
    """Wait until there are so many silences, and return the newest."""

    async def look() -> Silence | None:
        found = await rig.store.read(silences.listed)
        return found[0] if len(found) >= count else None

    found: Silence = await in_kit.until(look, "a silence")
    return found


def filled(**texts: str) -> dict[str, Any]:
    return {block: {"text": {"value": text}} for block, text in texts.items()}


def asked(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what a form holds before it is filled in."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    return {block["block_id"]: block["element"].get("initial_value", "") for block in inputs}


async def test_a_silence_is_typed_and_only_who_typed_it_is_told(rig: Rig) -> None:
    await rig.command("/sysop silence service=checkout 2h because of the migration", user="lead")
    told = in_kit.flat(await rig.whispered("These alerts are quiet until", user="lead"))
    made = await silence(rig)
    assert 'service="checkout"' in told
    assert "It holds in Sysop only." in told
    assert made.id in told
    assert made.comment == "because of the migration"
    assert made.ends_at - made.starts_at == 7_200_000
    assert await rig.messages("general", "requester") == []
    taken = Alert("test", "1", 1_700_000_000_000, None, {"alertname": "E", "service": "checkout"}, {})
    await rig.app.lifecycle.take([taken])
    (one,) = await rig.store.read(lambda conn: alerts.listed(conn, held_only=True))
    assert one.silence == made.id


async def test_what_is_missing_is_asked_for_in_a_form(rig: Rig) -> None:
    await rig.command('/sysop silence pod=~"web-.*" in 30m', user="lead")
    view = await rig.view("lead", "form.silence")
    assert asked(view)["conditions"] == 'pod=~"web-.*"'
    wrong = filled(conditions="checkout", length="2 weeks", begins="soon", comment=" ")
    refused = await rig.do("view_submit", "lead", view_id=view["id"], state=wrong)
    assert refused["errors"].keys() == {"conditions", "length", "begins", "comment"}
    assert "write service=checkout" in refused["errors"]["conditions"]
    too_long = filled(conditions="service=checkout", length="40d", begins="", comment="a fair")
    refused = await rig.do("view_submit", "lead", view_id=view["id"], state=too_long)
    assert "30 days" in refused["errors"].get("length", ""), refused
    right = filled(conditions="service=checkout\nseverity!=critical", length="1h", begins="30m", comment="a fair")
    await rig.did("view_submit", "lead", view_id=view["id"], state=right)
    await rig.whispered("These alerts will be quiet from", user="lead")
    made = await silence(rig)
    assert [str(one) for one in made.matchers] == ['service="checkout"', 'severity!="critical"']
    assert (made.starts_at - made.created_at, made.ends_at - made.starts_at) == (1_800_000, 3_600_000)


async def test_the_list_has_a_button_that_ends_each(rig: Rig) -> None:
    await rig.command("/sysop silence", user="lead")
    await rig.whispered("Nothing is silenced.", user="lead")
    await rig.command("/sysop silence service=checkout 2h a migration", user="lead")
    made = await silence(rig)
    await rig.whispered(made.id, user="lead")
    await rig.command("/sysop silence", user="lead")
    listed = await rig.whispered("1 silence", user="lead")
    assert "a migration" in in_kit.flat(listed)
    assert "0 alerts held back" in in_kit.flat(listed)
    await rig.did(
        "interact",
        "lead",
        channel=listed["channel"],
        message_ts=listed["ts"],
        action_id="silence.end",
        block_id=f"silence:{made.id}",
    )
    await rig.whispered("The silence is ended", user="lead")
    ended = await silence(rig)
    assert ended.ends_at <= await rig.store.now()
    (entry,) = await rig.store.read(lambda conn: audit.entries(conn, kind="silence.ended"))
    assert entry.actor == ended.ended_by == made.created_by
    channel = await rig.messages("incidents", "lead")
    assert channel == [], "the end of a silence is told in no channel"


async def test_who_has_no_role_can_look_and_nothing_else(rig: Rig) -> None:
    for words in ("service=checkout 2h a migration", "service=checkout", "new"):
        await rig.command(f"/sysop silence {words}")
        await rig.whispered("only a person with a role can silence alerts")
    assert (await rig.see("state", "requester")).get("views") in (None, []), "no form opens for them"
    await rig.command("/sysop silence service=checkout 2h a migration", user="lead")
    await silence(rig)
    await rig.command("/sysop silence")
    listed = await rig.whispered("1 silence")
    assert "silence.end" not in str(listed)
    await rig.command("/sysop silence", user="guest")
    await rig.whispered(ONLY_MEMBERS, user="guest")
    assert len(await rig.store.read(silences.listed)) == 1


async def test_what_cannot_be_is_told_and_nothing_is_silenced(rig: Rig) -> None:
    for words, why in (
        ("checkout 2h x", "write /sysop silence service=checkout 2h REASON"),
        ("service=~.* 2h x", "nearly all"),
        ("service=~( 2h x", "the pattern cannot be read"),
        ("service=checkout 40d x", "30 days"),
    ):
        await rig.command(f"/sysop silence {words}", user="lead")
        await rig.whispered(why, user="lead")
    assert await rig.store.read(silences.listed) == []


async def test_the_card_of_an_incident_opens_the_form_with_its_service(rig: Rig) -> None:
    by = rig.app.people.by_name("cat")
    id = await rig.app.lifecycle.open_by_hand(by, "Slow", "error", ["checkout"], delivery="one")
    card = await rig.card(keys.incident(id))
    await rig.click(card, "incident.silence", "requester")
    await rig.whispered(ONLY_ROLES, channel="incidents")
    await rig.click(card, "incident.silence", "lead")
    view = await rig.view("lead", "form.silence")
    assert asked(view) == {"conditions": 'service="checkout"', "length": "2h", "begins": "", "comment": ""}
    given = filled(conditions='service="checkout"', length="2h", comment="it is known")
    await rig.did("view_submit", "lead", view_id=view["id"], state=given)
    await rig.whispered("These alerts are quiet until", user="lead", channel="incidents")
    assert (await silence(rig)).matchers == (matcher("service=checkout"),)
    assert await rig.store.read(lambda conn: incidents.load(conn, id)) is not None


async def test_a_delivery_that_comes_again_silences_once(rig: Rig) -> None:
    actor = rig.app.people.by_name("cat")
    wish = Wish((matcher("service=checkout"),), 3600, "a fair")
    first = await rig.app.silences.add(actor, wish, delivery="command:1")
    assert await rig.app.silences.add(actor, wish, delivery="command:1") == first


# -- another place ----------------------------------------------------------------------------------------------------


@on_air(ALLOW)
async def test_what_became_of_it_elsewhere_is_told_with_it(radio: tuple[Rig, Radio]) -> None:
    rig, there = radio
    await rig.command("/sysop silence service=checkout 2h a migration", user="lead")
    await rig.whispered("The radio has it, too.", user="lead")
    assert len(there.heard) == 1
    assert there.heard[0].startswith("quiet about checkout: a migration (")
    made = await silence(rig)
    await rig.command("/sysop silence", user="lead")
    listed = await rig.whispered("1 silence", user="lead")
    assert "The radio has it, too" in in_kit.flat(listed)
    await rig.did(
        "interact",
        "lead",
        channel=listed["channel"],
        message_ts=listed["ts"],
        action_id="silence.end",
        block_id=f"silence:{made.id}",
    )
    await rig.whispered("The radio has ended it, too.", user="lead")
    assert there.heard[1:] == ["loud again"]
    assert await rig.messages("incidents", "lead") == [], "what needs no approval is told in no channel"


@on_air({"name": "never", "match": {"action": ["radio.*"]}, "then": "forbid"})
async def test_what_policy_forbids_elsewhere_is_told_and_it_is_quiet_here(radio: tuple[Rig, Radio]) -> None:
    rig, there = radio
    await rig.command("/sysop silence service=checkout 2h a migration", user="lead")
    told = in_kit.flat(await rig.whispered("These alerts are quiet until", user="lead"))
    assert "The radio does not have it: radio.hush on radio is forbidden" in told
    assert there.heard == []


@on_air()
async def test_what_needs_an_approval_elsewhere_is_asked_for_in_the_channel(radio: tuple[Rig, Radio]) -> None:
    rig, there = radio
    await rig.command("/sysop silence service=checkout 2h a migration", user="lead")
    approval = await rig.approval()
    told = in_kit.flat(await rig.whispered("These alerts are quiet until", user="lead"))
    assert f"waits for approval {approval.id}" in told
    card = await rig.card(keys.approval(approval.id))
    assert card.channel == rig.workspace.channels["incidents"]
    assert there.heard == []
    made = await silence(rig)
    await rig.click(card, "approval.approve", "on-call")

    async def heard() -> list[str]:
        return there.heard

    await in_kit.until(heard, "the radio")
    assert (await rig.store.read(lambda conn: runs.load(conn, str(made.run)))).requesters[0] == made.created_by


@pytest.mark.parametrize(
    ("text", "conditions", "rest"),
    [
        ("service=checkout 2h why not", ['service="checkout"'], ("2h", None, "why not")),
        ("a=b c!=d for 30m in 1h a=b is busy", ['a="b"', 'c!="d"'], ("30m", "1h", "a=b is busy")),
        ("checkout 2h why", [], None),
        ('pod=~"web-.*" 2h it’s known', ['pod=~"web-.*"'], ("2h", None, "it's known")),
        ("service=checkout in 2h", ['service="checkout"'], (None, None, "in 2h")),
        ("2h", [], ("2h", None, "")),
        ("new", [], (None, None, "")),
        (r"pod=~web-\d+ 2h it's known", [r'pod=~"web-\d+"'], ("2h", None, "it's known")),
        (r'pod=~"web \d\.\d" 2h a "fair"', [r'pod=~"web \d\.\d"'], ("2h", None, "a fair")),
        ("host=<http://web-1.example.com|web-1.example.com> 2h x", ['host="web-1.example.com"'], ("2h", None, "x")),
    ],
)
def test_what_is_typed_is_taken_apart(text: str, conditions: list[str], rest: tuple[str, str, str] | None) -> None:
    if rest is None:
        with pytest.raises(InvalidRequest, match="is no condition"):
            parse(text)
        return
    found = parse(text)
    assert [str(one) for one in found.matchers] == conditions
    assert (found.length, found.begins, found.comment) == rest
