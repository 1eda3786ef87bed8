"""The runbook format: Markdown a person reads, with steps a machine can follow. See docs/runbooks.md.

`parse` accepts only what can be followed as it stands; whether it makes sense for the actions at hand
is what `lint` tells.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NoReturn

from sysop import expression, yamlsafe
from sysop.errors import RunbookError
from sysop.expression import Expression
from sysop.inventory import nearest
from sysop.knowledge.document import Document
from sysop.knowledge.page import Block, Page, Section

ESCALATE: Final = "escalate"
CONTINUE: Final = "continue"
MAX_STEPS: Final = 100
MAX_POLLS: Final = 1_000
DEFAULT_EVERY: Final = 5_000

Value = None | str | Expression | tuple["Value", ...] | Mapping[str, "Value"]
"""What a step hands to its action: text as written, expressions, and lists and mappings of them."""

Text = str | Expression

_ID: Final = re.compile(r"[a-z_][a-z0-9_]*")
_DURATION: Final = re.compile(r"(\d{1,6})(s|m|h)")
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_RESERVED: Final = frozenset({ESCALATE, CONTINUE})

_FRONT: Final = ("title", "alerts", "services", "environments", "owner", "reviewed", "autonomy")
_STEP: Final = ("id", "action", "with", "when", "until", "within", "every", "otherwise", "found", "note")
_CONCLUDE: Final = (
    *("when", "resolved", "summary", "cause", "confidence", "basis"),
    *("claims", "proposed", "escalate", "follow"),
)
_CONFIDENCE: Final = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `lines` tells where its keys stand (`within`, `with.service`), `section` under which heading."""

    id: str
    action: str
    args: Mapping[str, Value]
    when: Expression | None
    until: Expression | None
    within: int
    every: int
    otherwise: str
    found: Text | None
    note: str
    section: str
    line: int
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ClaimText:
    """One statement of an ending and the ids of the steps that carry it."""

    text: Text
    evidence: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run concludes when `when` holds. The first ending of a runbook that holds is taken.

    With `follow`, the name of a page without `.md`, the run goes on there; it ends here only where it has been there
    often enough or there is no such page.
    """

    when: Expression | None
    resolved: bool | Expression
    summary: Text
    cause: Text
    confidence: Text
    basis: Text
    claims: tuple[ClaimText, ...]
    proposed: tuple[Text, ...]
    escalate: Text
    follow: str
    line: int


@dataclass(frozen=True, slots=True)
class Runbook:
    """One page. `path` is how it is cited, `digest` the SHA-256 of its bytes."""

    path: str
    digest: str
    title: str
    alerts: tuple[str, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    owner: str
    reviewed: date | None
    steps: tuple[Step, ...]
    endings: tuple[Ending, ...]
    sections: tuple[Section, ...]
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)

    def step(self, id: str) -> Step:
        """Return a step by its id. Raises KeyError."""
        for step in self.steps:
            if step.id == id:
                return step
        raise KeyError(id)

    def cite(self, section: str = "") -> str:
        """Return the citation of the page or of one of its sections."""
        return f"{self.path}#{section}" if section else self.path


def of_page(page: Document) -> Runbook:
    """Return a page of prose as a runbook: one without steps."""
    return Runbook(
        path=page.path,
        digest=page.digest,
        title=page.title,
        alerts=page.alerts,
        services=page.services,
        environments=page.environments,
        owner=page.owner,
        reviewed=page.reviewed,
        steps=(),
        endings=(),
        sections=page.sections,
    )


def parse(content: bytes | str, path: str) -> Runbook:
    """Return the runbook. Raises RunbookError naming the file, the line, the step and the fix."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(data) > yamlsafe.MAX_BYTES:
        raise RunbookError(f"{path}: {len(data)} bytes are too much, {yamlsafe.MAX_BYTES} are allowed; split the page")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeError as bad:
        raise RunbookError(f"{path}: not valid UTF-8 ({bad}); save the file as UTF-8") from None
    return _Parser(path, text.replace("\r\n", "\n").split("\n")).runbook(hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class _Parser:
    path: str
    source: list[str]

    def runbook(self, digest: str) -> Runbook:
        front, lines, body = self._front()
        page = Page(self.path, self.source, body)
        page.read()
        steps = tuple(_Fields(self.path, block).step() for block in page.blocks if block.kind == "step")
        endings = tuple(_Fields(self.path, block).ending() for block in page.blocks if block.kind == "conclude")
        _check_steps(self.path, steps)
        return Runbook(
            path=self.path,
            digest=digest,
            title=front.text("title"),
            alerts=front.texts("alerts"),
            services=front.texts("services"),
            environments=front.texts("environments"),
            owner=front.text("owner", ""),
            reviewed=front.day("reviewed"),
            steps=steps,
            endings=endings,
            sections=tuple(page.sections),
            lines=lines,
        )

    def _front(self) -> tuple[_Fields, Mapping[str, int], int]:
        if self.source[0].rstrip() != "---":
            raise RunbookError(f"{self.path}:1: front matter is missing; begin the file with `---` and `title: …`")
        end = next((n for n, line in enumerate(self.source[1:], 1) if line.rstrip() == "---"), None)
        if end is None:
            raise RunbookError(f"{self.path}:1: the front matter does not end; put a line `---` after it")
        front = _Fields(self.path, Block("front matter", "\n".join(self.source[1:end]), "", 2))
        front.only(_FRONT)
        if (autonomy := front.text("autonomy", "ask")) != "ask":
            fix = "write `autonomy: ask`; without a person it cannot run yet" if autonomy == "auto" else "write `ask`"
            front.refuse("autonomy", f"{autonomy!r} is not supported", fix)
        return front, {n: front.line(n) for n in front.values}, end + 1


class _Fields:
    """The keys of one block, read one by one with a message for each way to get them wrong."""

    def __init__(self, path: str, block: Block) -> None:
        self.path = path
        self.block = block
        document = yamlsafe.read(block.text, name=path, error=RunbookError, first_line=block.line)
        if document.value is not None and not isinstance(document.value, dict):
            raise RunbookError(f"{path}:{block.line}: a {block.kind} holds `key: value` lines, not a list or text")
        self.values: dict[str, Any] = document.value or {}
        self._lines = document.lines
        self.name = self.values.get("id") if block.kind == "step" else None

    def step(self) -> Step:
        self.only(_STEP)
        id = self.text("id")
        if not _ID.fullmatch(id) or len(id) > 40 or id in _RESERVED:
            self.refuse("id", f"{id!r} cannot be an id", "use a-z, 0-9 and _, such as `recent_deploys`")
        within, every = self.duration("within", 0), self.duration("every", DEFAULT_EVERY)
        self._check_polls(within, every)
        return Step(
            id=id,
            action=self.text("action"),
            args=self._arguments(),
            when=self.condition("when"),
            until=self.condition("until"),
            within=within,
            every=every,
            otherwise=self.text("otherwise", ESCALATE),
            found=self.told("found"),
            note=" ".join(self.text("note", "").split()),
            section=self.block.section,
            line=self.block.line,
            lines={key: self.line(key) for key in self.values} | self._argument_lines(),
        )

    def ending(self) -> Ending:
        self.only(_CONCLUDE)
        confidence = self.told("confidence") or "low"
        if isinstance(confidence, str) and confidence not in _CONFIDENCE:
            self.refuse("confidence", f"{confidence!r} is not a confidence", "write low, medium or high")
        return Ending(
            when=self.condition("when"),
            resolved=self._resolved(),
            summary=self.told("summary") or self._need("summary"),
            cause=self.told("cause") or "undetermined",
            confidence=confidence,
            basis=self.told("basis") or "",
            claims=tuple(self._claims()),
            proposed=tuple(self._told(v, "proposed") for v in self._list("proposed")),
            escalate=self.told("escalate") or "",
            follow=self.text("follow", "").removesuffix(".md"),
            line=self.block.line,
        )

    def only(self, known: tuple[str, ...]) -> None:
        for key in self.values:
            if key not in known:
                self.refuse(key, f"{key!r} is not a key of a {self.block.kind}", nearest(key, known).lstrip("; "))

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key)
        if value is None or value == "":
            return default if default is not None else self._need(key)
        if not isinstance(value, str):
            self.refuse(key, f"{key} must be text", "write it on the line of its key")
        if "${" in value and key != "note":
            self.refuse(key, f"{key} cannot be an expression", "write plain text")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._list(key)
        for value in found:
            if not isinstance(value, str) or not value.strip():
                self.refuse(key, f"{key} must be a list of names", f"write `{key}: [one, other]`")
        return tuple(v.strip() for v in found)

    def day(self, key: str) -> date | None:
        if not (text := self.text(key, "")):
            return None
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.refuse(key, f"{text!r} is not a date", "write it as 2026-11-23")

    def duration(self, key: str, default: int) -> int:
        if not (text := self.text(key, "")):
            return default
        found = _DURATION.fullmatch(text)
        if found is None:
            self.refuse(key, f"{text!r} is not a duration", "write a number and s, m or h, such as 90s")
        return int(found[1]) * _UNITS[found[2]]

    def condition(self, key: str) -> Expression | None:
        value = self.values.get(key)
        if value is None:
            return None
        found = self._told(value, key)
        if isinstance(found, str):
            self.refuse(key, f"{key} must be an expression", "write it as `${…}`")
        return found

    def told(self, key: str) -> Text | None:
        value = self.values.get(key)
        return None if value is None or value == "" else self._told(value, key)

    def refuse(self, key: str, message: str, fix: str) -> NoReturn:
        raise RunbookError(f"{self.path}:{self.line(key)}: {self._who()}{message}; {fix}")

    def line(self, key: str) -> int:
        return self._lines.get((key,), self.block.line)

    def _who(self) -> str:
        return f"step {self.name}: " if isinstance(self.name, str) else ""

    def _need(self, key: str) -> NoReturn:
        self.refuse(key, f"{key} is missing from the {self.block.kind}", f"add a line `{key}: …`")

    def _list(self, key: str) -> list[Any]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(key, f"{key} must be a list", f"write `{key}: [one, other]`")
        return value

    def _told(self, value: Any, key: str) -> Text:
        if not isinstance(value, str):
            self.refuse(key, f"{key} must be text or one expression", "write it as text or `${…}`")
        return self._expand(value, (key,))

    def _expand(self, text: str, place: yamlsafe.Place) -> Text:
        """Return text as it is, and text that is one `${…}` as an expression."""
        line = self._lines.get(place, self.line(str(place[0])))
        stripped = text.strip()
        if "${" not in text:
            return text
        if not (stripped.startswith("${") and stripped.endswith("}")):
            name = ".".join(map(str, place))
            self.refuse_at(
                line, f"{name} mixes text and `${{…}}`", 'write all of it as one expression: `${"text " + …}`'
            )
        return expression.compile(stripped[2:-1], place=f"{self.path}:{line}: {self._who()}".rstrip(": "), line=line)

    def refuse_at(self, line: int, message: str, fix: str) -> NoReturn:
        raise RunbookError(f"{self.path}:{line}: {self._who()}{message}; {fix}")

    def _arguments(self) -> Mapping[str, Value]:
        given = self.values.get("with")
        if given is None:
            return {}
        if not isinstance(given, dict):
            self.refuse("with", "with must be a mapping", "write the arguments as `name: value` lines below it")
        return {name: self._value(value, ("with", name)) for name, value in given.items()}

    def _argument_lines(self) -> dict[str, int]:
        return {f"with.{p[1]}": line for p, line in self._lines.items() if len(p) == 2 and p[0] == "with"}

    def _value(self, value: Any, place: yamlsafe.Place) -> Value:
        if isinstance(value, str):
            return self._expand(value, place)
        if isinstance(value, list):
            return tuple(self._value(v, (*place, n)) for n, v in enumerate(value))
        if isinstance(value, dict):
            return {k: self._value(v, (*place, k)) for k, v in value.items()}
        return None

    def _check_polls(self, within: int, every: int) -> None:
        if "until" in self.values and "within" not in self.values:
            self.refuse("until", "until needs a limit", "add `within: 2m`; `within: 0s` checks once")
        if "until" not in self.values and ("within" in self.values or "every" in self.values):
            key = "within" if "within" in self.values else "every"
            self.refuse(key, f"{key} means nothing without until", "add `until: ${…}` or remove it")
        if every < 1_000:
            self.refuse("every", "every must be at least 1s", "write `every: 1s`")
        if within > 24 * 3_600_000 or within // every > MAX_POLLS:
            self.refuse("within", f"that is over 24h or {MAX_POLLS} checks", "shorten within or lengthen every")

    def _resolved(self) -> bool | Expression:
        value = self.told("resolved")
        if isinstance(value, Expression):
            return value
        if value is None and self.text("follow", ""):
            return False
        if value not in ("true", "false"):
            self.refuse("resolved", "resolved must say how it ended", "write true, false or `${…}`")
        return value == "true"

    def _claims(self) -> Iterator[ClaimText]:
        for number, claim in enumerate(self._list("claims")):
            line = self._lines.get(("claims", number), self.line("claims"))
            if not isinstance(claim, dict) or set(claim) != {"text", "evidence"} or not isinstance(claim["text"], str):
                self.refuse_at(line, "a claim has exactly text and evidence", "write `- {text: …, evidence: [step]}`")
            evidence = claim["evidence"]
            if not isinstance(evidence, list) or not evidence or not all(isinstance(e, str) for e in evidence):
                self.refuse_at(line, "a claim needs evidence", "name the ids of the steps that show it: `[step]`")
            yield ClaimText(self._expand(claim["text"], ("claims", number, "text")), tuple(evidence), line)


def _check_steps(path: str, steps: tuple[Step, ...]) -> None:
    """Refuse what could not be followed: an id given twice, a way back."""
    if len(steps) > MAX_STEPS:
        raise RunbookError(f"{path}:{steps[MAX_STEPS].line}: more than {MAX_STEPS} steps; split the runbook")
    places: dict[str, int] = {}
    for number, step in enumerate(steps):
        if step.id in places:
            first = steps[places[step.id]].line
            raise RunbookError(
                f"{path}:{step.lines['id']}: step {step.id}: the step on line {first} has the same id; choose another"
            )
        places[step.id] = number
    for number, step in enumerate(steps):
        if step.otherwise in _RESERVED or places.get(step.otherwise, -1) > number:
            continue
        line = step.lines.get("otherwise", step.line)
        problem = "is not a later step" if step.otherwise in places else "is no step"
        later = [*(s.id for s in steps[number + 1 :]), *sorted(_RESERVED)]
        raise RunbookError(
            f"{path}:{line}: step {step.id}: otherwise: {step.otherwise!r} {problem}{nearest(step.otherwise, later)}"
        )
