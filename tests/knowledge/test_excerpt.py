"""What is shown of a section: its best lines, with the words that were asked for told apart."""

from hypothesis import given
from hypothesis import strategies as st

from sysop.knowledge.excerpt import excerpt
from sysop.knowledge.page import Section


def shown(text, asked, **more):
    lines = excerpt(Section("T", "t", text, 1), asked, **more)
    return ["".join(f"*{span.text}*" if span.found else span.text for span in line) for line in lines]


PAGE = """The queue is where work waits.
It is emptied by workers.

- Restart the workers when `queue_depth` grows.
1. Call the owner.

```sh
kubectl restart workers
```

```step
id: queue
action: queue.workers
```
"""


def test_the_best_lines_are_shown_in_order_with_the_words_in_any_form():
    assert shown(PAGE, "the worker restarts when its queue grew, growing?", most=2) == [
        "The *queue* is where work waits. It is emptied by *workers*.",
        "*Restart* the *workers* when `*queue_depth*` *grows*.",
    ]


def test_where_no_word_is_in_it_the_section_begins():
    assert shown(PAGE, "printer") == ["The queue is where work waits. It is emptied by workers."]
    assert shown("", "printer") == []


def test_what_only_a_machine_reads_is_left_out():
    assert not any("action" in line for line in shown(PAGE, "queue action id", most=9))


def test_links_and_emphasis_of_a_page_are_its_words_alone():
    assert shown('**Full:** see [the queue](https://evil.com/q "t") and ![a](b.png).', "queue") == [
        "Full: see the *queue* and a."
    ]


@given(st.text('[]()!" ax*_', max_size=200))
def test_no_link_is_left(text):
    assert "](a)" not in "".join(shown(f"{text}[b](a)", "zzz"))


def test_a_line_of_brackets_takes_no_longer_than_its_length():
    assert shown("[" * 200_000, "x")


def test_a_long_line_is_cut_around_what_was_asked_for():
    (line,) = shown("word " * 100 + "the needle is here " + "word " * 100, "needle", width=80)
    assert "*needle*" in line
    assert line.startswith("…")
    assert line.endswith("…")
    assert len(line) <= 82


@given(st.text(max_size=400), st.text(max_size=40))
def test_any_text_is_shown_in_bounds(text, asked):
    assert all(len("".join(span.text for span in line)) <= 240 for line in excerpt(Section("", "", text, 1), asked))
