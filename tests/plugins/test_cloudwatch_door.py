"""Who gets in at the source for CloudWatch: what SNS signed for a topic of the settings, and nobody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

pytest.importorskip("cryptography", reason="cryptography: install sysop[aws]")

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sns_kit import HOST, PEM, TOPIC, Authority, Signer, Sns, alarm, notification, pem_of, reached, subscription

import bench
from sysop import app as composition
from sysop import host as plugin_host
from sysop.api import ActionFailed, Delivery, NotGenuine, PluginContext
from sysop.app import App
from sysop.gate.http import HttpClient, PluginHttp, hosts_in
from sysop.inventory import Inventory
from sysop.store import alerts
from sysop.surfaces.server import Server, listen
from sysop_plugins import cloudwatch

PATH = PEM.removeprefix(f"https://{HOST}")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def signer(authority: Authority, key: rsa.RSAPrivateKey) -> Signer:
    return Signer(key, pem_of(authority.issue("sns.amazonaws.com", key)))


@dataclass
class Desk:
    """The door of the plugin with its own way out, and the SNS behind that."""

    sns: Sns
    signer: Signer
    context: PluginContext
    door: Any

    async def accept(self, message: dict[str, Any], *, sign: bool = True) -> None:
        signed = self.signer.sign(message) if sign else message
        await self.door(Delivery({}, json.dumps(signed).encode(), signed), self.context)


@pytest.fixture
async def desk(authority: Authority, signer: Signer, tmp_path: Path) -> AsyncIterator[Desk]:
    sns = Sns({PATH: (200, signer.pem)})
    settings = cloudwatch.register_settings()(topics=(TOPIC,))
    async with reached(sns, authority, tmp_path) as client:
        pool = HttpClient()
        pool._client = client
        http = PluginHttp(pool, set(hosts_in(settings)), changes=False)
        (source,) = cloudwatch.register_alert_sources()
        assert source.accept is not None
        yield Desk(sns, signer, PluginContext("cloudwatch", settings, tmp_path, Inventory(), http), source.accept)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_what_sns_has_signed_gets_in_and_its_certificate_is_fetched_once(desk: Desk, version: str) -> None:
    for number in range(5):
        await desk.accept(notification(MessageId=f"m{number}", SignatureVersion=version))
    assert desk.sns.asked == [PEM]


async def test_a_message_without_a_subject_is_signed_without_one(desk: Desk) -> None:
    message = notification()
    del message["Subject"]
    await desk.accept(message)
    await desk.accept({**message, "Subject": None})


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "Type", "TopicArn"])
async def test_what_was_changed_on_the_way_is_not_genuine(desk: Desk, name: str) -> None:
    signed = desk.signer.sign(notification())
    other = {"Type": "UnsubscribeConfirmation", "TopicArn": f"{TOPIC}2"}.get(name, signed[name] + " ")
    with pytest.raises(NotGenuine):
        await desk.accept({**signed, name: other}, sign=False)


@pytest.mark.parametrize("signature", ["", "!", "QUJD", "Ö", "A" * 344])
async def test_what_is_no_signature_is_not_genuine(desk: Desk, signature: str) -> None:
    with pytest.raises((NotGenuine, ValueError)):
        await desk.accept({**notification(), "Signature": signature}, sign=False)
    assert desk.sns.confirmed == []


async def test_a_signature_of_the_other_version_is_not_genuine(desk: Desk) -> None:
    signed = desk.signer.sign(notification(SignatureVersion="1"))
    with pytest.raises(NotGenuine, match="signature"):
        await desk.accept({**signed, "SignatureVersion": "2"}, sign=False)


async def test_another_key_is_not_genuine(desk: Desk) -> None:
    stranger = Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048), b"")
    with pytest.raises(NotGenuine, match="signature"):
        await desk.accept(stranger.sign(notification()), sign=False)


@pytest.mark.parametrize(
    "topic",
    [
        "arn:aws:sns:eu-west-1:999999999999:alarms",
        f"{TOPIC}s",
        TOPIC.upper(),
        "arn:aws:sns:us-east-1:123456789012:alarms",
    ],
)
async def test_a_topic_that_is_not_named_is_a_stranger_and_nothing_is_fetched(desk: Desk, topic: str) -> None:
    with pytest.raises(NotGenuine, match=r"plugins\.cloudwatch\.topics"):
        await desk.accept(notification(TopicArn=topic))
    assert desk.sns.asked == []


@pytest.mark.parametrize(
    "url",
    [
        PEM.replace("https", "http"),
        PEM.replace("eu-west-1", "us-east-1"),
        PEM.replace(HOST, f"{HOST}.evil.example"),
        PEM.replace(HOST, f"{HOST}@evil.example"),
        PEM.replace(HOST, f"{HOST}:444"),
        PEM.replace(HOST, f"evil.example/{HOST}"),
        PEM.replace(".pem", ".pem?x=/"),
        PEM.replace(".pem", ".pem#"),
        PEM.replace("SimpleNotificationService-", "../SimpleNotificationService-"),
        f"https://{HOST}/",
        f"https://{HOST}/?Action=Publish&x=/SimpleNotificationService-1.pem",
        "file:///etc/passwd",
        "-",
    ],
)
async def test_a_certificate_from_anywhere_else_is_not_even_asked_for(desk: Desk, url: str) -> None:
    with pytest.raises(NotGenuine, match="SigningCertURL"):
        await desk.accept(notification(SigningCertURL=url))
    assert (desk.sns.asked, desk.sns.refused) == ([], [])


async def test_the_way_out_is_open_to_the_topics_regions_only() -> None:
    topics = (
        TOPIC,
        f"{TOPIC}2",
        "arn:aws-cn:sns:cn-north-1:123456789012:alarms",
        "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a",
    )
    settings = cloudwatch.register_settings()(topics=topics)
    assert set(hosts_in(settings)) == {
        "sns.eu-west-1.amazonaws.com:443",
        "sns.cn-north-1.amazonaws.com.cn:443",
        "sns.us-gov-west-1.amazonaws.com:443",
    }


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    desk.sns.pages[PATH] = (302, b"")
    with pytest.raises(NotGenuine, match="there is no certificate"):
        await desk.accept(notification())
    assert desk.sns.refused == []


@pytest.mark.parametrize("page", [b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"x" * 20_000])
async def test_what_is_no_certificate_proves_nothing(desk: Desk, page: bytes) -> None:
    desk.sns.pages[PATH] = (200, page)
    with pytest.raises(NotGenuine):
        await desk.accept(notification())


async def test_a_certificate_counts_while_it_is_valid_and_holds_a_strong_key(
    desk: Desk, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    weak, curve = (
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        ec.generate_private_key(ec.SECP256R1()),
    )
    day = timedelta(days=1)
    cases = [
        (authority.issue("sns.amazonaws.com", key, until=-timedelta(hours=1)), "not valid now"),
        (authority.issue("sns.amazonaws.com", key, since=-timedelta(hours=1), until=2 * day), "not valid now"),
        (authority.issue("sns.amazonaws.com", weak), "2048"),
        (authority.issue("sns.amazonaws.com", curve), "RSA"),
    ]
    for number, (certificate, says) in enumerate(cases):
        path = f"/SimpleNotificationService-{number}.pem"
        desk.sns.pages[path] = (200, pem_of(certificate))
        with pytest.raises(NotGenuine, match=says):
            await desk.accept(notification(SigningCertURL=f"https://{HOST}{path}"))


async def test_strangers_with_made_up_addresses_make_us_ask_a_few_times_a_minute(desk: Desk) -> None:
    await desk.accept(notification())
    answers = []
    for number in range(20):
        with pytest.raises((NotGenuine, ActionFailed)) as no:
            await desk.accept(notification(SigningCertURL=PEM.replace("f3ec", f"{number:04x}")))
        answers.append(no.type)
    assert answers == [NotGenuine] * 5 + [ActionFailed] * 15
    assert len(desk.sns.asked) == 6
    await desk.accept(notification())  # whose certificate is known is not held up


async def test_a_server_that_fails_now_is_asked_again_later(desk: Desk) -> None:
    desk.sns.pages[PATH] = (503, b"")
    with pytest.raises(ActionFailed, match="503"):
        await desk.accept(notification())
    desk.sns.pages[PATH] = (200, desk.signer.pem)
    await desk.accept(notification())


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_subscription_to_a_named_topic_is_confirmed(desk: Desk, version: str) -> None:
    await desk.accept(subscription(SignatureVersion=version))
    assert desk.sns.confirmed == [TOPIC]


async def test_a_subscription_to_another_topic_is_not_confirmed(desk: Desk) -> None:
    other = f"{TOPIC}2"
    with pytest.raises(NotGenuine):
        await desk.accept(
            subscription(TopicArn=other, SubscribeURL=subscription()["SubscribeURL"].replace(TOPIC, other))
        )
    with pytest.raises(NotGenuine):
        await desk.accept({**subscription(), "Signature": "QUJD"}, sign=False)
    assert desk.sns.confirmed == []


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        subscription()["SubscribeURL"].replace("https", "http"),
        subscription()["SubscribeURL"].replace(HOST, "evil.example"),
        subscription()["SubscribeURL"].replace(HOST, f"user@{HOST}"),
        subscription()["SubscribeURL"].replace(HOST, f"{HOST}:8443"),
        subscription()["SubscribeURL"].replace("ConfirmSubscription", "Unsubscribe"),
        subscription()["SubscribeURL"].replace(TOPIC, f"{TOPIC}2"),
        subscription()["SubscribeURL"] + "&Action=Publish",
        subscription()["SubscribeURL"].replace("/?", "/other?"),
    ],
)
async def test_only_an_address_that_confirms_this_topic_is_called(desk: Desk, url: str | None) -> None:
    with pytest.raises(NotGenuine, match="SubscribeURL"):
        await desk.accept(subscription(SubscribeURL=url))
    assert desk.sns.asked == [PEM]


async def test_a_confirmation_that_sns_refuses_is_tried_again(desk: Desk) -> None:
    url = subscription()["SubscribeURL"]
    with pytest.raises(ActionFailed, match="answered 400"):
        await desk.accept(subscription(SubscribeURL=url[:-1]))
    assert desk.sns.confirmed == []


async def test_the_end_of_a_subscription_is_told_and_changes_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.accept(subscription(Type="UnsubscribeConfirmation"))
    assert desk.sns.confirmed == []
    assert "its alarms come no more" in caplog.text


async def test_health_tells_of_topics(desk: Desk, tmp_path: Path) -> None:
    (check,) = cloudwatch.register_health_checks()
    assert (await check.check(desk.context)).ok
    nothing = cloudwatch.register_settings()()
    empty = PluginContext("cloudwatch", nothing, tmp_path, Inventory(), desk.context.http)
    found = await check.check(empty)
    assert found.ok is None
    assert "plugins.cloudwatch.topics" in found.fix


# -- through the whole product -----------------------------------------------------------------------------------------


@pytest.fixture
async def served(
    authority: Authority, signer: Signer, tmp_path: Path, migrated_file: Path
) -> AsyncIterator[tuple[App, httpx2.AsyncClient, Sns]]:
    database, token = tmp_path / "sysop.db", tmp_path / "token"
    shutil.copy(migrated_file, database)
    token.write_text("on")
    sns = Sns({PATH: (200, signer.pem)})
    points = [bench.Point("cloudwatch", cloudwatch)]
    host = plugin_host.load({"cloudwatch": {"topics": [TOPIC]}}, points=points)  # type: ignore[arg-type]
    hooks = {"tokens": {"cloudwatch": f"file:{token}"}}
    async with reached(sns, authority, tmp_path) as way_out:
        app = composition.build(bench.settings(tmp_path, f"sqlite:///{database}", webhooks=hooks), host=host)
        app.http._client = way_out
        server = Server(app.webhooks(), listen("127.0.0.1", 0))
        async with httpx2.AsyncClient(base_url=await server.start(), trust_env=False) as client:
            yield app, client, sns
        await server.stop()
        await app.close()


async def test_an_alarm_is_stored_once_however_often_it_is_sent(
    served: tuple[App, httpx2.AsyncClient, Sns], signer: Signer
) -> None:
    app, client, sns = served

    async def post(message: dict[str, Any]) -> httpx2.Response:
        body = json.dumps(signer.sign(message)).encode()
        return await client.post("/webhooks/cloudwatch", content=body, headers={"content-type": "text/plain"})

    assert (await post(subscription())).status_code == 200
    assert sns.confirmed == [TOPIC]
    first, again = await post(notification()), await post(notification())
    assert (first.json()["new"], again.json()["known"]) == (1, 1)
    forged = await client.post("/webhooks/cloudwatch", json={**notification(), "Signature": "QUJD"})
    assert forged.status_code == 401
    malformed = await post(notification(alarm(AlarmArn=None)))
    assert malformed.status_code == 400
    assert "AlarmArn" in malformed.json()["error"]
    (stored,) = await app.store.read(alerts.listed)
    assert stored.alert.fingerprint == alarm()["AlarmArn"]


async def test_while_aws_cannot_be_asked_sns_is_told_to_send_again(
    served: tuple[App, httpx2.AsyncClient, Sns], signer: Signer
) -> None:
    _app, client, sns = served
    sns.pages[PATH] = (503, b"")
    answer = await client.post("/webhooks/cloudwatch", json=signer.sign(notification()))
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
