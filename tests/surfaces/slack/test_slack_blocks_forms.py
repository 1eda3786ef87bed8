"""Modals: an input for each parameter of an action, and what is typed comes back as the schema wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
import slack_hostile as hostile
import slack_nouns as nouns
import slack_payloads as payloads
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from sysop.actions import Action, ServiceName, action
from sysop.api import Context, Risk
from sysop.inventory import Inventory, Service
from sysop.surfaces.slack.blocks import forms, inputs
from sysop.surfaces.slack.blocks.forms import NewIncident
from sysop.surfaces.slack.blocks.inputs import Given, Wrong

SHOP = Inventory({name: Service(name, owner="team shop") for name in ("gateway", "checkout", "payments")})


class Window(BaseModel):
    """Part of an action's arguments."""

    minutes: int
    note: str = ""


@action(risk=Risk.CHANGE, target="service:{service}")
async def scale(
    ctx: Context,
    service: ServiceName,
    replicas: Annotated[int, Field(ge=1, le=20, description="how many copies")],
    ratio: float = 0.5,
    mode: Literal["fast", "slow"] = "fast",
    force: bool = False,
    to: Annotated[str, Field(max_length=40)] | None = None,
    hosts: list[str] = [],  # noqa: B006 (read by pydantic, never kept)
    window: Window | None = None,
) -> str:
    """Change how many copies of a service run."""
    return ""


SCALE = scale.owned("cluster", "1")


def typed(**fields: Any) -> dict[str, Any]:
    """Return what Slack sends for inputs that were filled: a text, or an option of a menu."""
    state: dict[str, Any] = {}
    for name, value in fields.items():
        menu = {"selected_option": {"value": json.dumps(value[0])}} if isinstance(value, list) else {"value": value}
        state[f"arg:{name}"] = {"value": {"type": "x", **menu}}
    return state


def elements(view: Mapping[str, Any]) -> dict[str, Any]:
    return {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}


def test_each_parameter_gets_the_input_that_fits() -> None:
    view = forms.run(SCALE, SHOP, {"service": "checkout", "replicas": 3})
    payloads.takes_view(view)
    made = elements(view)
    assert {name: element["type"] for name, element in made.items()} == {
        "arg:service": "static_select",
        "arg:replicas": "number_input",
        "arg:ratio": "number_input",
        "arg:mode": "static_select",
        "arg:force": "static_select",
        "arg:to": "plain_text_input",
        "arg:hosts": "plain_text_input",
        "arg:window": "plain_text_input",
    }
    assert [option["text"]["text"] for option in made["arg:service"]["options"]] == ["checkout", "gateway", "payments"]
    assert made["arg:service"]["initial_option"]["value"] == '"checkout"'
    assert (made["arg:replicas"]["min_value"], made["arg:replicas"]["max_value"]) == ("1", "20")
    assert made["arg:replicas"]["initial_value"] == "3"
    optional = {block["block_id"]: block["optional"] for block in view["blocks"] if block["type"] == "input"}
    assert [name for name, skipped in optional.items() if not skipped] == ["arg:service", "arg:replicas"]


def test_what_is_typed_comes_back_typed() -> None:
    state = typed(
        service=["checkout"],
        replicas="3",
        ratio="0.25",
        mode=["slow"],
        force=[True],
        hosts=" a \nb\n",
        window='{"minutes": 5}',
    )
    assert forms.arguments(SCALE, SHOP, state) == Given(
        {
            "service": "checkout",
            "replicas": 3,
            "ratio": 0.25,
            "mode": "slow",
            "force": True,
            "hosts": ["a", "b"],
            "window": {"minutes": 5},
        }
    )


@pytest.mark.parametrize(
    ("fields", "block"),
    [
        ({"replicas": "3"}, "arg:service"),
        ({"service": ["checkout"], "replicas": "3.5"}, "arg:replicas"),
        ({"service": ["checkout"], "replicas": "99"}, "arg:replicas"),
        ({"service": ["checkout"], "replicas": "3", "ratio": "much"}, "arg:ratio"),
        ({"service": ["checkout"], "replicas": "3", "window": "{"}, "arg:window"),
        ({"service": ["checkout"], "replicas": "3", "window": '{"minutes": "x"}'}, "arg:window"),
        ({"service": ["checkout"], "replicas": "3", "to": "x" * 41}, "arg:to"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_input(fields: dict[str, Any], block: str) -> None:
    found = forms.arguments(SCALE, SHOP, typed(**fields))
    assert isinstance(found, Wrong)
    assert list(found.errors) == [block]
    assert all(found.errors.values())


def test_without_an_inventory_or_with_a_very_large_one_a_service_is_typed() -> None:
    large = Inventory({f"s{n}": Service(f"s{n}") for n in range(101)})
    for inventory in (Inventory(), large):
        view = forms.run(SCALE, inventory, {})
        payloads.takes_view(view)
        assert elements(view)["arg:service"]["type"] == "plain_text_input"


def _many(count: int) -> Action:
    fields = ", ".join(f"p{n}: int = 0" for n in range(count))
    scope: dict[str, Any] = {"Context": Context}
    exec(f"async def many(ctx: Context, {fields}) -> str:\n    'Take many.'\n    return ''", scope)
    return action(risk=Risk.READ)(scope["many"]).owned("toy", "1")


def test_very_many_parameters_are_typed_as_one_json_text() -> None:
    many = _many(60)
    view = forms.run(many, SHOP, {"p1": 5})
    payloads.takes_view(view)
    assert list(elements(view)) == ["arg:args"]
    assert forms.arguments(many, SHOP, {"arg:args": {"value": {"value": '{"p1": 7}'}}}) == Given({"p1": 7})
    for text in ("", "[1]", "{", '{"p1": "x"}', '{"other": 1}', "[" * 100_000):
        found = forms.arguments(many, SHOP, {"arg:args": {"value": {"value": text}}})
        assert isinstance(found, Wrong)
        assert list(found.errors) == ["arg:args"]


schemas = st.dictionaries(
    hostile.some.filter(lambda name: len(name) < 200),
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")}, optional={"maxLength": st.integers(0, 5000), "description": hostile.some}
        ),
        st.fixed_dictionaries({"enum": st.lists(hostile.some, max_size=120)}),
        st.fixed_dictionaries(
            {"type": st.just("integer"), "default": st.integers(), "minimum": st.integers(), "maximum": st.integers()}
        ),
        st.fixed_dictionaries({"type": st.just("number"), "default": st.floats(allow_nan=False, allow_infinity=False)}),
        st.fixed_dictionaries({"anyOf": st.just([{"type": "boolean"}, {"type": "null"}]), "default": st.none()}),
        st.fixed_dictionaries(
            {
                "type": st.just("array"),
                "items": st.just({"type": "string"}),
                "default": st.lists(hostile.some, max_size=3),
            }
        ),
        st.fixed_dictionaries(
            {"type": st.just("object"), "default": st.dictionaries(hostile.some, hostile.some, max_size=3)}
        ),
    ),
    max_size=8,
).map(lambda properties: {"type": "object", "properties": properties, "required": list(properties)[:3]})


@nouns.SOME
@given(schemas, hostile.some)
def test_slack_takes_the_inputs_of_every_schema_and_any_answer_is_read(schema: Any, answer: str) -> None:
    made = inputs.inputs(schema, {})
    blocks = made or [{"type": "divider"}]
    plain = {"type": "plain_text", "text": "x"}
    payloads.takes_view({"type": "modal", "title": plain, "submit": plain, "blocks": blocks})
    state = {block["block_id"]: {"value": {"value": answer}} for block in made}
    found = inputs.parse(schema, state)
    assert isinstance(found, Given) or set(found.errors) <= {block["block_id"] for block in made}


@nouns.SOME
@given(st.lists(hostile.some, max_size=5), hostile.some, hostile.some, st.booleans())
def test_slack_takes_every_other_form(names: list[str], title: str, note: str, paused: bool) -> None:
    inventory = Inventory({name: Service(name) for name in names})
    for view in (
        forms.choose(dict.fromkeys(names, SCALE)),
        forms.choose({f"a{n}.b": SCALE for n in range(150)}),
        forms.new_incident(inventory, title, note),
        forms.ask(title),
        forms.pause(paused),
    ):
        payloads.takes_view(view)


def test_an_action_is_chosen_by_name() -> None:
    assert (
        forms.chosen({"cluster.scale": SCALE}, {"action": {"text": {"selected_option": {"value": "cluster.scale"}}}})
        is SCALE
    )
    assert forms.chosen({"cluster.scale": SCALE}, {"action": {"text": {"value": " cluster.scale "}}}) is SCALE
    assert isinstance(forms.chosen({"cluster.scale": SCALE}, {}), Wrong)


def _incident(**fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": {"value": "Checkout is slow"},
        "severity": {"selected_option": {"value": "error"}},
        "services": {"selected_options": [{"value": "checkout"}]},
        "note": {"value": " since noon "},
        "triage": {"selected_options": [{"value": "yes"}]},
    }
    return {name: {"text": value} for name, value in {**values, **fields}.items()}


def test_an_incident_opened_by_hand_is_read() -> None:
    assert forms.opened(SHOP, _incident()) == NewIncident(
        "Checkout is slow", "error", ("checkout",), "since noon", True
    )
    typed_in = _incident(
        services={"value": "checkout, gateway,"}, triage={"selected_options": []}, note={"value": None}
    )
    assert forms.opened(SHOP, typed_in) == NewIncident("Checkout is slow", "error", ("checkout", "gateway"), "", False)


@pytest.mark.parametrize(
    ("fields", "block"),
    [
        ({"title": {"value": "  "}}, "title"),
        ({"severity": {"selected_option": {"value": "awful"}}}, "severity"),
        ({"services": {"value": "unknown"}}, "services"),
    ],
)
def test_an_incident_that_says_too_little_is_not_opened(fields: dict[str, Any], block: str) -> None:
    found = forms.opened(SHOP, _incident(**fields))
    assert isinstance(found, Wrong)
    assert list(found.errors) == [block]


def test_a_question_and_a_reason_are_needed() -> None:
    assert forms.asked({"ask": {"text": {"value": " why? "}}}) == "why?"
    assert isinstance(forms.asked({}), Wrong)
    assert forms.paused({"reason": {"text": {"value": "freeze"}}}) == "freeze"
    assert isinstance(forms.paused({"reason": {"text": {"value": ""}}}), Wrong)
