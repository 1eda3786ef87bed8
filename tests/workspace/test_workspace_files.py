"""Files: three calls of the SDK's upload, and what people attach."""

from __future__ import annotations

import base64

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sysop.workspace import Workspace
from workspace.kit import People, error_of


async def test_the_sdks_upload_lands_in_the_thread(client: AsyncWebClient, people: People) -> None:
    root = await people.say("show me")
    channel = people.workspace.channels["general"]
    await client.files_upload_v2(
        channel=channel,
        thread_ts=root,
        content="all of it",
        filename="report.txt",
        title="Report",
        initial_comment="Here",
    )
    shared = await people.last(thread=root)
    assert (shared["text"], shared["subtype"]) == ("Here", "file_share")
    (file,) = shared["files"]
    assert (file["title"], file["size"], file["mimetype"]) == ("Report", 9, "text/plain")
    info = await client.files_info(file=file["id"])
    assert info["content"] == "all of it"


async def test_the_length_must_be_what_was_announced(
    client: AsyncWebClient, http: aiohttp.ClientSession, workspace: Workspace
) -> None:
    place = await client.files_getUploadURLExternal(filename="a.txt", length=4)
    async with http.post(place["upload_url"], data=b"five!") as response:
        assert response.status == 400
    assert await error_of(client.files_completeUploadExternal(files=[{"id": place["file_id"]}])) == "file_not_found"
    async with http.post(place["upload_url"], data=b"four") as response:
        assert (response.status, await response.text()) == (200, "OK - 4")
    async with http.post(place["upload_url"], data=b"four") as response:
        assert response.status == 404
    channel = workspace.channels["general"]
    await client.files_completeUploadExternal(files=[{"id": place["file_id"]}], channel_id=channel)
    again = client.files_completeUploadExternal(files=[{"id": place["file_id"]}], channel_id=channel)
    assert await error_of(again) == "file_not_found"
    assert await error_of(client.files_getUploadURLExternal(filename="a.txt", length=0)) == "invalid_arguments"


async def test_a_file_may_come_in_a_form(client: AsyncWebClient, http: aiohttp.ClientSession) -> None:
    place = await client.files_getUploadURLExternal(filename="a.bin", length=3)
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01\x02", filename="a.bin")
    async with http.post(place["upload_url"], data=form) as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", ["drop_before", "500"])
async def test_an_upload_can_fail(
    client: AsyncWebClient, people: People, http: aiohttp.ClientSession, kind: str
) -> None:
    place = await client.files_getUploadURLExternal(filename="a.txt", length=4)
    await people.did("faults", method="upload", kind=kind)
    try:
        async with http.post(place["upload_url"], data=b"four") as response:
            assert response.status == 500
    except aiohttp.ClientConnectionError:
        assert kind == "drop_before"
    async with http.post(place["upload_url"], data=b"four") as response:
        assert response.status == 200


async def test_what_people_attach_reaches_the_page_and_the_app(people: People, http: aiohttp.ClientSession) -> None:
    workspace = people.workspace
    png = base64.b64encode(b"\x89PNG").decode()
    files = [{"name": "note.html", "content": "<b>x</b>"}, {"name": "shot.png", "base64": png}]
    await people.say("see", files=files)
    page, picture = (await people.last())["files"]
    token = {"X-Workspace-Token": workspace.control_token}
    async with http.get(f"{workspace.url}/_control/files/{page['id']}", headers=token) as response:
        assert (response.content_type, await response.text()) == ("text/plain", "<b>x</b>")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with http.get(f"{workspace.url}/_control/files/{picture['id']}", headers=token) as response:
        assert (response.content_type, await response.read()) == ("image/png", b"\x89PNG")
    async with http.get(page["url_private"]) as response:
        assert response.status == 403
    async with http.get(page["url_private"], headers={"Authorization": f"Bearer {workspace.bot_token}"}) as response:
        assert await response.text() == "<b>x</b>"
    assert (await people.do("message", channel="general", files=[{"name": "x", "base64": "?"}]))["error"] == (
        "invalid_arguments"
    )
