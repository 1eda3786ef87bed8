"""files.*: an address to upload to, then sharing what was uploaded."""

from __future__ import annotations

import re

from sysop.blockkit import check_blocks
from sysop.workspace.errors import SlackError
from sysop.workspace.limits import Tier
from sysop.workspace.methods.chat import new_message, refuse, root_of
from sysop.workspace.methods.method import Call, Method, missing
from sysop.workspace.state import publish
from sysop.workspace.state.channels import Channel
from sysop.workspace.state.files import File
from sysop.workspace.state.views import named
from sysop.workspace.wire import Json

MOST_BYTES = 100 * 1024 * 1024
_LENGTH = re.compile(r"[0-9]{1,9}")


def get_upload_url(call: Call) -> Json:
    """Return where to upload a file of a certain length."""
    name, length = call.need("filename"), call.need("length")
    if not _LENGTH.fullmatch(length) or not 0 < int(length) <= MOST_BYTES:
        raise SlackError("invalid_arguments", ["[ERROR] length [json-pointer:/length]"])
    world = call.world
    file = File(world.ids.make("F"), world.app.user_id, name, int(length), int(world.clock.now()))
    file.alt_text, file.snippet_type = call.text("alt_txt"), call.text("snippet_type")
    return {"upload_url": f"{world.base_url}/upload/{world.files.expect(file)}", "file_id": file.id}


def _uploaded(call: Call) -> list[File]:
    wanted = call.structured("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, dict) for one in wanted):
        raise missing("files")
    found = []
    for one in wanted:
        file = call.world.files.get(str(one.get("id")))
        if file is None or file.content is None or file.complete:
            raise SlackError("file_not_found")
        file.title = str(one.get("title") or file.name)
        found.append(file)
    return found


def _places(call: Call) -> list[Channel]:
    names = call.words("channels") or ([call.text("channel_id")] if call.text("channel_id") else [])
    places = [Call(call.world, {"channel": name}).open_channel(loosely=name.startswith("U")) for name in names]
    if call.text("thread_ts") and len(places) != 1:
        raise SlackError("invalid_arguments", ["[ERROR] thread_ts needs exactly one channel"])
    return places


def complete_upload(call: Call) -> Json:
    """Share uploaded files, into a thread if one is named."""
    files, places = _uploaded(call), _places(call)
    comment = call.text("initial_comment")
    blocks = [] if comment else call.structured("blocks", "invalid_blocks") or []
    refuse(check_blocks(blocks, "message"))
    roots = {place.id: root_of(call, place) for place in places}
    for file in files:
        file.complete = True
        file.channels = [place.id for place in places]
    shown = [file.as_slack(call.world.base_url) for file in files]
    for place in places:
        message = new_message(call, place, thread_ts=roots[place.id], subtype="file_share", files=shown)
        message.text, message.blocks = comment, named(blocks, call.world.ids)
        publish.post(call.world, message)
    return {"files": shown}


def info(call: Call) -> Json:
    """Describe a file, with its text if it has any."""
    file = call.world.files.get(call.need("file"))
    if file is None or not file.complete:
        raise SlackError("file_not_found")
    text = (file.content or b"").decode("utf-8", "replace") if file.mimetype.startswith("text/") else None
    body: Json = {"file": file.as_slack(call.world.base_url), "comments": []}
    return body if text is None else body | {"content": text}


METHODS = (
    Method("files.getUploadURLExternal", get_upload_url, Tier.FOUR, ("files:write",)),
    Method("files.completeUploadExternal", complete_upload, Tier.FOUR, ("files:write",)),
    Method("files.info", info, Tier.FOUR, ("files:read",)),
)
