import re
from collections import Counter
from dataclasses import FrozenInstanceError

import pytest

from sysop.knowledge.retrieval.thesaurus import ALIKE, GRADES, LEADS, THESAURUS, Group, lines, parse

WRITTEN = [*lines(ALIKE), *lines(LEADS)]
WORDS = sorted({word for group in THESAURUS for word in (*group.words, *group.to)})


def leads_to(word):
    found = {}
    for group in THESAURUS:
        if word in group.words:
            others = group.words if group.both else group.to
            found |= {other: max(group.weight, found.get(other, 0.0)) for other in others if other != word}
    return found


def test_every_line_is_a_group_of_known_weight():
    assert len(THESAURUS) == len(WRITTEN)
    assert len(WRITTEN) >= 300
    assert {group.weight for group in THESAURUS} == set(GRADES)


def test_equal_words_stand_in_one_table_and_one_way_words_in_the_other():
    assert all(parse(line, 1.0).both for line in lines(ALIKE))
    assert not any(parse(line, 0.6).both for line in lines(LEADS))


def test_no_line_is_written_twice():
    same = Counter((frozenset(group.words), frozenset(group.to)) for group in THESAURUS)
    assert [group for group, times in same.items() if times > 1] == []


def test_no_group_names_a_word_twice():
    assert [group for group in THESAURUS if len(set(group.words)) < len(group.words)] == []
    assert [group for group in THESAURUS if len(set(group.to)) < len(group.to)] == []
    assert [group for group in THESAURUS if set(group.words) & set(group.to)] == []


def test_no_word_stands_in_more_than_six_groups():
    times = Counter(word for group in THESAURUS for word in (*group.words, *group.to))
    assert {word: count for word, count in times.items() if count > 6} == {}


def test_words_are_in_small_letters_without_signs_that_search_would_split_them_at():
    assert [word for word in WORDS if not re.fullmatch(r"[a-z0-9']+( [a-z0-9']+)*", word)] == []
    assert [word for word in WORDS if not any(len(part) > 1 for part in word.split())] == []


def test_phrases_have_three_words_at_most():
    assert [word for word in WORDS if len(word.split()) > 3] == []


@pytest.mark.parametrize("word", ["pod", "down", "high", "low", "service", "rate", "cluster", "up", "app", "run"])
def test_words_of_many_meanings_widen_nothing_by_themselves(word):
    assert leads_to(word) == {}


@pytest.mark.parametrize(
    ("said", "written", "weight"),
    [
        ("k8s", "kubernetes", 1.0),
        ("ram", "memory", 1.0),
        ("memory", "ram", 1.0),
        ("cert", "certificate", 1.0),
        ("oomkilled", "out of memory", 1.0),
        ("box", "node", 0.6),
        ("no space left", "filesystem", 0.6),
        ("context deadline exceeded", "timeout", 0.6),
        ("sits there", "pending", 0.6),
        ("keeps dying", "crash looping", 0.6),
        ("exit code 137", "out of memory", 0.6),
        ("many open files", "file descriptor", 0.6),
        ("unknown authority", "certificate", 0.6),
        ("server", "node", 0.3),
    ],
)
def test_what_people_say_leads_to_what_pages_say(said, written, weight):
    assert leads_to(said)[written] == weight


def test_one_way_groups_do_not_lead_back():
    assert "box" not in leads_to("node")
    assert "kubectl" not in leads_to("api server")


def test_a_line_gives_its_words_their_target_and_weight():
    assert parse("memory, ram", 1.0) == Group(("memory", "ram"), (), 1.0, True)
    assert parse("nic, eth0 -> network interface (0.3)", 0.6) == Group(
        ("nic", "eth0"), ("network interface",), 0.3, False
    )


@pytest.mark.parametrize(
    "line",
    ["", "alone", "a, , b", "a -> ", "a -> b -> c", "a, b (0.5)", "a, b (x)", "a, b (1) c", "-> b", "a (0.3) -> b"],
)
def test_a_line_that_is_no_group_is_refused_by_name(line):
    with pytest.raises(ValueError, match="not a group of words") as refused:
        parse(line, 1.0)
    assert repr(line) in str(refused.value)


def test_groups_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        THESAURUS[0].weight = 0.3
