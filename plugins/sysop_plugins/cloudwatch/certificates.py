"""The certificates of Amazon SNS: fetched from AWS alone, few at a time, kept while they are valid."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sysop.api import ActionFailed, Http, NotGenuine
from sysop_plugins.cloudwatch.message import Message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MISSING = "the package that checks signatures is not installed"
_PATH = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")
_KEPT = 16
_MOST_A_MINUTE = 6
_LONGEST = 16_384
_SMALLEST_KEY = 2048


@dataclass(frozen=True, slots=True)
class Certificate:
    """A public key and until when it may be used."""

    key: RSAPublicKey
    until: datetime

    def check(self, message: Message) -> None:
        """Make sure that the owner of the key has signed a message. Raises NotGenuine."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        digest = hashes.SHA1() if message.SignatureVersion == "1" else hashes.SHA256()  # noqa: S303 the sender's choice
        try:
            signature = base64.b64decode(message.Signature, validate=True)
            self.key.verify(signature, message.signed(), padding.PKCS1v15(), digest)
        except (InvalidSignature, binascii.Error, ValueError) as bad:
            raise NotGenuine("the signature of SNS does not fit the message") from bad


class Certificates:
    """Certificates by address. Whoever sends many made-up addresses makes us ask for a few a minute at most."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Certificate] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=_MOST_A_MINUTE)
        self._one_at_a_time = asyncio.Lock()

    async def get(self, url: str, server: str, http: Http) -> Certificate:
        """Return the certificate at an address. Raises NotGenuine, or ActionFailed where it cannot be had now."""
        _check_address(url, server)
        if found := self._valid(url):
            return found
        async with self._one_at_a_time:
            if found := self._valid(url):
                return found
            self._kept[url] = found = await self._fetch(url, http)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found

    def _valid(self, url: str) -> Certificate | None:
        kept = self._kept.get(url)
        if kept is None or kept.until < datetime.now(UTC):
            return None
        self._kept.move_to_end(url)
        return kept

    async def _fetch(self, url: str, http: Http) -> Certificate:
        now = time.monotonic()
        if len(self._asked) == _MOST_A_MINUTE and now - self._asked[0] < 60:
            raise ActionFailed(f"cloudwatch: {_MOST_A_MINUTE} certificates were asked for within a minute; wait")
        self._asked.append(now)
        answer = await http.request("GET", url)
        if answer.status >= 500 or answer.status == 429:
            raise ActionFailed(f"cloudwatch: {urlsplit(url).hostname} answered {answer.status}")
        if answer.status != 200 or len(answer.text) > _LONGEST:
            raise NotGenuine(f"there is no certificate at {url}: status {answer.status}")
        return _read(answer.text)


def available() -> bool:
    """Tell whether signatures can be checked here."""
    return find_spec("cryptography") is not None


def _check_address(url: str, server: str) -> None:
    """Make sure that a certificate is where SNS of that region keeps them. Raises NotGenuine."""
    path = url.removeprefix(f"https://{server}")
    if path == url or not _PATH.fullmatch(path):
        raise NotGenuine(f"SigningCertURL is not an address of certificates at {server}")


def _read(pem: str) -> Certificate:
    """Return the key of a certificate. Who may be trusted is settled by where it was fetched from."""
    if not available():
        raise ActionFailed(f"cloudwatch: {MISSING}; install sysop[aws]")
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(pem.encode())
        key = found.public_key()
    except ValueError as bad:
        raise NotGenuine(f"the certificate cannot be read: {bad}") from bad
    if not isinstance(key, RSAPublicKey) or key.key_size < _SMALLEST_KEY:
        raise NotGenuine(f"the certificate holds no RSA key of at least {_SMALLEST_KEY} bits")
    if not found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc:
        raise NotGenuine("the certificate is not valid now")
    return Certificate(key, found.not_valid_after_utc)
