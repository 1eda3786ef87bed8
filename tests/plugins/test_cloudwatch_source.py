"""Alarms of CloudWatch as they stand in messages of SNS."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("cryptography", reason="cryptography: install sysop[aws]")

from sns_kit import TOPIC, alarm, notification, subscription

from sysop.api import Alert, Delivery
from sysop_plugins import cloudwatch


def read(published: Any = None, **values: Any) -> list[Alert]:
    message = {**notification(published, **values), "Signature": "checked before"}
    return list(cloudwatch.parse(Delivery({}, b"", message)))


def test_an_alarm_is_an_alert_of_what_it_watches() -> None:
    assert read() == [
        Alert(
            source="cloudwatch",
            fingerprint="arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-errors",
            starts_at=1772442847250,
            ends_at=None,
            labels={
                "alertname": "checkout-errors",
                "severity": "error",
                "service": "checkout",
                "Stage": "live",
                "region": "eu-west-1",
                "account": "123456789012",
            },
            annotations={
                "summary": "Threshold Crossed: 1 datapoint [41.7 (02/03/26 09:13:00)] was greater than 5.0.",
                "description": "Too many orders fail",
                "metric": "AWS/ApiGateway 5XXError",
            },
            url="https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/checkout-errors",
        )
    ]


def test_the_return_to_ok_ends_what_fired_before() -> None:
    (fired,) = read()
    later = {"NewStateValue": "OK", "OldStateValue": "ALARM", "StateChangeTime": "2026-03-02T09:24:07.250+0000"}
    (ending,) = read(alarm(**later))
    assert ending.ending
    assert ending.fingerprint == fired.fingerprint
    assert ending.starts_at == ending.ends_at == fired.starts_at + 600_000


def test_too_little_data_neither_begins_nor_ends_anything() -> None:
    assert read(alarm(NewStateValue="INSUFFICIENT_DATA")) == []


def test_a_message_about_the_subscription_holds_no_alarm() -> None:
    message = {**subscription(), "Signature": "checked before"}
    assert list(cloudwatch.parse(Delivery({}, b"", message))) == []


def test_a_composite_alarm_watches_no_metric_of_its_own() -> None:
    body = alarm(AlarmRule="ALARM(a) OR ALARM(b)", TriggeringChildren=[])
    del body["Trigger"]
    (alert,) = read(body)
    assert set(alert.labels) == {"alertname", "severity", "region", "account"}
    assert "metric" not in alert.annotations


def test_an_alarm_over_several_metrics_is_of_what_they_have_in_common() -> None:
    def metric(name: str, pod: str) -> dict[str, Any]:
        dimensions = [{"name": "ClusterName", "value": "shop"}, {"name": "PodName", "value": pod}]
        return {
            "Metric": {"Dimensions": dimensions, "MetricName": name, "Namespace": "ContainerInsights"},
            "Stat": "Sum",
        }

    parts = [
        {"Id": "m1", "MetricStat": metric("errors", "a"), "ReturnData": False},
        {"Id": "m2", "MetricStat": metric("requests", "b"), "ReturnData": False},
        {"Id": "e1", "Expression": "m1 / m2", "Label": "ratio", "ReturnData": True},
    ]
    (alert,) = read(alarm(Trigger={"Period": 60, "Metrics": parts}))
    assert alert.labels["cluster"] == "shop"
    assert "pod" not in alert.labels
    assert alert.annotations["metric"] == "ContainerInsights errors, ContainerInsights requests"


def test_a_dimension_cannot_pass_for_the_name_or_severity() -> None:
    forged = [{"name": "alertname", "value": "Watchdog"}, {"name": "severity", "value": "none"}]
    (alert,) = read(alarm(Trigger={"Dimensions": forged}))
    assert (alert.name, alert.labels["severity"]) == ("checkout-errors", "error")


def test_the_console_of_china_is_elsewhere_and_not_linked() -> None:
    (alert,) = read(alarm(AlarmArn="arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:a b"))
    assert (alert.url, alert.labels["region"]) == ("", "cn-north-1")


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (None, "body"),
        ({"AlarmName": "raw message delivery"}, "raw message delivery on.*Type: "),
        ({**notification(), "Type": "News", "Signature": "s"}, "Type: "),
        ({**notification(), "SignatureVersion": "3", "Signature": "s"}, "SignatureVersion: "),
        (notification(), "Signature: "),
        ({**notification(), "TopicArn": "a" * 401, "Signature": "s"}, "TopicArn: "),
    ],
)
def test_what_is_wrong_with_a_message_is_named(message: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        list(cloudwatch.parse(Delivery({}, b"", message)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Your build has failed", "Message: is not JSON"),
        ("[" * 200_000, "Message: is not JSON"),
        ("[]", "body: "),
        (json.dumps({"detail-type": "CloudWatch Alarm State Change"}), "AlarmName: "),
        (json.dumps(alarm(AlarmArn="checkout-errors")), "AlarmArn: "),
        (json.dumps(alarm(NewStateValue="BAD")), "NewStateValue: "),
        (json.dumps(alarm(StateChangeTime=1772442847)), "StateChangeTime: must be a time as text"),
        (json.dumps(alarm(Trigger={"Dimensions": [{"name": "ApiName"}]})), r"Trigger\.Dimensions\[0\]\.value"),
    ],
)
def test_what_is_wrong_with_an_alarm_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(None, Message=text)


@pytest.mark.parametrize(
    "topic",
    ["alarms", "arn:aws:sns:eu-west-1:1234:alarms", "arn:aws:sqs:eu-west-1:123456789012:alarms", f"{TOPIC}/x", ""],
)
def test_a_topic_is_set_up_by_its_whole_name(topic: str) -> None:
    with pytest.raises(ValueError, match="write its whole name"):
        cloudwatch.register_settings()(topics=(topic,))
