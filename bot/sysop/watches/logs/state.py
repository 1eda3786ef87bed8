"""What a log watch keeps in the state folder between windows, so that a restart neither forgets nor counts twice."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysop.paths import private_file, private_folder
from sysop.watches.logs.drifts import Drifts, Open
from sysop.watches.logs.miner import Miner, Template
from sysop.watches.logs.rates import KEPT, Rates
from sysop.watches.logs.tail import Position

VERSION = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file of the state folder held: positions, templates with their counts, open findings."""

    positions: list[Position]
    miner: Miner
    rates: Rates
    held: list[Open]


def save(file: Path, positions: list[Position], miner: Miner, rates: Rates, drifts: Drifts) -> None:
    """Write the state, whole or not at all. Raises OSError. What it holds of lines is redacted already."""
    value = {
        "version": VERSION,
        "window": rates.window,
        "totals": list(rates.totals),
        "volume": list(rates.volume),
        "positions": [position.as_json() for position in positions],
        "templates": [_template(template, rates) for template in miner],
        "open": [one.as_json() for one in drifts.open],
    }
    private_folder(file.parent)
    fresh = file.with_suffix(".new")
    private_file(fresh)
    fresh.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
    os.replace(fresh, file)


def load(file: Path, most: int) -> Kept | None:
    """Return what was kept; None at the first start, and, with a word in the log, for a file that cannot be used."""
    try:
        return _kept(json.loads(file.read_text(encoding="utf-8")), most)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as bad:
        log.warning("%s cannot be used (%s); the watch learns anew", file, bad)
        return None


def _template(template: Template, rates: Rates) -> dict[str, Any]:
    return {
        "key": template.key,
        "words": template.words,
        "example": template.example,
        "path": list(template.path),
        "born": rates.born.get(template.key, rates.window),
        "counts": rates.recent(template.key),
    }


def _kept(value: Mapping[str, Any], most: int) -> Kept:
    if value["version"] != VERSION:
        raise ValueError(f"it has version {value['version']}, not {VERSION}")
    miner, rates = Miner(most), Rates()
    rates.window = int(value["window"])
    rates.totals.extend(int(total) for total in value["totals"])
    rates.volume.extend(int(total) for total in value["volume"])
    for one in value["templates"]:
        key, born = str(one["key"]), int(one["born"])
        words, path = [str(word) for word in one["words"]], tuple(one["path"])
        miner.restore(Template(key, words, str(one["example"]), path))
        rates.counts[key] = deque((int(count) for count in one["counts"]), maxlen=KEPT)
        rates.born[key] = born
    rates.forget(miner.forgotten)
    miner.forgotten.clear()
    positions = [Position.from_json(position) for position in value["positions"]]
    return Kept(positions, miner, rates, [Open.from_json(one) for one in value["open"]])
