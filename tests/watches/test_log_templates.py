"""Lines become templates: what varies is masked, what is alike falls together, and memory stays bounded."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.watches.logs.masks import MAX_TOKENS, Masks
from sysop.watches.logs.miner import MAX_LEAF, Miner


def masked(line: str) -> str:
    return " ".join(Masks().tokens(line))


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("took 12 ms", "took <number> ms"),
        ("took 12ms, 3.5GB of 1,024", "took <number>, <number> of <number>"),
        ("load 97% at -3.5e-7", "load <number> at <number>"),
        ("order 550e8400-e29b-41d4-a716-446655440000 placed", "order <id> placed"),
        ("commit 9f2b1c4 of 0xDEADBEEF", "commit <id> of <id>"),
        ("from 10.0.0.1:8080 to ::ffff", "from <address> to ::ffff"),
        ("from fe80:0:0:0:1:2:3:4 there", "from <address> there"),
        ("2026-11-30T14:40:31.123Z INFO up", "<time> INFO up"),
        ("2026-11-30 14:40:31,123 INFO up", "<time> <time> INFO up"),
        ("[30/Nov/2026:14:40:31 +0000] up", "[<time> <number>] up"),
        ("Nov 30 14:40:31 host up", "<date> <number> <time> host up"),
        ("GET /api/v1/orders/17 done", "GET <path> done"),
        ("see https://example.com/a?b=1 now", "see <url> now"),
        ("to ann@example.com sent", "to <mail> sent"),
        (r"open C:\temp\x.log failed", "open <path> failed"),
        ("user=42 pod=web-7d9f8b6c5-x2k4z", "user=<number> pod=web-<id>-<id>"),
        ("worker12 is up", "worker<number> is up"),
        ("no number here", "no number here"),
        ('{"level":"error","msg":"lost 3 orders","ts":17}', "error lost <number> orders"),
        ('{"ts":17,"message":"all well"}', "all well"),
        ('{"a":1,"b":"x"}', '{"a":<number> "b":"x"}'),
        ("{broken json 12", "{broken json <number>"),
    ],
)
def test_what_varies_is_masked(line, becomes):
    assert masked(line) == becomes


@given(st.text(max_size=300))
def test_any_text_has_a_bounded_number_of_words(line):
    words = Masks().tokens(line)
    assert len(words) <= MAX_TOKENS
    assert words == Masks().tokens(line)


def test_a_long_line_of_nothing_but_letters_and_digits_takes_no_time():
    for evil in ("a1" * 2000, "1" * 4000, "/" * 4000, "a@" * 2000, "1:" * 2000, "a." * 2000, "-1e" * 1300):
        assert Masks().tokens(evil)


def test_lines_that_differ_in_values_are_of_one_kind():
    miner = Miner(100)
    keys = {miner.take(f"order {n} placed by user {n * 7} in {n % 9} ms") for n in range(200)}
    assert len(keys) == 1
    assert [template.text for template in miner] == ["order <number> placed by user <number> in <number> ms"]


def test_words_that_differ_become_wild_and_the_key_stays():
    miner = Miner(100)
    first = miner.take("session of alice is now refreshed")
    assert miner.take("session of bruno is now refreshed") == first
    assert miner.get(first).text == "session of <*> is now refreshed"
    assert miner.get(first).example == "session of alice is now refreshed"
    assert len(miner) == 1


def test_lines_of_other_kinds_stay_apart():
    miner = Miner(100)
    lines = ["disk is full", "disk is slow on sda", "network is down", "cannot reach the payment provider", "user gone"]
    assert len({miner.take(line) for line in lines}) == len(lines)


def test_a_line_seen_before_is_known_without_a_search():
    miner = Miner(100)
    assert miner.known("took 12 ms") is None
    key = miner.take("took 12 ms")
    assert miner.known("took 99 ms") == key
    assert miner.known("took long") is None


def test_only_so_many_templates_are_kept_and_the_stalest_goes():
    miner = Miner(3)
    words = ["alpha beta", "gamma delta", "kappa lambda"]
    keys = [miner.take(line) for line in words]
    assert miner.known(words[0]) == keys[0]  # seen again, so that the second is the stalest
    miner.take("omega psi")
    assert miner.forgotten == [keys[1]]
    assert miner.known(words[1]) is None
    assert miner.take(words[1]) == keys[1]


def test_a_leaf_holds_only_so_many_and_the_stalest_of_it_goes():
    miner = Miner(10_000)
    words = ["".join(pair) for pair in product("abcdefghijk", repeat=3)][: MAX_LEAF + 1]
    keys = [miner.take(f"<x> <y> {word} {word}q {word}r") for word in words]
    assert miner.forgotten == keys[:1]
    assert len(miner) == MAX_LEAF


def test_a_log_of_nothing_but_new_kinds_keeps_memory_bounded():
    random_, miner = random.Random(1), Miner(50)
    for _ in range(3000):
        miner.take(" ".join("".join(random_.choices("abcdef", k=6)) for _ in range(random_.randrange(1, 9))))
    assert len(miner) == 50
    assert sum(len(leaf) for leaf in miner._leaves.values()) == 50
    assert sum(len(children) for children in miner._children.values()) <= 50 * 2


LINES = st.lists(
    st.lists(st.sampled_from(["disk", "full", "user", "12", "a1b2", "/x/y", "ok", "<*>"]), min_size=1, max_size=5).map(
        " ".join
    ),
    max_size=80,
)


@given(LINES, st.integers(1, 12))
def test_the_same_lines_give_the_same_templates(lines, most):
    one, other = Miner(most), Miner(most)
    keys = [[miner.known(line) or miner.take(line) for line in lines] for miner in (one, other)]
    assert keys[0] == keys[1]
    assert [(t.key, t.text) for t in one] == [(t.key, t.text) for t in other]
    assert len(one) <= most


@given(LINES)
def test_known_is_a_shorter_way_to_the_same_answer(lines):
    short, long = Miner(1000), Miner(1000)
    assert [short.known(line) or short.take(line) for line in lines] == [long.take(line) for line in lines]


@given(LINES, LINES)
def test_templates_put_back_go_on_as_before(before, after):
    miner, restored = Miner(1000), Miner(1000)
    for line in before:
        miner.take(line)
    for template in list(miner):
        restored.restore(type(template)(template.key, list(template.words), template.example, template.path))
    assert [miner.take(line) for line in after] == [restored.take(line) for line in after]
