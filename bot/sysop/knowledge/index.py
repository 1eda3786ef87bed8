"""All runbooks at hand: loaded from folders, found by alert name or by words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sysop import yamlsafe
from sysop.errors import RunbookError
from sysop.inventory import nearest
from sysop.knowledge.hits import Hit, Pages
from sysop.knowledge.library.source import Broken as Broken
from sysop.knowledge.retrieval import FITS
from sysop.knowledge.runbook import Runbook, parse

Check = Callable[[Runbook], Sequence[str]]
"""Returns what keeps a runbook from being used, such as the errors of the linter."""


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that fits, and why. `confidence` is how well words fit, None where it was not found by words.

    One that does not lead may fit, and is named to people only.
    """

    runbook: Runbook
    why: str
    confidence: float | None = None
    leads: bool = True


@dataclass(frozen=True)
class Index:
    """Runbooks by path (`runbooks/x.md`). Frozen: loading again gives another one."""

    runbooks: Mapping[str, Runbook]
    broken: tuple[Broken, ...] = ()

    @classmethod
    def load(cls, folders: Iterable[Path], check: Check | None = None) -> Index:
        """Load every `*.md` below some folders. A broken file is reported in `broken`, it stops nothing."""
        runbooks: dict[str, Runbook] = {}
        broken: list[Broken] = []
        for folder in folders:
            for name, file in _files(folder):
                try:
                    if name in runbooks:
                        raise RunbookError(f"{name}: another folder has a runbook of this name; rename one of them")
                    runbooks[name] = _checked(parse(_content(folder, file), name), check)
                except RunbookError as bad:
                    broken.append(Broken(name, str(bad)))
        return cls(runbooks, tuple(broken))

    def get(self, name: str) -> Runbook:
        """Return a runbook by its path, file name or file name without `.md`. Raises RunbookError."""
        if name in self.runbooks:
            return self.runbooks[name]
        short = {Path(p).name: r for p, r in self.runbooks.items()} | {
            Path(p).stem: r for p, r in self.runbooks.items()
        }
        if name in short:
            return short[name]
        for broken in self.broken:
            if name in (broken.path, Path(broken.path).name, Path(broken.path).stem):
                raise RunbookError(f"runbook {name} is broken: {broken.reason}")
        raise RunbookError(f"there is no runbook {name!r}{nearest(name, {Path(p).stem for p in self.runbooks})}")

    def find(
        self, alerts: Sequence[str], services: Sequence[str] = (), environments: Sequence[str] = ()
    ) -> Match | None:
        """Return the runbook made for these alerts and services, None where there is none.

        More alerts named beats fewer, then the service by its name beats `*`, then the earlier alert.
        """
        fitting = [
            (len(named), specific, -min(alerts.index(n) for n in named), runbook.path, named)
            for runbook in self.runbooks.values()
            if (named := [a for a in dict.fromkeys(alerts) if a in runbook.alerts])
            and (specific := _services_fit(runbook, services))
            and _environments_fit(runbook, environments)
        ]
        if not fitting:
            return None
        _, specific, _, path, named = min(fitting, key=lambda f: (-f[0], -f[1], -f[2], f[3]))
        suits = f"service {', '.join(s for s in services)}" if specific == 2 else "any service"
        return Match(self.runbooks[path], f"it names the alert {', '.join(named)} and suits {suits}")

    def search(self, question: str, limit: int = 5) -> list[Hit]:
        """Return the best section of each of the best pages, best first, whatever their confidence."""
        return self._pages.find(question, limit)

    def suggest(self, question: str, loose: bool = False) -> Match | None:
        """Return the runbook that answers a question, None where none fits well enough.

        With `loose` also one that has few of its words; that one does not lead.
        """
        for hit in self.search(question, 1):
            if hit.leads or (loose and hit.confidence >= FITS):
                why = f"its words fit ({hit.citation}, confidence {hit.confidence:.2f})"
                return Match(hit.runbook, why, hit.confidence, hit.leads)
        return None

    @cached_property
    def _pages(self) -> Pages:
        return Pages(self.runbooks.values())


def _checked(runbook: Runbook, check: Check | None) -> Runbook:
    if problems := (check(runbook) if check else ()):
        raise RunbookError("\n".join(problems))
    return runbook


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*.md")):
        if file.name.upper() != "README.MD":
            yield f"{folder.resolve().name}/{file.relative_to(folder).as_posix()}", file


def _content(folder: Path, file: Path) -> bytes:
    try:
        real = file.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise RunbookError(f"{file}: the link leads out of {folder}; put the file itself into the folder")
        if not real.is_file():
            raise RunbookError(f"{file}: not a file; remove it or rename it")
        with real.open("rb") as opened:
            return opened.read(yamlsafe.MAX_BYTES + 1)
    except (OSError, RuntimeError) as bad:  # RuntimeError: a link that leads to itself
        raise RunbookError(f"{file}: cannot be read: {bad}") from None


def _services_fit(runbook: Runbook, services: Sequence[str]) -> int:
    if set(services) & set(runbook.services):
        return 2
    return 1 if not runbook.services or "*" in runbook.services or not services else 0


def _environments_fit(runbook: Runbook, environments: Sequence[str]) -> bool:
    return not runbook.environments or not environments or bool(set(environments) & set(runbook.environments))
