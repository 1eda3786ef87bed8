"""Every cell of the table of states and messages, and every word of the closed lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.conversations import fate as module
from sysop.conversations.fate import Fate, Words, fate, words_of
from sysop.model import RunState

IDLE = [None, RunState.DONE, RunState.FAILED, RunState.CANCELLED]
WORKS = [RunState.QUEUED, RunState.RUNNING, RunState.WAITING]
CELLS = [
    *((state, waits, Words.WISH, Fate.RUN) for state in IDLE for waits in (False, True)),
    *((state, False, Words.WISH, Fate.QUEUE) for state in WORKS),
    *((state, True, Words.WISH, Fate.LOOK) for state in WORKS),
    *((state, waits, Words.STOP, Fate.STOP) for state in IDLE for waits in (False, True)),
    *((state, False, Words.STOP, Fate.STOP) for state in WORKS),
    (RunState.QUEUED, True, Words.STOP, Fate.STOP),
    (RunState.RUNNING, True, Words.STOP, Fate.STOP),
    (RunState.WAITING, True, Words.STOP, Fate.REVOKE),
    *((state, waits, Words.STOP_WORK, Fate.RUN) for state in IDLE for waits in (False, True)),
    *((state, False, Words.STOP_WORK, Fate.STOP) for state in WORKS),
    (RunState.QUEUED, True, Words.STOP_WORK, Fate.STOP),
    (RunState.RUNNING, True, Words.STOP_WORK, Fate.STOP),
    (RunState.WAITING, True, Words.STOP_WORK, Fate.REVOKE),
    *((state, waits, Words.DECIDE, Fate.REFUSE) for state in IDLE + WORKS for waits in (False, True)),
    *((state, waits, Words.COURTESY, Fate.NOTHING) for state in IDLE + WORKS for waits in (False, True)),
]


@pytest.mark.parametrize(("state", "waits", "words", "wanted"), CELLS, ids=str)
def test_a_message_has_the_fate_of_its_cell(state: RunState | None, waits: bool, words: Words, wanted: Fate) -> None:
    assert fate(state, waits, words) is wanted


def test_the_cells_are_all_there_are_and_every_fate_is_reached() -> None:
    keys = [(state, waits, words) for state, waits, words, _ in CELLS]
    assert len(keys) == len(set(keys)) == (len(RunState) + 1) * 2 * len(Words)
    assert {wanted for *_, wanted in CELLS} == set(Fate)


@pytest.mark.parametrize(
    "text", ["revoke", "Stop!", " *cancel it* ", "never mind …", "Don’t do it", "ABORT", "please\nstop", "`withdraw`"]
)
def test_a_few_words_stop(text: str) -> None:
    assert words_of(text) is Words.STOP


@pytest.mark.parametrize(
    "text",
    [
        "hold on",
        "Hold on, please!",
        "no, do not do that",
        "No. Stop. Now.",
        "I withdraw my request",
        "can you stop it please?",
        "ok, stop this right now",
        "actually, don’t",
        "sorry, I changed my mind",
        "stop the run",
        "please withdraw the request",
        "Sysop, stop everything",
    ],
)
def test_what_people_put_around_them_does_not_change_words_to_stop(text: str) -> None:
    assert words_of(text) is Words.STOP


@pytest.mark.parametrize(
    "text",
    ["cancel the deploy", "stop the rollback please", "Don't restart it", "no, stop deploying", "abort this roll back"],
)
def test_some_work_can_be_named_to_stop_it(text: str) -> None:
    assert words_of(text) is Words.STOP_WORK


@pytest.mark.parametrize(
    "text", ["approve", "Yes!", "OK", ":+1:", "👍🏽", "yes, do it", "LGTM", "no", "✔️", "*Approve*"]
)
def test_words_that_could_be_taken_for_a_vote_are_no_wish(text: str) -> None:
    assert words_of(text) is Words.DECIDE


@pytest.mark.parametrize("text", ["", "???", "hi", "Hello!", "Thanks :)", "thank you", "Good morning", "👋🏿"])
def test_courtesy_is_no_wish(text: str) -> None:
    assert words_of(text) is Words.COURTESY


@pytest.mark.parametrize(
    "text",
    [
        "stop the checkout service",
        "stop the deploy of payments",
        "did you stop the rollback?",
        "should I cancel it?",
        "cancel my order",
        "please",
        "wait for the deploy",
        "hold on, checkout is slow",
        "who can stop it?",
        "please please please please please please please please please stop",
        "do not stop",
        "why do you want to cancel it?",
        "approve apr-1234567890",
        "yes, but only in staging",
        "is it ok?",
        "thanks, and what about payments?",
        "unstoppable",
        "hi, checkout is slow",
    ],
)
def test_more_than_those_words_is_a_wish(text: str) -> None:
    assert words_of(text) is Words.WISH


def test_the_lists_are_disjoint_and_each_word_is_written_as_it_is_looked_up() -> None:
    lists = [module._STOP, module._DECIDE, module.GREETINGS | module._THANKS]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert [w for one in lists for w in one if module.bare(w) != w] == []
    assert not [w for w in module._STOP if module._core(w) != w or module._STOP_WORK.fullmatch(w)]


@given(st.text(), st.sampled_from(sorted(module._STOP | module._DECIDE)))
def test_a_word_is_known_in_any_case_and_one_more_word_makes_it_a_wish(text: str, word: str) -> None:
    assert words_of(f" {word.upper()}!") is words_of(word) is not Words.WISH
    assert words_of(f"{word} zebra {text}") is words_of(f"{text} zebra {word}") is Words.WISH
