"""What the index of words keeps of a page: enough to rank it, and to write it once more without reading it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import tantivy

from sysop.knowledge.document import Document
from sysop.knowledge.retrieval.chunks import page_terms, parts
from sysop.knowledge.retrieval.exact import called, titled

ANY: Final = "*"
"""What a page is filed under that names no service, environment or owner: it fits all."""
FILTERS: Final = ("service", "environment", "owner")


@dataclass(frozen=True, slots=True)
class Kept:
    """The stems of a page as in `Terms`, the place of each part's section, its names as in `exact`, its filters."""

    names: Sequence[Sequence[str]]
    lengths: Sequence[int]
    where: Mapping[str, str]
    sections: Sequence[int]
    exact: Sequence[str]
    titled: Sequence[str]
    filed: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, document: Document) -> Kept:
        """Return what is kept of a page."""
        found = page_terms(document)
        return cls(
            names=[sorted(name) for name in found.names],
            lengths=found.lengths,
            where=found.where,
            sections=[part.section for part in parts(document)] or [0],
            exact=called(document),
            titled=titled(document),
            filed={
                "service": document.services or [ANY],
                "environment": document.environments or [ANY],
                "owner": [document.owner or ANY],
            },
        )

    @classmethod
    def read(cls, data: bytes) -> Kept:
        """Return what `written` made."""
        return cls(**json.loads(data))

    def written(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    def rows(self, id: str) -> Iterator[Any]:
        """Yield the page as Tantivy is given it: once as a whole, and once for each part."""
        texts: list[list[str]] = [[] for _ in self.lengths]
        for term, flat in self.where.items():
            figures = [int(figure) for figure in flat.split()]
            for part, count in zip(figures[::2], figures[1::2], strict=True):
                texts[part] += [term] * count
        joined = [" ".join(text) for text in texts]
        filed = {field: list(values) for field, values in self.filed.items()}
        page = {
            "id": id,
            "kind": "page",
            "name": " ".join(sorted({term for name in self.names for term in name})),
            "page": " ".join(joined),
            "exact": list(self.exact),
            "titled": list(self.titled),
            "kept": self.written(),
        }
        yield tantivy.Document.from_dict({**page, **filed})
        for text in joined:
            yield tantivy.Document.from_dict({"id": id, "kind": "part", "part": text, **filed})
