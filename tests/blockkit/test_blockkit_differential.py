"""Two checkers that are not ours: whatever they refuse, we refuse; whatever they build, we take."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
import slackblocks
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models import blocks as sdk
from slack_sdk.models.views import View
from slackblocks import _limits, _surfaces
from slackblocks.errors import InvalidUsageError

from blockkit.numbers import NUMBERS
from blockkit.samples import ELEMENTS, INPUTS, SAMPLES, Block, plain, surface_of
from sysop.blockkit import Surface, check_blocks, check_view, limits

EVERY = {**SAMPLES, **INPUTS}

# What we refuse and slackblocks takes: (surface, type) and why.
STRICTER = {
    ("message", "file"): "Slack shows a file block when a message is read; an app cannot send one",
    ("home", "data_visualization"): "documented for messages only",
}
KINDS = sorted({kind for allowed in _surfaces._BLOCK_TYPES_BY_SURFACE.values() for kind in allowed})


@pytest.mark.parametrize("surface", get_args(Surface))
def test_the_surfaces_agree_with_slackblocks(surface: Surface) -> None:
    theirs = {kind for kind in KINDS if not _raises(_surfaces.validate_surface_blocks, [{"type": kind}], surface)}
    stricter = {kind for place, kind in STRICTER if place == surface}
    assert limits.SURFACES[surface] == theirs - stricter


def _raises(call: Callable[..., object], *given: object) -> bool:
    try:
        call(*given)
    except (InvalidUsageError, SlackObjectFormationError):
        return True
    return False


def test_the_numbers_agree_with_slackblocks() -> None:
    assert {name: getattr(_limits, name) for name in NUMBERS} == NUMBERS


Change = Callable[[Any], Any]
TOO_LONG = 12_050


def padded(size: int) -> Change:
    return lambda old: old.ljust(size, "x")


CHANGES: dict[type, dict[str, Change]] = {
    str: {
        "empty": lambda old: "",
        "too long": lambda old: old + "x" * TOO_LONG,
        "a number": lambda old: 7,
        **{f"{size} characters": padded(size) for size in (76, 151, 201, 256, 2001)},
    },
    list: {
        "empty": lambda old: [],
        "far too many": lambda old: old * 60,
        "eleven": lambda old: (old * 11)[:11],
        "twenty-six": lambda old: (old * 26)[:26],
        "an object": lambda old: {},
    },
    dict: {"empty": lambda old: {}, "a string": lambda old: "x"},
    int: {"negative": lambda old: -1, "huge": lambda old: 10_000, "a string": lambda old: "x"},
    bool: {"a string": lambda old: "x"},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a block, its own first."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*path, key))


def mutants(block: Block) -> Iterator[tuple[str, Block]]:
    """Yield a block with one place changed or taken away, for every place and change."""
    for path in places(block):
        if not path:
            continue
        holder = block
        for key in path[:-1]:
            holder = holder[key]
        changes = CHANGES.get(type(holder[path[-1]]), {})
        for name, change in {**changes, "gone": None}.items():
            bent = copy.deepcopy(block)
            inner = bent
            for key in path[:-1]:
                inner = inner[key]
            if change is None:
                del inner[path[-1]]
            else:
                inner[path[-1]] = change(inner[path[-1]])
            yield f"{'/'.join(map(str, path))}: {name}", bent


UNREADABLE = (TypeError, AttributeError, ValueError, KeyError)


def sdk_refuses(block: Block) -> bool:
    try:
        return _raises(_through_the_sdk, block)
    except UNREADABLE:
        return True


def _through_the_sdk(block: Block) -> None:
    parsed = sdk.Block.parse(copy.deepcopy(block))
    if parsed is not None:
        parsed.to_dict()


def slackblocks_refuses(block: Block) -> bool:
    try:
        return _raises(slackblocks.Block.from_dict, copy.deepcopy(block))
    except NotImplementedError:
        return False  # this kind cannot be read back by slackblocks
    except UNREADABLE:
        return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EVERY)
def test_what_another_checker_refuses_of_a_bent_block_we_refuse(name: str) -> None:
    block = EVERY[name]
    missed = []
    for what, bent in mutants(block):
        refused = sdk_refuses(bent) or slackblocks_refuses(bent)
        if refused and not check_blocks([bent], surface_of(block)):  # type: ignore[arg-type]
            missed.append(what)
    assert missed == []  # a named exception would need its reason here; there is none


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("refuses", "name", "least"), [(sdk_refuses, "section", 100), (slackblocks_refuses, "header", 10)]
)
def test_bent_blocks_are_really_refused_by_the_others(refuses: Callable[[Block], bool], name: str, least: int) -> None:
    assert sum(refuses(bent) for _, bent in mutants(EVERY[name])) >= least


def models() -> dict[str, Any]:
    option = sdk.Option(text="a", value="a")
    users = sdk.UserSelectElement(action_id="u")
    rich = sdk.RichTextBlock(elements=[sdk.RichTextSectionElement(elements=[sdk.RichTextElementParts.Text(text="x")])])
    confirm = sdk.ConfirmObject(title="Sure?", text="Really", confirm="Yes", deny="No", style="danger")
    button = sdk.ButtonElement(text="Go", action_id="go", value="1", style="primary", confirm=confirm)
    task = sdk.TaskCardBlock(task_id="1", title="look", status="complete", details=rich)
    feedback = sdk.FeedbackButtonsElement(
        action_id="fb",
        positive_button=sdk.FeedbackButtonObject(text="Good", value="1"),
        negative_button=sdk.FeedbackButtonObject(text="Bad", value="0"),
    )
    select = sdk.StaticSelectElement(action_id="s", placeholder="Pick", options=[option], initial_option=option)
    words = sdk.PlainTextInputElement(action_id="p", multiline=True, max_length=500, focus_on_load=True)
    return {
        "section": sdk.SectionBlock(text="*hi*", fields=["a", "b"], accessory=button),
        "header": sdk.HeaderBlock(text="hi"),
        "divider": sdk.DividerBlock(),
        "context": sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="x"), sdk.PlainTextObject(text="y")]),
        "actions": sdk.ActionsBlock(
            elements=[button, select, sdk.OverflowMenuElement(action_id="o", options=[option])]
        ),
        "pickers": sdk.ActionsBlock(
            elements=[sdk.DatePickerElement(action_id="d"), sdk.TimePickerElement(action_id="t")]
        ),
        "people": sdk.ActionsBlock(elements=[users, sdk.ChannelSelectElement(action_id="c")]),
        "choices": sdk.ActionsBlock(elements=[sdk.CheckboxesElement(action_id="c", options=[option])]),
        "input": sdk.InputBlock(label="Why", element=words, hint="short"),
        "image": sdk.ImageBlock(image_url="https://shop.example/a.png", alt_text="a"),
        "markdown": sdk.MarkdownBlock(text="# hi"),
        "rich_text": rich,
        "code": sdk.RichTextBlock(
            elements=[sdk.RichTextPreformattedElement(elements=[sdk.RichTextElementParts.Text(text="{}")], border=0)]
        ),
        "table": sdk.TableBlock(rows=[[sdk.RawTextObject(text="a")]], column_settings=[{"is_wrapped": True}]),
        "plan": sdk.PlanBlock(title="Plan", tasks=[task]),
        "task_card": task,
        "context_actions": sdk.ContextActionsBlock(elements=[feedback]),
        "card": sdk.CardBlock(title="hi", body="there", actions=[button]),
        "alert": sdk.AlertBlock(text="careful", level="warning"),
        "container": sdk.ContainerBlock(title="more", child_blocks=[sdk.DividerBlock()]),
    }


@pytest.mark.parametrize("name", models())
def test_what_the_sdk_builds_we_take(name: str) -> None:
    block = models()[name].to_dict()
    assert check_blocks([block], surface_of(block)) == []  # type: ignore[arg-type]


def built() -> dict[str, Any]:
    kit = slackblocks
    task = kit.TaskCardBlock(task_id="1", title="look", status="complete")
    return {
        "section": kit.SectionBlock(text="hi", fields=["a"], accessory=kit.Button(text="Go", action_id="go")),
        "plan": kit.PlanBlock(title="Plan", tasks=[task]),
        "task_card": task,
        "card": kit.CardBlock(title="hi", actions=kit.Button(text="Go", action_id="go")),
        "table": kit.TableBlock(rows=[[kit.RawText("a")]]),
        "header": kit.HeaderBlock("hi"),
        "markdown": kit.MarkdownBlock("hi"),
        "divider": kit.DividerBlock(),
    }


@pytest.mark.parametrize("name", built())
def test_what_slackblocks_builds_we_take(name: str) -> None:
    assert check_blocks([built()[name]._resolve()], "message") == []


def test_an_sdk_view_is_taken_and_needs_submit_where_the_sdk_does_not_care() -> None:
    asks = [sdk.InputBlock(label="Why", element=sdk.PlainTextInputElement(action_id="why"))]
    assert check_view(View(type="modal", title="Deny", submit="Send", blocks=asks).to_dict()) == []
    unsent = check_view(View(type="modal", title="Deny", blocks=asks).to_dict())
    assert [one.pointer for one in unsent] == ["/view/submit"]


# What the SDK takes and Slack refuses: we must not follow it.
TAKEN_BY_THE_SDK: dict[str, Block] = {
    "a long field": {"type": "section", "text": plain(), "fields": [plain("x" * 2001)]},
    "an action_id twice": {"type": "actions", "elements": [ELEMENTS["users"], ELEMENTS["users"]]},
    "a long alert": {"type": "alert", "text": plain("x" * 201)},
    "101 rows": {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101},
    "21 columns": {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]},
    "a plan of none": {"type": "plan", "title": "p", "tasks": []},
    "a plan of 51": {
        "type": "plan",
        "title": "p",
        "tasks": [SAMPLES["task_card"] | {"task_id": str(n)} for n in range(51)],
    },
    "a pending card": SAMPLES["task_card"] | {"status": "pending"},
    "four buttons": SAMPLES["card"]
    | {"actions": [SAMPLES["card"]["actions"][0] | {"action_id": str(n)} for n in range(4)]},
}


@pytest.mark.parametrize("name", TAKEN_BY_THE_SDK)
def test_what_the_sdk_wrongly_takes_we_refuse(name: str) -> None:
    block = TAKEN_BY_THE_SDK[name]
    assert not sdk_refuses(block)
    assert check_blocks([block], surface_of(block))  # type: ignore[arg-type]
