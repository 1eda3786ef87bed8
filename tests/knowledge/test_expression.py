import subprocess
import sys
import time

import pytest

from sysop import expression
from sysop.errors import RunbookError
from sysop.expression import ExpressionError
from sysop.knowledge.shape import DOUBLE, conform, list_of, object_of, of_schema

SERIES = [
    {"labels": {"service": "gateway"}, "value": None, "at": 1.0},
    {"labels": {"service": "checkout"}, "value": 0.25, "at": 1.0},
    {"labels": {"service": "payments"}, "value": 0.5, "at": 1.0},
]
VARIABLES = {"steps": {"errors": {"ok": True, "result": {"series": SERIES, "count": 3}}}, "now": 1_000}


def value(source, variables=VARIABLES):
    return expression.evaluate(expression.compile(source, place="f:1", line=1), variables)


VALUES = {
    'argmax(steps.errors.result.series, "value").labels.service': "payments",
    'steps.errors["result"].series.argmax("value").value > 0.4': True,
    "steps.errors.result.series.filter(s, s.value != null && s.value > 0.3).map(s, s.labels.service)": ["payments"],
    "max(1, 3, 2) + min([5, 4])": 7,
    "max(steps.errors.result.series.filter(s, s.value != null).map(s, s.value))": 0.5,
    "show([1.23456, 1234.5, 2, true, null, 'x'])": "1.23, 1,234, 2, yes, unknown, x",
    "percent(0.12345) + ' of ' + percent(null)": "12.3 % of unknown",
    "has(steps.errors.result.nothing)": False,
    "now - 400": 600,
    "'a' in ['a', 'b'] && !('c' in ['a'])": True,
    "r'\\d' + \"q\\\"\" + '''x'''": '\\dq"x',
}


@pytest.mark.parametrize("source", VALUES, ids=str)
def test_expressions_have_the_values_the_manual_promises(source):
    assert value(source) == VALUES[source]


FAILURES = {
    "steps.missing.ok": "there is no 'missing'",
    "steps.errors.result.series.filter(s, s.value > 0.1)": "No such overload",
    "nothing + 1": "Undefined variable or function: 'nothing' (nothing = nothing)",
    "now * 1.5": "(now = 1000)",
    "min([])": "min of an empty list",
    "max('a', 'b')": "max needs numbers, not a",
    "argmax([], 'value')": "argmax found no entry with a number in 'value'",
    "argmax(steps, 'value')": "argmax needs a list and a field name",
    "1 / 0": "division by zero",
    "1.0 / 0.0": "its value is inf, not a finite number",
    "duration('1s')": "its value is a timedelta, not JSON data",
    "{1: 2}": "not JSON data",
    "[1][5]": "index out of bounds",
    "9223372036854775807 + 1": "overflow",
    "percent('x')": "percent needs numbers",
}


@pytest.mark.parametrize("source", FAILURES, ids=str)
def test_an_expression_that_fails_says_why_and_with_which_values(source):
    with pytest.raises(ExpressionError) as failed:
        value(source)
    assert f"`{source}` failed: " in str(failed.value)
    assert FAILURES[source] in str(failed.value)


REFUSED = {
    "nested three deep": ("a.map(x, a.map(y, a.map(z, 1)))", "nests macros and functions 3 deep, 2 are allowed"),
    "function in nested macros": ("a.map(x, a.map(y, argmax(a, 'v')))", "nests macros and functions 3 deep"),
    "too long": ("'" + "x" * 2_000 + "'", "2002 characters, 2000 are allowed"),
    "too deep": ("(" * 40 + "1" + ")" * 40, "nested more than 32 deep"),
    "too many operations": ("1" + "+1" * 200, "too many operations in a row"),
    "sum of lists": ("(a + a + a).map(x, x)", "walks a sum of lists"),
    "not CEL": ("1 +", "is not valid CEL: 1:4: Syntax error"),
    "empty": ("", "is not valid CEL"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED)
def test_expressions_that_could_cost_too_much_are_refused_before_they_run(source, message):
    with pytest.raises(RunbookError) as refused:
        expression.compile(source, place="f:1", line=1)
    assert str(refused.value).startswith("f:1: ")
    assert message in str(refused.value)


def many(count):
    return {"a": [{"labels": {"service": str(n), "zone": "x"}, "value": n / 3, "at": 1.0} for n in range(count)]}


LONGEST = {"a.filter(x, x.value > 1.0)": 500, "a.filter(x, a.exists(y, y.value > 1e6))": 62, "argmax(a, 'value')": 1000}


@pytest.mark.parametrize("source", LONGEST, ids=str)
def test_lists_are_capped_so_that_the_worst_case_stays_short(source):
    longest = LONGEST[source]
    begun = time.process_time()
    value(source, many(longest))
    assert time.process_time() - begun < 2.0  # measured 0.2; ten times that on a busy machine
    with pytest.raises(ExpressionError, match="narrow the step's query"):
        value(source, many(longest + 1))


@pytest.mark.parametrize(("source", "most"), {"m.exists(k, k == '')": 500, "m.all(k, m.all(l, k != ''))": 62}.items())
def test_maps_are_capped_as_lists_are_since_macros_walk_their_keys(source, most):
    value(source, {"m": {f"k{n}": n for n in range(most)}})
    with pytest.raises(ExpressionError, match=f"its macros would walk {most + 1} entries too often"):
        value(source, {"m": {f"k{n}": n for n in range(most + 1)}})


def test_a_long_list_that_is_not_referred_to_does_not_matter():
    steps = {"other": {"result": list(range(5_000))}, "mine": {"ok": True}}
    assert value("steps.mine.ok", {"steps": steps}) is True


def test_whole_numbers_become_float_where_the_model_says_so():
    schema = {
        "$defs": {
            "Sample": {
                "type": "object",
                "properties": {"value": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "n": {"type": "integer"}},
            }
        },
        "type": "object",
        "properties": {"series": {"type": "array", "items": {"$ref": "#/$defs/Sample"}}},
    }
    found = conform({"series": [{"value": 1, "n": 2}, {"value": None, "n": 3}], "extra": 4}, of_schema(schema))
    assert found == {"series": [{"value": 1.0, "n": 2}, {"value": None, "n": 3}], "extra": 4}
    assert [type(s["value"]) for s in found["series"]] == [float, type(None)]
    assert type(found["series"][0]["n"]) is int
    assert conform([True], list_of(DOUBLE)) == [True]
    assert type(conform([True], list_of(DOUBLE))[0]) is bool


def test_a_recursive_model_is_known_to_some_depth_and_never_loops():
    schema = {"$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}, "$ref": "#/$defs/N"}
    shape = of_schema(schema)
    assert shape.fields["next"].fields["next"].kind == "object"
    assert object_of().fields == {}


def test_expressions_load_no_command_line_and_leave_the_library_whole():
    code = (
        "import sys; from sysop import expression\n"
        "print([m for m in ('cel.cli', 'prompt_toolkit', 'typer', 'pygments') if m in sys.modules])\n"
        "import cel; print(cel.Program is expression.cel.Program, cel.evaluate('1 + 1', {}), cel.stdlib.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True 2 cel.stdlib"]
