import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysop.errors import RunbookError
from sysop.expression import FUNCTIONS, Expression
from sysop.knowledge import runbook
from sysop.knowledge.lint import BASE_NAMES, step_shape
from sysop.knowledge.runbook import parse
from sysop.knowledge.shape import ANY

PAGE = """---
title: Disk full
alerts: [DiskFull]
services: ["*"]
owner: platform
reviewed: 2026-11-01
---

# Disk full

Prose with `code`.

## Look

```step
id: look
action: metrics.query
note: How full is it?
with:
  query: disk_used
  options: [a, {deep: '${alert.service}'}]
  empty:
until: ${steps.look.result.value > 0.9}
within: 2m
every: 10s
otherwise: wipe
```

```bash
df -h
```

## Look

```step
id: wipe
action: disk.wipe
when: >-
  ${steps.look.ok
    ? true : false}
```

```conclude
resolved: ${steps.wipe.ok}
summary: done
claims:
- {text: it was full, evidence: [look]}
```
"""


def test_a_page_becomes_steps_endings_and_sections():
    runbook = parse(PAGE, "runbooks/disk.md")
    look, wipe = runbook.steps
    assert (runbook.title, runbook.alerts, runbook.services) == ("Disk full", ("DiskFull",), ("*",))
    assert runbook.reviewed == date(2026, 11, 1)
    assert (look.id, look.within, look.every, look.otherwise, look.section) == ("look", 120_000, 10_000, "wipe", "look")
    assert look.args["query"] == "disk_used"
    assert look.args["empty"] is None
    assert str(look.args["options"]) == str(("a", {"deep": look.args["options"][1]["deep"]}))
    assert isinstance(look.args["options"][1]["deep"], Expression)
    assert wipe.when is not None
    assert wipe.when.line == 38
    assert [s.slug for s in runbook.sections] == ["disk-full", "look", "look-1"]
    assert runbook.cite("look-1") == "runbooks/disk.md#look-1"
    assert runbook.endings[0].claims[0].evidence == ("look",)
    assert "df -h" in runbook.sections[1].text
    assert "```bash" in runbook.sections[1].text
    assert runbook.step("wipe") is wipe
    with pytest.raises(KeyError):
        runbook.step("other")


def test_the_digest_is_of_the_bytes_so_any_change_shows():
    one = parse(PAGE.encode(), "r/a.md").digest
    assert len(one) == 64
    assert parse(PAGE.replace("Prose", "prose"), "r/a.md").digest != one
    assert parse(PAGE.replace("\n", "\r\n"), "r/a.md").digest != one


def test_windows_line_ends_and_a_byte_order_mark_change_nothing_else():
    runbook = parse(b"\xef\xbb\xbf" + PAGE.replace("\n", "\r\n").encode(), "r/a.md")
    assert [s.id for s in runbook.steps] == ["look", "wipe"]


HIDDEN = {
    "indented": ("\n  ```step\n  id: a\n  ```\n", "must not be indented or quoted"),
    "in a list": ("\n- ```step\n  id: a\n  ```\n", "must not be indented or quoted"),
    "quoted": ("\n> ```step\n> id: a\n> ```\n", "must not be indented or quoted"),
    "in a comment": ("\n<!-- note\n```step\nid: a\naction: b\n```\n-->\n", "inside a comment is invisible"),
    "misspelt": ("\n```steps\nid: a\n```\n", "'steps' is not a kind of block; write ```step"),
    "capital": ("\n```Step\nid: a\n```\n", "'Step' is not a kind of block; write ```step"),
    "with attributes": ("\n```step hidden\nid: a\n```\n", "'step hidden' is not a kind of block"),
    "conclusion": ("\n```conclusion\nresolved: true\n```\n", "write ```conclude"),
    "open": ("\n```step\nid: a\n", "the block does not end"),
}


@pytest.mark.parametrize(("text", "message"), HIDDEN.values(), ids=HIDDEN)
def test_a_step_that_a_reader_or_the_machine_would_miss_is_refused(text, message):
    with pytest.raises(RunbookError) as refused:
        parse("---\ntitle: T\n---\n" + text, "r/a.md")
    assert message in str(refused.value)


def test_steps_inside_another_block_are_an_example_not_a_step():
    page = "---\ntitle: T\n---\n````markdown\n```step\nid: a\n```\n````\n\n~~~text\n```step\n~~~\n"
    assert parse(page, "r/a.md").steps == ()


def test_a_fence_inside_a_comment_opens_nothing():
    page = "---\ntitle: T\n---\n<!--\n```bash\n-->\n```step\nid: a\naction: b.c\n```\n"
    assert [s.id for s in parse(page, "r/a.md").steps] == ["a"]


def refusal(content):
    try:
        parse(content, "r/a.md")
    except RunbookError as refused:
        return str(refused)
    return None


LINES = st.sampled_from(
    [
        *(
            "---",
            "title: T",
            "alerts: [A]",
            "```step",
            "```",
            "id: a",
            "action: b.c",
            "with:",
            "  x: ${1 +}",
            "<!--",
            "-->",
        ),
        *(
            "until: ${steps.a.ok}",
            "within: 9s",
            "otherwise: b",
            "```conclude",
            "resolved: true",
            "summary: ${",
            "# H",
            "}",
        ),
        *("claims: [{text: x, evidence: [a]}]", "&a *b", "reviewed: 2026-99-99", "\t", "~~~", "````", "when: ${'}'}"),
    ]
)


@given(st.lists(LINES | st.text(), max_size=30).map("\n".join) | st.binary() | st.text())
def test_any_text_is_a_runbook_or_a_runbook_error_that_names_the_file(text):
    refused = refusal(text)
    assert refused is None or refused.startswith("r/a.md:")


@given(st.lists(LINES, max_size=30))
def test_any_text_behind_a_good_beginning_is_a_runbook_or_a_runbook_error(lines):
    refused = refusal("---\ntitle: T\n---\n```step\nid: s\naction: a.b\n```\n" + "\n".join(lines))
    assert refused is None or refused.startswith("r/a.md:")


DOCS = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text()


def test_the_examples_of_the_manual_can_be_parsed():
    examples = re.findall(r"~~~markdown\n(.*?)~~~", DOCS, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        parse(f"---\ntitle: T\n---\n{example}", "docs/runbooks.md")
    front = re.search(r"```yaml\n(---\n.*?---\n)", DOCS, re.DOTALL)
    assert parse(front[1], "docs/runbooks.md").reviewed is not None


def test_the_manual_names_every_key_and_function():
    words = {*runbook._STEP, *runbook._CONCLUDE, *runbook._FRONT, *FUNCTIONS, *BASE_NAMES, *step_shape(ANY).fields}
    assert sorted(w for w in words if f"`{w}" not in DOCS and f"\n{w}:" not in DOCS) == []
