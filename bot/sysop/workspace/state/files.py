"""Files: asked for, uploaded, shared."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field

from sysop.workspace.ids import Ids
from sysop.workspace.wire import Json


@dataclass
class File:
    """A file; `content` is None until it was uploaded, `shared` False until it was completed."""

    id: str
    user: str
    name: str
    length: int
    created: int
    title: str = ""
    alt_text: str = ""
    snippet_type: str = ""
    content: bytes | None = None
    complete: bool = False
    channels: list[str] = field(default_factory=list)

    @property
    def mimetype(self) -> str:
        """Return the type guessed from the name; text when there is none to guess from."""
        return mimetypes.guess_type(self.name)[0] or ("text/plain" if self.snippet_type else "application/octet-stream")

    def as_slack(self, base: str) -> Json:
        """Return the file object of the Web API."""
        return {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title or self.name,
            "mimetype": self.mimetype,
            "filetype": self.snippet_type or self.name.rpartition(".")[2],
            "alt_txt": self.alt_text,
            "user": self.user,
            "size": self.length,
            "mode": "hosted",
            "is_external": False,
            "is_public": bool(self.channels),
            "url_private": f"{base}/files-pri/{self.id}/{self.name}",
            "url_private_download": f"{base}/files-pri/{self.id}/download/{self.name}",
            "channels": list(self.channels),
        }


class Files:
    """Files by id, and the upload addresses not used yet."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._tickets: dict[str, File] = {}

    def expect(self, file: File) -> str:
        """Keep the place of a file and return the one-use ticket to upload it with."""
        ticket = Ids.secret()
        self._files[file.id] = self._tickets[ticket] = file
        return ticket

    def add(self, file: File) -> File:
        """Keep a file that is whole already."""
        self._files[file.id] = file
        return file

    def get(self, file_id: str) -> File | None:
        """Return a file."""
        return self._files.get(file_id)

    def expected(self, ticket: str) -> File | None:
        """Return the file of an upload ticket."""
        return self._tickets.get(ticket)

    def spend(self, ticket: str) -> None:
        """Use an upload ticket up."""
        self._tickets.pop(ticket, None)
