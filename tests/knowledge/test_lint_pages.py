"""What the linter says of prose, of text nobody sees, of endings that saw nothing, and of pages beside each other."""

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sysop.errors import RunbookError
from sysop.inventory import Inventory
from sysop.knowledge.index import Index
from sysop.knowledge.lint import MAX_AGE_DAYS, lint_text, together
from sysop.knowledge.runbook import parse

TODAY = date(2026, 12, 1)
FRONT = "---\ntitle: Disk\nalerts: [DiskFull]\nowner: shop\nreviewed: 2026-12-01\n---\n"
STEPS = """
```step
id: look
action: metrics.query
with: {query: full}
until: ${steps.look.result.value > 0.9}
within: 10s
otherwise: continue
```

```step
id: clean
action: cicd.trigger
when: ${steps.look.ok}
with: {pipeline: clean}
otherwise: continue
```

```step
id: after
action: metrics.query
when: ${steps.clean.ok}
with: {query: full}
until: ${steps.after.result.value < 0.9}
within: 10s
otherwise: continue
```

```conclude
when: WHEN
resolved: RESOLVED
summary: over
```

```conclude
resolved: false
summary: not over
```
"""


def told(body, **more):
    found = lint_text(FRONT + body, "runbooks/x.md", {}, Inventory(), today=TODAY, **more)
    return [(f.line, f.level, f.message) for f in found if "there is no action" not in f.message]


def test_a_page_of_prose_that_names_alerts_needs_no_step():
    assert told("# Disk\n\nMake room.\n") == []


@pytest.mark.parametrize("body", ["", "# Disk\n", "\n\n"])
def test_a_page_that_names_alerts_and_says_nothing_is_told(body):
    assert told(body) == [(3, "warning", "it names alerts but says nothing about them")]


@pytest.mark.parametrize("days", [0, 7, MAX_AGE_DAYS, 1_000])
def test_the_age_of_a_review_that_is_too_much_can_be_given(days):
    for age in (days, days + 1):
        page = (FRONT + "# A\n\nb\n").replace("2026-12-01", (TODAY - timedelta(days=age)).isoformat())
        found = lint_text(page, "x.md", {}, Inventory(), today=TODAY, max_age=days)
        assert [f.message for f in found] == [f"the last review is {age} days old"] * (age > days)


BLIND = "it ends as resolved also where every call failed"
WRONG = {
    "skipped": ("${steps.clean.skipped}", "true", 36),
    "failed": ("${!steps.look.ok}", "true", 36),
    "neither": ("${!steps.look.ok && !steps.clean.ok}", "true", 36),
    "by its service": ('${steps.after.skipped && incident.service != ""}', "true", 36),
    "an expression": ("${true}", "${steps.clean.skipped || steps.after.ok}", 37),
    "always": ("${true}", "true", 36),
}
RIGHT = {
    "ok": ("${steps.after.ok}", "true"),
    "unmet is seen": ('${steps.look.state == "unmet"}', "true"),
    "skipped, and something was seen": ("${steps.clean.skipped && steps.look.result.value < 0.5}", "true"),
    "the evidence decides": ("${steps.clean.skipped}", "${steps.look.ok && steps.look.result.value < 0.5}"),
    "not resolved": ("${steps.clean.skipped}", "false"),
    "labels not known here": ('${alert.labels.queue == "mails"}', "true"),
    "no alert fires": ("${!alert.firing}", "true"),
}


@pytest.mark.parametrize(("when", "resolved", "line"), WRONG.values(), ids=WRONG)
def test_an_ending_that_is_resolved_though_nothing_was_seen_is_an_error(when, resolved, line):
    body = STEPS.replace("WHEN", when).replace("RESOLVED", resolved)
    assert (line, "error", BLIND) in told(body)


@pytest.mark.parametrize(("when", "resolved"), RIGHT.values(), ids=RIGHT)
def test_an_ending_that_rests_on_what_was_seen_is_right(when, resolved):
    body = STEPS.replace("WHEN", when).replace("RESOLVED", resolved)
    assert BLIND not in [message for _, _, message in told(body)]


def test_a_step_that_stops_the_run_keeps_what_comes_after_it_from_being_blind():
    body = STEPS.replace("WHEN", "${steps.clean.skipped}").replace("RESOLVED", "true")
    first, rest = body.split("otherwise: continue\n", 1)
    assert BLIND not in [message for _, _, message in told(first + rest)]


HIDDEN = {
    "a long comment": (f"# A\n\ntext\n<!-- {'x' * 201} -->\n", 10, "a comment hides 201 characters from readers"),
    "over lines": (f"# A\n\n\ntext <!--\n{'word ' * 60}\n-->\n", 10, "a comment hides 299 characters from readers"),
    "no end": (f"# A\n<!-- {'x' * 300}\n", 8, "a comment hides 300 characters from readers"),
    "no width": ("# A\n\nre\u200bstart\n", 9, "it has characters that cannot be seen (U+200B)"),
    "turned": (
        "# A\n\nb\n\n\u202eabc\u202c\n",
        11,
        "it has characters that cannot be seen (U+202C, U+202E)",
    ),
    "in a block": ("# A\n\n```\nrm \u2066x\n```\n", 10, "it has characters that cannot be seen (U+2066)"),
    "in a heading": ("# A\u200b\n\nb\n", 7, "it has characters that cannot be seen (U+200B)"),
    "tags": ("# A\n\nb\U000e0041\n", 9, "it has characters that cannot be seen (U+E0041)"),
    "by style": ('# A\n\n<p style="display: none">b</p>\n', 9, "`display: none` hides text from readers"),
}


@pytest.mark.parametrize(("body", "line", "message"), HIDDEN.values(), ids=HIDDEN)
def test_text_that_a_reader_does_not_see_is_told_with_its_line(body, line, message):
    assert told(body) == [(line, "warning", message)]


SHOWN = {
    "a short comment": "# A\n\nb <!-- keep in step with the wiki -->\n",
    "emoji": "# A\n\n\U0001f469\u200d\U0001f4bb works\n",
    "a joiner of a word": "# A\n\nمی\u200cخواهم\n",
    "told as code": "# A\n\n`display:none`\n\n```css\np { display: none }\n<!-- " + "x" * 300 + " -->\n```\n",
}


@pytest.mark.parametrize("body", SHOWN.values(), ids=SHOWN)
def test_what_readers_see_or_may_leave_out_is_not_told(body):
    assert told(body) == []


def index(**pages):
    return Index({f"runbooks/{n}.md": parse(text, f"runbooks/{n}.md") for n, text in pages.items()})


def page(body="", alerts="", services="", environments=""):
    rest = f"alerts: [{alerts}]\nservices: [{services}]\nenvironments: [{environments}]\n"
    return f"---\ntitle: A page\n{rest}---\n# A page\n\n{body}\n"


OTHER = page("b\n\n## When to stop\n\nc\n\n<a id='Old-Name'></a>d")
LINKS = {
    "a page": ("see [b](gone.md)", "the link 'gone.md' leads to a page that is not there"),
    "in a sub-folder": ("[b](node/other.md)", "the link 'node/other.md' leads to a page that is not there"),
    "a section": ("[b](other.md#when-to-go)", "the link 'other.md#when-to-go' leads to a section that is not there"),
    "its own section": ("[b](#no)", "the link '#no' leads to a section that is not there"),
    "a reference": ("see [b]\n\n[b]: gone.md", "the link 'gone.md' leads to a page that is not there"),
    "a script": ("[b](javascript:alert)", "the link 'javascript:alert' is none that people can follow"),
    "no host": ("[b](https:///x)", "the link 'https:///x' names no host"),
    "a broken host": ("[b](https://[::1/x)", "the link 'https://[::1/x' names no host"),
}


@pytest.mark.parametrize(("body", "message"), LINKS.values(), ids=LINKS)
def test_a_link_that_leads_nowhere_is_an_error_on_its_line(body, message):
    found = together(index(one=page(body), other=OTHER))
    line = 9 + body.count("\n")
    assert [(f.file, f.line, f.level, f.message) for f in found] == [("runbooks/one.md", line, "error", message)]
    assert found[0].fix


@pytest.mark.parametrize(
    "body",
    [
        "[b](other.md) [c](./other.md#when-to-stop) [d](other.md#When-To-Stop) [e](#a-page) [f](other.md#old-name)",
        "[b](../docs/x.md) [c](/x.md) [d](picture.png) [e](README.md) [f](../runbooks/other.md)",
        "[b](https://shop.example/a.md#c) [c](http://[::1]:80/) [d](mailto:a@b.example) ![e](https://shop.example/x.png)",
        "`[b](gone.md)`\n\n```\n[b](gone.md)\n```",
        "<https://shop.example>, a[0](x) and [not a link] (gone.md)",
    ],
)
def test_a_link_that_leads_somewhere_or_out_of_what_is_known_is_right(body):
    assert together(index(one=page(body), other=OTHER)) == []


RIVALS = {
    "any service": (("A, B", "", ""), ("B", '"*"', ""), True),
    "the same service": (("A", "checkout, search", ""), ("A", "search", ""), True),
    "one of them is more special": (("A", "checkout", ""), ("A", '"*"', ""), False),
    "other services": (("A", "checkout", ""), ("A", "search", ""), False),
    "other environments": (("A", "", "production"), ("A", "", "staging"), False),
    "all environments": (("A", "", "production"), ("A", "", ""), True),
    "other alerts": (("A", "", ""), ("B", "", ""), False),
}


@pytest.mark.parametrize(("one", "other", "rivals"), RIVALS.values(), ids=RIVALS)
def test_pages_for_the_same_alert_services_and_environments_are_both_told(one, other, rivals):
    found = together(index(one=page("b", *one), other=page("b", *other)))
    assert [(f.file, f.line, f.level) for f in found] == [
        ("runbooks/one.md", 3, "warning"),
        ("runbooks/other.md", 3, "warning"),
    ] * rivals
    assert not rivals or "runbooks/other.md names the alert" in found[0].message


@given(st.text(st.sampled_from("`[]()<>!-#: \n~ab.md\u200b"), max_size=80))
@example("`` ` [](" * 12)
def test_no_text_stops_the_linter(body):
    text = page(f"x {body}").replace("---\n# A", "---\n\n# A")
    try:
        parsed = parse(text, "runbooks/one.md")
    except RunbookError as bad:
        assert "the block does not end" in str(bad)  # noqa: PT017
        return
    together(Index({"runbooks/one.md": parsed}))
    assert all(0 < f.line <= text.count("\n") + 1 for f in lint_text(text, "runbooks/one.md", {}, Inventory()))
