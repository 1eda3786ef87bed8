"""The figures of an evaluation, computed by hand, and what a wrong line is told."""

import json
import math
from pathlib import Path

import pytest

from sysop.errors import InvalidRequest
from sysop.knowledge.evaluate import Answer, Question, ask_all, read, score, unknown


def answer(gold: str, pages: str, fits: bool = True, ms: float = 1.0) -> Answer:
    return Answer(Question("q", "text", "chat", frozenset(gold)), tuple(pages), fits, ms)


def test_figures_are_those_of_the_text_books() -> None:
    found = score([answer("a", "abc"), answer("b", "abc"), answer("ac", "xca"), answer("z", "abc"), answer("", "abc")])
    ndcg = (1 + 1 / math.log2(3) + (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3)) + 0) / 4
    assert (found.recall_at_1, found.recall_at_3) == (0.25, 0.75)
    assert found.mrr_at_10 == round((1 + 1 / 2 + 1 / 2 + 0) / 4, 4)
    assert found.ndcg_at_10 == round(ndcg, 4)
    assert (found.declined, found.declined_answerable) == (0.0, 0.0)


def test_a_declined_question_is_a_miss_and_right_only_without_an_answer() -> None:
    found = score([answer("a", "a", fits=False), answer("a", "a"), answer("", "a", fits=False), answer("", "", False)])
    assert (found.recall_at_1, found.mrr_at_10, found.ndcg_at_10) == (0.5, 0.5, 0.5)
    assert (found.declined, found.declined_answerable) == (1.0, 0.5)


def test_what_was_not_asked_has_no_figure() -> None:
    assert score([answer("a", "a")]).declined is None
    assert score([answer("", "a")]).recall_at_1 is None


def test_times_are_the_middle_and_nearly_the_slowest() -> None:
    found = score([answer("a", "a", ms=float(n)) for n in range(1, 101)])
    assert (found.ms_p50, found.ms_p99) == (50.5, 99.0)


def test_only_the_first_ten_count() -> None:
    question = Question("q", "text", "chat", frozenset({"p10"}))
    (found,) = ask_all([question], lambda text, route: ([f"p{n}" for n in range(20)], True))
    assert len(found.pages) == 10
    assert score([found]).mrr_at_10 == 0.0


GOOD = {"id": "1", "query": "disk full", "route": "chat", "gold": ["a"]}


def test_questions_are_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n\n{json.dumps({**GOOD, 'kind': 'hard', 'gold': []})}\n")
    first, second = read(file)
    assert (first.gold, first.kind, second.gold, second.kind) == ({"a"}, "", frozenset(), "hard")
    assert unknown([first, second], ["b"]) == ["a"]


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_a_line_ends_where_json_lines_do(tmp_path: Path, end: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{json.dumps({**GOOD, 'query': f'disk{end}full'}, ensure_ascii=False)}\r\n", newline="")
    assert [question.query for question in read(file)] == [f"disk{end}full"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        (json.dumps({**GOOD, "query": " "}), "query must be text"),
        (json.dumps({**GOOD, "route": "mail"}), "route must be alert or chat, not 'mail'"),
        (json.dumps({**GOOD, "gold": "a"}), "gold must be a list"),
        (json.dumps({**GOOD, "gold": [1]}), "gold must be a list"),
        ("[" * 100_000, "not JSON (maximum recursion depth"),
        (json.dumps({**GOOD, "gold": ["\ud800"]}), "surrogates not allowed"),
    ],
)
def test_a_wrong_line_is_named_with_its_field_and_the_fix(tmp_path: Path, line: str, told: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(InvalidRequest, match=r"q\.jsonl:2: ") as bad:
        read(file)
    assert told in str(bad.value)
    assert '"gold": ["page-id"]' in str(bad.value)


def test_a_file_that_holds_nothing_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    for name, told in (
        ("empty.jsonl", "no question"),
        ("bytes.jsonl", "cannot be read"),
        ("gone.jsonl", "cannot be read"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            read(tmp_path / name)
