"""Amazon SNS on this machine: its own certificate authority, its servers by name over TLS, and what signs messages.

Nothing is asked of AWS. The names of its hosts lead here through a proxy, so that the client checks names, certificates
and the way out as it does elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HOST = "sns.eu-west-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
PEM = f"https://{HOST}/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
TOKEN = (
    "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92768dd60a747ba6f3beb71854e285d6ad02428b09ceece29417"
)
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (*("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),),
}


class Authority:
    """Who signs certificates in these tests."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._certificate("Authority", self.key, None, timedelta(days=1), timedelta(days=1))

    def issue(
        self,
        name: str,
        key: CertificateIssuerPrivateKeyTypes,
        *,
        since: timedelta = timedelta(days=1),
        until: timedelta = timedelta(days=1),
    ) -> x509.Certificate:
        """Return a certificate for a host name, valid from `since` ago until `until` from now."""
        return self._certificate(name, key, self.certificate.subject, since, until)

    def _certificate(
        self,
        name: str,
        key: CertificateIssuerPrivateKeyTypes,
        issuer: x509.Name | None,
        since: timedelta,
        until: timedelta,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - since)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return made.sign(self.key, hashes.SHA256())


@dataclass(frozen=True)
class Signer:
    """What signs messages, and the certificate in which its key is made known."""

    key: rsa.RSAPrivateKey
    pem: bytes

    def sign(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message with its signature, of the version it names."""
        names = _SIGNED.get(message["Type"], _SIGNED["SubscriptionConfirmation"])
        text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
        digest = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), digest)
        return {**message, "Signature": base64.b64encode(signature).decode()}


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Sns:
    """The server. It answers for the paths it knows, and counts who asked for what under which name."""

    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def answer(self, host: str, target: str) -> tuple[int, bytes]:
        self.asked.append(f"https://{host}{target}")
        parts = urlsplit(target)
        if parts.path in self.pages:
            return self.pages[parts.path]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/" and query.get("Action") == "ConfirmSubscription":
            if query.get("Token") != TOKEN:
                return 400, b"<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>"
            self.confirmed.append(query["TopicArn"])
            return 200, b"<ConfirmSubscriptionResponse></ConfirmSubscriptionResponse>"
        return 404, b"<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak HTTP on one connection, a request at a time."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split(" ", 2)
                assert method == "GET", "nothing else is ever asked of SNS"
                host = next(line[6:].strip() for line in head.split("\r\n") if line.lower().startswith("host:"))
                status, body = self.answer(host, target)
                more = "location: https://elsewhere.example/\r\n" if status == 302 else ""
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body)
                await writer.drain()
        await _close(writer)


@contextlib.asynccontextmanager
async def reached(sns: Sns, authority: Authority, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client like the product's own, to which the name of the host leads here."""
    under_way: set[asyncio.Task[None]] = set()

    def serving(serve: Serve) -> Serve:
        async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            under_way.add(task)
            await serve(reader, writer)

        return noted

    server = await asyncio.start_server(serving(sns.serve), "127.0.0.1", 0, ssl=_server_side(authority, folder))
    port = server.sockets[0].getsockname()[1]

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if target != f"{HOST}:443":
            sns.refused.append(target)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            await _close(writer)
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    proxy = await asyncio.start_server(serving(lead), "127.0.0.1", 0)
    trusting = ssl.create_default_context(cadata=pem_of(authority.certificate).decode())
    address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    async with httpx2.AsyncClient(verify=trusting, proxy=address, follow_redirects=False, trust_env=False) as client:
        yield client
    for one in (proxy, server):
        one.close()
    await asyncio.gather(*under_way)  # the client has gone, so each of them ends


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def _server_side(authority: Authority, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem_of(authority.issue(HOST, key)) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def alarm(**values: Any) -> dict[str, Any]:
    """Return an alarm as CloudWatch publishes it."""
    return {
        "AlarmName": "checkout-errors",
        "AlarmDescription": "Too many orders fail",
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2026-03-01T09:00:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 datapoint [41.7 (02/03/26 09:13:00)] was greater than 5.0.",
        "StateChangeTime": "2026-03-02T09:14:07.250+0000",
        "Region": "EU (Ireland)",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-errors",
        "OldStateValue": "OK",
        "OKActions": [TOPIC],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "5XXError",
            "Namespace": "AWS/ApiGateway",
            "StatisticType": "Statistic",
            "Statistic": "SUM",
            "Unit": None,
            "Dimensions": [{"value": "checkout", "name": "ApiName"}, {"value": "live", "name": "Stage"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 5.0,
            "TreatMissingData": "- TreatMissingData: missing",
            "EvaluateLowSampleCountPercentile": "",
        },
        **values,
    }


def notification(published: Any = None, **values: Any) -> dict[str, Any]:
    """Return a message with an alarm in it, not yet signed."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": 'ALARM: "checkout-errors" in EU (Ireland)',
        "Message": json.dumps(alarm() if published is None else published),
        "Timestamp": "2026-03-02T09:14:07.330Z",
        "SignatureVersion": "2",
        "SigningCertURL": PEM,
        "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:c9135db0",
        **values,
    }


def subscription(**values: Any) -> dict[str, Any]:
    """Return the message that asks whether this endpoint wants a topic, not yet signed."""
    return {
        "Type": "SubscriptionConfirmation",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": TOKEN,
        "TopicArn": TOPIC,
        "Message": f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm the subscription, visit the URL.",
        "SubscribeURL": f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}",
        "Timestamp": "2026-03-02T09:00:00.000Z",
        "SignatureVersion": "1",
        "SigningCertURL": PEM,
        **values,
    }
