"""Servers whose certificates are signed by an authority of the company's own."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from plugins.sns_kit import Authority
from sysop.errors import ActionFailed, SettingsError
from sysop.gate.http import HttpClient, PluginHttp

PEM = serialization.Encoding.PEM


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def address(authority: Authority) -> AsyncIterator[str]:
    """Return a server of this machine with a certificate the authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(authority.issue("localhost", key).public_bytes(PEM) + secret)
        file.flush()
        context.load_cert_chain(file.name)
    server = await asyncio.start_server(_ok, "127.0.0.1", 0, ssl=context)
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def _asked(pool: HttpClient, address: str) -> int:
    try:
        http = PluginHttp(pool, {address.removeprefix("https://")}, changes=False)
        return (await http.request("GET", f"{address}/")).status
    finally:
        await pool.close()


async def test_a_server_of_an_authority_nobody_knows_is_not_believed(address):
    with pytest.raises(ActionFailed, match="certificate verify failed"):
        await _asked(HttpClient(), address)


async def test_a_server_of_an_authority_in_the_settings_is_believed(address, authority, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.certificate.public_bytes(PEM))
    assert await _asked(HttpClient(file), address) == 200


@pytest.mark.parametrize(("text", "says"), [("no certificate", "holds no certificates"), (None, "cannot be read")])
def test_a_file_that_is_no_authority_is_named(tmp_path: Path, text, says):
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=rf"egress\.ca_file: .*{says}"):
        HttpClient(file)
