"""docs/sources.md: every source is on it, and what it says to write works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sysop import settings
from sysop.api import Delivery
from sysop.host import load

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "sources.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", PAGE, re.MULTILINE))
HEADERS = {
    "cloudevents": {"content-type": "application/cloudevents+json"},
    "sentry": {"sentry-hook-resource": "metric_alert"},
}
EXAMPLES = [
    (title.lower(), json.loads(block))
    for title, text in SECTIONS.items()
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    if title != "Datadog"  # a template, tested with its source
]


def blocks() -> list[Any]:
    return [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if not block.startswith("receivers:")]


def test_every_source_that_ships_has_a_section_and_a_line() -> None:
    names = set(load({}).alert_sources())
    assert names <= {title.lower() for title in SECTIONS}
    assert names == set(re.findall(r"^\| \[(\w+)\]\(#\1\) ", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("name", "body"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_body_is_read(name: str, body: Any) -> None:
    source = load({}).alert_sources()[name]
    (alert,) = source.parse(Delivery(HEADERS.get(name, {}), b"", body))
    assert alert.firing
    assert alert.service


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.split()[-2])
def test_what_it_says_of_the_settings_is_valid(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sysop.yaml"
    file.write_text(block)
    read = settings.load(file)
    host = load(read.plugins)
    assert set(read.webhooks.tokens) <= set(host.alert_sources())


def test_the_limits_it_names_are_those_of_the_code() -> None:
    from sysop.surfaces import receive
    from sysop_plugins.generic import mapping

    assert f"within {receive.BODY_S:g} s" in PAGE
    assert f"at most {mapping.MAX_ALERTS:,} alerts" in PAGE
    assert f"{mapping.MAX_VALUES:,} values at most" in PAGE


def test_the_example_of_a_source_is_one(tmp_path: Path) -> None:
    section = (DOCS / "plugins.md").read_text().partition("## Take alerts in")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "smoke.py").write_text(code)
    source = load({}, folder=tmp_path, points=[]).alert_sources()["smoke"]
    (fires,) = source.parse(Delivery({}, b"", {"detector": "d1", "since": 5, "smoke": True}))
    (ends,) = source.parse(Delivery({}, b"", {"detector": "d1", "since": 9, "smoke": False}))
    assert (fires.firing, ends.firing, ends.ending) == (True, False, True)
    with pytest.raises(ValueError, match="detector"):
        list(source.parse(Delivery({}, b"", [])))
