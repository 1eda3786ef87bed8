"""Changed bodies over every source that ships: no crash, no 5xx, and each refusal names the field."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scale import size

pytest.importorskip("cryptography", reason="cryptography is not installed, with which signatures of SNS are made")

import bodies
import mutations
from sns_kit import TOPIC, notification, subscription
from test_buildbot_source import FAILED as FORCED
from test_generic_source import BODY, CHECKS
from test_github_source import DEPLOYMENT, RUN
from test_gitlab_source import FAILED as PIPELINE
from test_jenkins_source import FAILED as BUILD

import bench
from sysop import app as composition
from sysop.api import AlertSource, Delivery
from sysop.app import App
from sysop.host import Host, load
from sysop.surfaces.storable import check

Headers = dict[str, str]
TOKEN = "of every source"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/p", "ce-type": "t", "ce-time": "2026-03-02T09:14:07Z"}
SENT = {"sentry-hook-timestamp": "1772443447"}

CHANGE = {
    "id": "flag-42",
    "kind": "flag",
    "service": "checkout",
    "from": "off",
    "to": "on",
    "at": "2026-03-02T09:14:07Z",
    "by": "release train",
    "title": "new basket",
    "url": "https://flags.test/42",
}
EVENT = {"specversion": "1.0", "id": "e-1", "source": "flags", "type": "flag", "time": CHANGE["at"], "data": CHANGE}

SEEDS: Mapping[str, list[tuple[Headers, Any]]] = {
    "alertmanager": [({}, bodies.ALERTMANAGER)],
    "buildbot": [({}, FORCED)],
    "changes": [({}, CHANGE), ({}, {"changes": [CHANGE]}), (STRUCTURED, EVENT)],
    "checks": [({"x-site": "eu"}, BODY)],
    "cloudevents": [
        (STRUCTURED, bodies.CLOUDEVENT),
        ({"content-type": "application/cloudevents-batch+json"}, [bodies.CLOUDEVENT]),
        ({"content-type": "application/json", **BINARY}, bodies.CLOUDEVENT["data"]),
    ],
    "cloudwatch": [({}, notification(Signature="c2lnbmVk")), ({}, subscription(Signature="c2lnbmVk"))],
    "datadog": [({}, bodies.DATADOG)],
    "github": [({"x-github-event": "workflow_run"}, RUN), ({"x-github-event": "deployment_status"}, DEPLOYMENT)],
    "gitlab": [({}, PIPELINE)],
    "grafana": [({}, bodies.GRAFANA)],
    "jenkins": [({}, BUILD)],
    "pagerduty": [({}, bodies.PAGERDUTY)],
    "sentry": [
        ({"sentry-hook-resource": "event_alert", **SENT}, bodies.SENTRY_EVENT),
        ({"sentry-hook-resource": "metric_alert", **SENT}, bodies.SENTRY_METRIC),
        ({"sentry-hook-resource": "issue", **SENT}, bodies.SENTRY_ISSUE),
    ],
}
ALSO: Mapping[Any, str] = {"checks": "alerts", "Message": "body", "changes": "id"}
"""Parts of a path, and what else they are called: by the setting that reads them, or as a body of their own."""
EACH = size(50_000 // len(SEEDS))
THROUGH_HTTP = size(300)
_NAMED = re.compile(r"(?:^|: )(?:[\w-]+|`[^`]*`)(?:\.[^\s:]*|\[\d+\]|\.)*: \S", re.DOTALL)


@pytest.fixture(scope="module")
def host() -> Host:
    return load({"generic": {"sources": {"checks": CHECKS}}, "cloudwatch": {"topics": [TOPIC]}})


def test_every_source_that_ships_is_among_them(host: Host) -> None:
    assert set(SEEDS) == set(host.alert_sources())


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("body", [["x"], "x", 7, {"alerts": ["x"]}, {"event": 7}, {"data": 7}], ids=str)
def test_no_refusal_tells_of_what_our_own_classes_are_called(host: Host, name: str, body: Any) -> None:
    said = [_refused(host.alert_sources()[name], headers, body) or "" for headers, _ in SEEDS[name]]
    assert not [words for words in said if " instance of " in words or " _" in words]


@pytest.mark.parametrize("name", SEEDS)
def test_every_seed_is_read_as_it_is(host: Host, name: str) -> None:
    source = host.alert_sources()[name]
    for headers, body in SEEDS[name]:
        found = _read(source, Delivery(headers, json.dumps(body).encode(), body))
        assert found or body["Type"] == "SubscriptionConfirmation"


@pytest.mark.parametrize("name", SEEDS)
def test_a_changed_body_is_read_or_refused_with_the_field(host: Host, name: str) -> None:
    source = host.alert_sources()[name]
    told = {"read": 0, "refused": 0}
    for number in range(EACH):
        dice = random.Random(f"{name} {number}")
        headers, body = dice.choice(SEEDS[name])
        changed, path = changed_body(body, dice)
        told[_said(source, headers, changed, path)] += 1
    assert min(told.values()) > EACH // 50, f"these changes test nothing: {told}"


def changed_body(body: Any, dice: random.Random) -> tuple[Any, mutations.Path]:
    """Change a body; what SNS carries as text is changed inside as well."""
    if isinstance(body, dict) and body.get("Type") == "Notification" and dice.random() < 0.7:
        message, path = mutations.mutated(json.loads(body["Message"]), dice)
        return {**body, "Message": json.dumps(message)}, ("Message", *path) if path else ()
    return mutations.mutated(body, dice)


def _said(source: AlertSource, headers: Headers, body: Any, path: mutations.Path) -> str:
    """Tell what became of a changed body. Fails for what is neither read nor refused in a way that helps."""
    said = _refused(source, headers, body)
    if said is None:
        return "read"
    assert _NAMED.search(said), f"{source.name}: no field is named: {said} ({path}: {json.dumps(body)[:500]})"
    return "refused"


def _read(source: AlertSource, delivery: Delivery) -> list[Any]:
    """Return the alerts of a delivery, and the changes of one that tells of nothing else."""
    found: list[Any] = [*check(source.parse(delivery))]
    if source.name == "changes" and source.changes is not None:
        found += source.changes(delivery)
    return found


def _refused(source: AlertSource, headers: Headers, body: Any) -> str | None:
    raw = json.dumps(body).encode()
    try:
        _read(source, Delivery(headers, raw, json.loads(raw)))
    except ValueError as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("name", SEEDS)
def test_the_field_that_is_named_is_the_one_that_was_changed(host: Host, name: str) -> None:
    """The message tells of the changed field, of one around it, or of one that now stands where it should not."""
    source = host.alert_sources()[name]
    for number in range(size(2000)):
        dice = random.Random(f"named {name} {number}")
        headers, body = dice.choice(SEEDS[name])
        changed, path = changed_body(body, dice)
        said = _refused(source, headers, changed)
        if said and path and "cannot be stored" not in said:  # that names the field of the alert
            told = [str(part) for part in path] + [ALSO[part] for part in path if part in ALSO]
            assert any(part in said for part in told), f"{said} does not tell of {path}"


@pytest.fixture
async def app(tmp_path: Path, migrated_file: Path, host: Host) -> AsyncIterator[App]:
    shutil.copy(migrated_file, tmp_path / "sysop.db")
    (tmp_path / "token").write_text(TOKEN)
    hooks = {"tokens": dict.fromkeys(SEEDS, f"file:{tmp_path / 'token'}")}
    settings = bench.settings(tmp_path, f"sqlite:///{tmp_path / 'sysop.db'}", webhooks=hooks)
    built = composition.build(settings, host=host)
    yield built
    await built.close()


async def test_the_real_application_answers_changed_and_broken_bodies_without_a_5xx(app: App, host: Host) -> None:
    sources = [name for name in SEEDS if host.alert_sources()[name].accept is None]  # no certificate is fetched here
    answers: dict[int, int] = {}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app.webhooks()), base_url="http://sysop") as client:
        for number in range(THROUGH_HTTP * len(sources)):
            dice = random.Random(f"http {number}")
            name = dice.choice(sources)
            headers, body = dice.choice(SEEDS[name])
            raw = json.dumps(changed_body(body, dice)[0]).encode()
            raw = mutations.broken(raw, dice) if dice.random() < 0.3 else raw
            answer = await client.post(f"/webhooks/{name}", content=raw, headers={**headers, **proofs(raw)})
            assert answer.status_code in (200, 400, 413), f"{name}: {answer.status_code} {answer.text}: {raw[:500]!r}"
            assert answer.status_code == 200 or answer.json()["error"]
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
    assert answers.keys() >= {200, 400}


def proofs(body: bytes) -> Headers:
    """Return what proves a sender genuine to every source."""
    signature = hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    return {
        "authorization": f"Bearer {TOKEN}",
        "x-gitlab-token": TOKEN,
        "x-hub-signature-256": f"sha256={signature}",
        "x-pagerduty-signature": f"v1={signature}",
        "sentry-hook-signature": signature,
    }
