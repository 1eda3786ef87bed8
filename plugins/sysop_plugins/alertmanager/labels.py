"""The fingerprint by which Prometheus and Alertmanager tell alerts apart: a hash of the labels."""

from __future__ import annotations

from collections.abc import Mapping

_OFFSET = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the FNV-1a hash in 64 bits over the labels sorted by name, each name and value ended by the byte 0xff.

    This is what prometheus/common documents and Alertmanager sends. It is computed here and nowhere else, because the
    API of Prometheus itself leaves it out: an alert must be the same one whichever of the two told of it.
    """
    digest = _OFFSET
    for name in sorted(labels, key=lambda name: name.encode("utf-8", "surrogatepass")):
        for text in (name, labels[name]):
            for byte in (*text.encode("utf-8", "surrogatepass"), 0xFF):
                digest = (digest ^ byte) * _PRIME & _MASK
    return f"{digest:016x}"
