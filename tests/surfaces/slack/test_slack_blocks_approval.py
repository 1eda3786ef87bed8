"""The approval card: all that is bound, nothing hidden, nothing that pings, always within Slack's limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st
from slack_payloads import texts

from sysop import blockkit
from sysop.canonical import canonical
from sysop.model import ApprovalState, EffectState, Risk, Vote
from sysop.surfaces.slack.blocks import approval, approval_views
from sysop.surfaces.slack.blocks.bound import Card
from sysop.surfaces.slack.blocks.calls import arguments, call_text

SOME = nouns.SOME
OPEN = Card(nouns.approval(), approvers=("person:oncall", "person:lead"), rule="changes need one approver")
cards = st.builds(
    Card,
    nouns.approvals,
    st.lists(nouns.actors, max_size=10),
    hostile.some,
    st.lists(st.tuples(hostile.some, nouns.urls), max_size=8),
    st.one_of(st.none(), st.tuples(nouns.actors, nouns.times)),
    st.one_of(st.none(), nouns.outcomes),
)


def show(card: Card) -> Any:
    return approval.card(card, nouns.NAMES, nouns.LINKS)


@SOME
@given(cards)
def test_slack_takes_every_card(card: Card) -> None:
    shown = show(card)
    payloads.takes(shown)
    assert blockkit.has_rich_text(shown.blocks), "an update may not lose the last rich text"


@SOME
@given(nouns.approvals)
def test_slack_takes_the_modals_of_every_approval(one: Any) -> None:
    payloads.takes_view(approval_views.deny(one))
    payloads.takes_view(approval_views.everything(one))


def test_the_open_card_has_the_six_rows() -> None:
    kinds = [block["type"] for block in show(OPEN).blocks]
    assert kinds == ["header", "section", "rich_text", "rich_text", "context", "actions"]


def test_it_says_what_who_and_until_when() -> None:
    seen = texts(show(OPEN).blocks)
    for part in (
        *(
            "Approval needed · CHANGE · cicd.rollback",
            "`cicd.rollback`",
            "`service:checkout`",
            "`production`",
            "felt by `gateway`",
        ),
        *("<@U0ASKER>", "1 of `approver`: <@U0ONCALL>, <@U0LEAD>, never who asked", "0 of 1", "<!date^1790001800^"),
        *('service = "checkout"', "to = null", "+ version 1.4.1", "digest `9f2c4a1b7d3e`", "changes need one approver"),
    ):
        assert part in seen, part


def test_the_buttons_carry_the_id_and_nothing_else() -> None:
    row = show(OPEN).blocks[-1]
    assert row["block_id"] == "approval:apr-7k2m9qxd4w:0"
    assert [(b["action_id"], b["value"]) for b in row["elements"]] == [
        ("approval.approve", "apr-7k2m9qxd4w"),
        ("approval.deny", "apr-7k2m9qxd4w"),
        ("approval.view", "apr-7k2m9qxd4w"),
    ]


def test_the_confirmation_names_the_action_and_its_target() -> None:
    confirm = show(OPEN).blocks[-1]["elements"][0]["confirm"]
    assert confirm["text"]["text"] == "cicd.rollback on service:checkout in production. It runs once, as shown."
    assert show(Card(nouns.approval(risk=Risk.DESTRUCTIVE))).blocks[-1]["elements"][0]["confirm"]["style"] == "danger"


def test_each_vote_makes_a_new_revision() -> None:
    voted = nouns.approval(count=2, votes=(Vote("person:lead", True, "", nouns.NOW),))
    assert show(Card(voted)).blocks[-1]["block_id"].endswith(":1")
    assert "1 of 2: <@U0LEAD>" in texts(show(Card(voted)).blocks)


def test_hidden_characters_are_written_out() -> None:
    args = canonical({"service": "check\u202eout\u200b", "to": "e\u0301"}).decode()
    seen = texts(show(Card(nouns.approval(args=args, target="service:check\u202eout"))).blocks)
    assert "check\\u{202e}out\\u{200b}" in seen
    assert "e\\u{301}" in seen
    assert "\u202e" not in seen


def test_a_target_that_is_no_plain_identifier_stands_in_rich_text_only() -> None:
    shown = show(Card(nouns.approval(target="service:<!channel> *x*")))
    fields = texts(shown.blocks[1])
    assert "channel" not in fields
    assert "written out below" in fields
    assert 'Target: "service:<!channel> *x*"' in texts(shown.blocks[2])


def test_long_arguments_are_cut_and_approving_says_so() -> None:
    long = nouns.approval(args=canonical({"text": "x" * 5000}).decode())
    shown = show(Card(long))
    assert "more, view all" in texts(shown.blocks[2])
    assert "view all first" in texts(shown.blocks[-1])
    whole = texts(approval_views.everything(long)["blocks"])
    assert whole.count("x") >= 5000


def test_what_a_model_wrote_is_marked_as_its_words_and_comes_last() -> None:
    seen = texts(show(OPEN).blocks[3])
    assert seen.index("version 1.4.1") < seen.index("in the planner's words") < seen.index("The error ratio rose")


def test_the_whole_of_a_large_call_never_exceeds_a_modal() -> None:
    huge = nouns.approval(args=canonical({"text": "é" * 240_000}).decode())
    view = approval_views.everything(huge)
    payloads.takes_view(view)
    assert "more characters" in texts(view["blocks"])


@pytest.mark.parametrize(
    ("state", "votes", "says"),
    [
        (ApprovalState.APPROVED, (Vote("person:oncall", True, "", nouns.NOW),), "Approved by <@U0ONCALL>"),
        (ApprovalState.DENIED, (Vote("person:lead", False, "not now", nouns.NOW),), "Denied by <@U0LEAD>"),
        (ApprovalState.EXPIRED, (), "Expired"),
        (ApprovalState.REVOKED, (), "Withdrawn"),
        (ApprovalState.VOID, (), "Void"),
    ],
)
def test_a_decided_card_says_who_and_has_no_buttons(state: ApprovalState, votes: tuple[Vote, ...], says: str) -> None:
    shown = show(
        Card(nouns.approval(state=state, votes=votes, closed_reason="too late"), closed=("service:gate", nouns.NOW))
    )
    seen = texts(shown.blocks)
    assert says in seen.replace("\n", "")
    assert "digest `9f2c4a1b7d3e`" in seen
    assert "actions" not in [block["type"] for block in shown.blocks]
    assert ("cannot be run with this approval" in seen) is (state is not ApprovalState.APPROVED)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (EffectState.DONE, "It was done, once. Checked afterwards: it helped."),
        (EffectState.FAILED, "It failed, and nothing was changed: no such version"),
        (EffectState.UNKNOWN, "Nobody can tell whether it happened"),
        (EffectState.EXECUTING, "It is running."),
    ],
)
def test_the_outcome_joins_the_card(state: EffectState, says: str) -> None:
    done = nouns.approval(state=ApprovalState.CONSUMED, votes=(Vote("person:oncall", True, "", nouns.NOW),))
    shown = show(Card(done, outcome=nouns.outcome(state, error="no such version")))
    assert says in texts(shown.blocks).replace("\n", "")


@SOME
@given(nouns.canonical_args)
def test_arguments_are_the_bound_bytes(args: str) -> None:
    found = arguments(args)
    assert [json.loads(value) for _, value in found] == list(json.loads(args).values())
    assert all(value in args for _, value in found)


def test_a_call_without_a_target_is_told_by_its_arguments() -> None:
    assert call_text("cicd.rollback", "service:checkout", "{}") == "cicd.rollback service:checkout"
    assert call_text("metrics.query", "query", '{"expr":"up","limit":null}') == 'metrics.query expr="up"'


def test_a_denial_needs_a_reason() -> None:
    def typed(text: str | None) -> dict[str, Any]:
        return {"reason": {"text": {"type": "plain_text_input", "value": text}}}

    assert approval_views.denial(typed(" too risky ")) == "too risky"
    for nothing in (typed("  "), typed(None), {}):
        assert approval_views.denial(nothing) == {"reason": "Say why not, so that the next try can be better."}
