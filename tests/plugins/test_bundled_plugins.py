from __future__ import annotations

import pytest

from sysop.api import Risk
from sysop.errors import SettingsError
from sysop.host import load

SOURCES = (
    *(
        "alertmanager",
        "buildbot",
        "cloudevents",
        "cloudwatch",
        "datadog",
        "github",
        "gitlab",
        "grafana",
        "jenkins",
        "pagerduty",
    ),
    "sentry",
)
BUNDLED = (*SOURCES, "cicd", "generic", "inventory", "kubernetes", "metrics")


def test_every_bundled_plugin_loads_without_any_settings():
    host = load({}, required=BUNDLED)
    assert {line.name: line.problem for line in host.report if line.name in BUNDLED} == dict.fromkeys(BUNDLED)
    assert set(SOURCES) <= set(host.alert_sources())
    assert {plugin for plugin, _ in host.health_checks()} >= {"cicd", "inventory", "metrics"}


def test_only_starting_stopping_deploying_and_silencing_are_changes():
    host = load({}, required=BUNDLED)
    ours = {name: action for name, action in host.actions.items() if action.plugin in BUNDLED}
    assert {name: action.target for name, action in ours.items() if action.risk is not Risk.READ} == {
        "alertmanager.silence": "alertmanager:{mark}",
        "alertmanager.unsilence": "alertmanager:{silence}",
        "cicd.trigger": "pipeline:{pipeline}",
        "cicd.rerun": "build:{build}",
        "cicd.cancel": "build:{build}",
        "cicd.deploy": "service:{service}",
        "cicd.rollback": "service:{service}",
        "kubernetes.cordon": "node:{node}",
        "kubernetes.restart": "service:{service}",
        "kubernetes.rollout_undo": "service:{service}",
        "kubernetes.scale": "service:{service}",
        "kubernetes.uncordon": "node:{node}",
    }
    assert all(ours[a.undo] for a in ours.values() if a.undo), "what undoes an action is an action"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"metrics": {"adress": "http://x"}}, r"plugins\.metrics\.adress"),
        ({"cicd": {"local": {"pipelines": {"p": {"command": ["/bin/true", "{x}"]}}}}}, r"plugins\.cicd.*add x"),
    ],
)
def test_a_wrong_section_is_named_by_its_place(section, says):
    with pytest.raises(SettingsError, match=says):
        load(section)
