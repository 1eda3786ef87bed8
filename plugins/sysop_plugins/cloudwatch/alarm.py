"""A CloudWatch alarm as it stands in a message: its change of state, and what it watches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AliasChoices, Field

from sysop.api import Alert, Delivery
from sysop_plugins.cloudwatch.message import read_message
from sysop_plugins.incoming import Id, Sent, Text, Time, milliseconds, read, refuse, with_text

_LABELS = {
    "ApiName": "service",
    "ClusterName": "cluster",
    "DBInstanceIdentifier": "instance",
    "FunctionName": "service",
    "Host": "host",
    "InstanceId": "instance",
    "Namespace": "namespace",
    "NodeName": "node",
    "PodName": "pod",
    "Service": "service",
    "ServiceName": "service",
}
"""What our common labels are called among CloudWatch's dimensions; others keep their names."""

_Arn = Annotated[str, Field(pattern=r"^arn:[^:]+:cloudwatch:[^:]+:\d{12}:alarm:.", max_length=600)]


class _Dimension(Sent):
    name: Text = Field(validation_alias=AliasChoices("name", "Name"))
    value: str = Field(validation_alias=AliasChoices("value", "Value"))


class _Metric(Sent):
    MetricName: str | None = None
    Namespace: str | None = None
    Dimensions: tuple[_Dimension, ...] | None = None


class _Measured(Sent):
    Metric: _Metric


class _Part(Sent):
    """One line of an alarm that does sums on metrics."""

    MetricStat: _Measured | None = None


class _Trigger(_Metric):
    """What the alarm watches: one metric, or several."""

    Metrics: tuple[_Part, ...] | None = None


class _Alarm(Sent):
    """A change of an alarm's state. A composite alarm has a rule and no `Trigger`."""

    AlarmName: Text
    AlarmArn: _Arn
    AlarmDescription: str | None = None
    AWSAccountId: Id | None = None
    NewStateValue: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    NewStateReason: str = ""
    StateChangeTime: Time
    Trigger: _Trigger | None = None


def parse(delivery: Delivery) -> Iterable[Alert]:
    """Return the alert of an alarm, the ending that its return to OK is, or nothing.

    Raises ValueError naming each wrong field. CloudWatch has no severity: what somebody has wired to a topic is meant
    to be acted on, so it is an error.
    """
    message = read_message(delivery)
    if not message.notifies:
        return
    alarm = read(_Alarm, _published(message.Message), "an alarm of CloudWatch")
    if alarm.NewStateValue == "INSUFFICIENT_DATA":
        return  # whether it goes on is not known
    at = milliseconds(alarm.StateChangeTime)
    firing = alarm.NewStateValue == "ALARM"
    region = _region(alarm)
    yield Alert(
        source="cloudwatch",
        fingerprint=alarm.AlarmArn,
        starts_at=at,
        ends_at=None if firing else at,
        labels=with_text(
            _dimensions(alarm.Trigger),
            {"alertname": alarm.AlarmName, "severity": "error", "region": region, "account": alarm.AWSAccountId},
        ),
        annotations=with_text(
            {"summary": alarm.NewStateReason, "description": alarm.AlarmDescription},
            {"metric": ", ".join(dict.fromkeys(_names(alarm.Trigger)))},
        ),
        url=_console(alarm.AlarmName, region),
        ending=not firing,
    )


def _published(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as bad:
        refuse("an alarm of CloudWatch", "Message", f"is not JSON: {bad}")


def _metrics(trigger: _Trigger | None) -> Iterator[_Metric]:
    if trigger is None:
        return
    yield trigger
    for part in trigger.Metrics or ():
        if part.MetricStat is not None:
            yield part.MetricStat.Metric


def _names(trigger: _Trigger | None) -> Iterator[str]:
    for metric in _metrics(trigger):
        if metric.MetricName:
            yield f"{metric.Namespace or ''} {metric.MetricName}".strip()


def _dimensions(trigger: _Trigger | None) -> dict[str, str]:
    """Return what is watched, as labels; of metrics that differ in a dimension, what they have in common."""
    found: dict[str, set[str]] = {}
    for metric in _metrics(trigger):
        for one in metric.Dimensions or ():
            found.setdefault(_LABELS.get(one.name, one.name), set()).add(one.value)
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def _region(alarm: _Alarm) -> str:
    """Return the region as it is called in names; the field `Region` holds what people call it."""
    return alarm.AlarmArn.split(":")[3]


def _console(alarm: str, region: str) -> str:
    if region.startswith("cn-"):
        return ""
    place, name = (quote(text, safe="", errors="replace") for text in (region, alarm))
    return f"https://console.aws.amazon.com/cloudwatch/home?region={place}#alarmsV2:alarm/{name}"
