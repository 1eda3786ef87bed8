"""Documents as text in the cache, and back."""

from __future__ import annotations

import json
import re
from datetime import date
from urllib.parse import unquote, urlsplit

from sysop.knowledge.document import Document
from sysop.knowledge.page import Section


def written(document: Document) -> str:
    """Return a document as JSON."""
    return json.dumps(
        [
            *(document.id, document.path, document.digest, document.title),
            [[s.title, s.slug, s.text, s.line] for s in document.sections],
            *(document.alerts, document.services, document.environments, document.owner),
            document.reviewed.isoformat() if document.reviewed else None,
            *(document.url, document.kind, document.at),
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def read(text: str) -> Document:
    """Return the document that `written` wrote."""
    id, path, digest, title, sections, alerts, services, environments, owner, reviewed, url, kind, at = json.loads(text)
    return Document(
        id=id,
        path=path,
        digest=digest,
        title=title,
        sections=tuple(Section(*section) for section in sections),
        alerts=tuple(alerts),
        services=tuple(services),
        environments=tuple(environments),
        owner=owner,
        reviewed=date.fromisoformat(reviewed) if reviewed else None,
        url=url,
        kind=kind,
        at=at,
    )


def place(url: str) -> str:
    """Return what two addresses of one page have in common: no scheme, query, anchor, suffix or closing slash."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = re.sub(r"(?:/+(?:index)?|/index\.html?|\.(?:md|markdown|html?))$", "", unquote(parts.path))
    return f"{parts.netloc.rpartition('@')[2]}{path}".lower()
