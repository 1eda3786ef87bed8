"""The answer of a run: what was found first, then what it rests on, then what was not looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sysop.knowledge.citation import Citation, of_json
from sysop.model import Run, RunState
from sysop.surfaces.slack.blocks import parts
from sysop.surfaces.slack.blocks.incident import Cited
from sysop.surfaces.slack.blocks.quotes import passages
from sysop.surfaces.slack.blocks.shown import Block, Shown, shown
from sysop.surfaces.slack.links import Links
from sysop.surfaces.slack.rich import Element, bullets, rich, said, section, styled
from sysop.surfaces.slack.text import anchor, cut, mrkdwn, one_line, readable

FEEDBACK: Final = "feedback"
HELPFUL: Final = "feedback.helpful"
UNHELPFUL: Final = "feedback.unhelpful"
MAX_SUMMARY: Final = 2000
_MOST: Final = 6
_LINE: Final = 220


def answer(run: Run, sources: Sequence[Cited], links: Links) -> Shown:
    """Return how a run ended. Runs that ended otherwise than by a conclusion say so, in the same form."""
    found: Mapping[str, Any] = run.conclusion or {}
    mark, word = _verdict(run, found)
    summary = str(found.get("summary") or "")
    return shown(
        f"{mark} {word}: {mrkdwn(one_line(summary, 400), links)}",
        rich(section(styled(f"{mark} {word}", "bold")), *passages(cut(readable(summary), MAX_SUMMARY), links)),
        _cause(run, found, links),
        _claims(found, links),
        _listed("Proposed", found.get("proposed"), links),
        _listed("Not checked", found.get("not_checked"), links),
        _next(found, summary, links),
        parts.context([*_sources(run, sources, links), f"run `{run.id}`"]),
        _feedback(run),
    )


def whole(run: Run) -> str | None:
    """Return the whole conclusion as Markdown, for a file, where the message leaves some of it out; else None."""
    found: Mapping[str, Any] = run.conclusion or {}
    lists = {name: list(found.get(name) or ()) for name in ("claims", "proposed", "not_checked")}
    if len(str(found.get("summary") or "")) <= MAX_SUMMARY and all(len(every) <= _MOST for every in lists.values()):
        return None
    claims = [f"{one['text']} ({', '.join(map(str, one['evidence']))})" for one in lists["claims"]]
    pieces = [
        f"# {_verdict(run, found)[1]}: {run.id}",
        str(found.get("summary") or ""),
        _written_cause(run, found),
        *_written("What shows it", claims),
        *_written("Proposed", lists["proposed"]),
        *_written("Not checked", lists["not_checked"]),
    ]
    return readable("\n\n".join(filter(None, pieces))) + "\n"


def _written_cause(run: Run, found: Mapping[str, Any]) -> str:
    if not _looks_for_a_cause(run, found):
        return ""
    return f"Cause: {found.get('cause') or 'undetermined'} ({found.get('confidence') or 'low'} confidence)"


def _written(title: str, texts: Sequence[Any]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {' '.join(str(text).split())}" for text in texts)] if texts else []


def _verdict(run: Run, found: Mapping[str, Any]) -> tuple[str, str]:
    if run.state is RunState.CANCELLED:
        return "⏹", "Stopped"
    if run.state is RunState.FAILED:
        return "🔴", "Failed"
    if run.request.get("action") and not found.get("resolved"):
        return "🔴", "Did not work" if found.get("claims") else "Not done"
    if found.get("resolved") and _only_told(run):
        return "💬", "Answered"
    if found.get("resolved"):
        return "✅", "Resolved" if run.incident else "Done"
    return ("🟡", "A person must go on") if found.get("escalate") else ("💬", "Answered")


def _only_told(run: Run) -> bool:
    """Tell whether a run only answered: what it says is resolved, an earlier run has done."""
    return run.read_only or bool((run.plan.get("fallback") or run.plan).get("reply"))


def _looks_for_a_cause(run: Run, found: Mapping[str, Any]) -> bool:
    """Tell whether to speak of a cause: where one was found, or where a run had to find one and could not."""
    if found.get("cause") not in (None, "", "undetermined"):
        return True
    return not run.request.get("action") and not _only_told(run)


def _cause(run: Run, found: Mapping[str, Any], links: Links) -> Block | None:
    cause, basis = str(found.get("cause") or ""), str(found.get("basis") or "")
    if cause in ("", "undetermined") and not basis:
        return None
    if not _looks_for_a_cause(run, found):
        return rich(section(styled("Rests on: ", "bold"), *said(one_line(basis, 400), links)))
    confidence = str(found.get("confidence") or "low")
    why = [styled(f" ({one_line(confidence, 20)} confidence"), *_because(basis, links), styled(")")]
    return rich(section(styled("Cause: ", "bold"), *said(one_line(cause or "undetermined", 600), links), *why))


def _because(basis: str, links: Links) -> list[Element]:
    return [styled(": "), *said(one_line(basis, 400), links)] if basis else []


def _claims(found: Mapping[str, Any], links: Links) -> Block | None:
    claims = list(found.get("claims") or ())
    lines = [[*said(one_line(str(c["text"]), _LINE), links), *_evidence(c["evidence"])] for c in claims[:_MOST]]
    return rich(section(styled("What shows it", "bold")), bullets([*lines, *_rest(claims)])) if lines else None


def _evidence(ids: Sequence[str]) -> list[Element]:
    found: list[Element] = [styled(" ")] if ids else []
    for one in ids[:4]:
        found += [styled(one_line(str(one), 60), "code"), styled(" ")]
    return [*found, styled(f"and {len(ids) - 4} more")] if len(ids) > 4 else found


def _listed(title: str, texts: Any, links: Links) -> Block | None:
    every = [str(text) for text in texts or ()]
    lines = [said(one_line(text, _LINE), links) for text in every[:_MOST]]
    return rich(section(styled(title, "bold")), bullets([*lines, *_rest(every)])) if lines else None


def _rest(every: Sequence[Any]) -> list[list[Element]]:
    return [[styled(f"… and {len(every) - _MOST} more", "italic")]] if len(every) > _MOST else []


def _next(found: Mapping[str, Any], summary: str, links: Links) -> Block | None:
    """Return what a person must do, and that the model was not there, where that is so."""
    escalate, degraded = str(found.get("escalate") or ""), str(found.get("degraded") or "")
    lines: list[Element] = []
    if escalate and not summary.strip().startswith(escalate.strip()):
        lines.append(section(styled("A person must go on: ", "bold"), *said(one_line(escalate, 800), links)))
    if degraded:
        lines.append(section(styled("Degraded: ", "bold"), *said(one_line(degraded, 300), links)))
    return rich(*lines) if lines else None


def _sources(run: Run, sources: Sequence[Cited], links: Links) -> list[str]:
    """Return the pages it rests on, at the revisions it rests on; those without a fresh review are marked."""
    kept = (run.plan.get("fallback") or {}).get("cites") or run.plan.get("cites")
    if not kept:
        return [_source(it, links) for it in sources[:4]]
    urls = {it.citation: it.url for it in sources}
    return [_cite(one, urls.get(one.ref), links) for one in map(of_json, kept[:4])]


def _cite(it: Citation, url: str | None, links: Links) -> str:
    title = one_line(" · ".join(filter(None, (it.title, it.heading))), 120)
    where = anchor(title, it.link or url, links) or mrkdwn(one_line(f"{title} {it.ref}", 200), links)
    return f"{'📖' if it.sound else '⚠'} {where} ({mrkdwn(f'rev {it.revision}, {it.review}', links)})"


def _source(it: Cited, links: Links) -> str:
    plain = mrkdwn(one_line(f"{it.title} {it.citation}".strip(), 120), links)
    return f"📖 {anchor(it.title or it.citation, it.url, links) or plain}"


def _feedback(run: Run) -> Block:
    def choice(text: str, value: str, label: str) -> dict[str, Any]:
        words = {"type": "plain_text", "text": text, "emoji": False}
        return {"text": words, "value": f"{value}:{run.id}", "accessibility_label": label}

    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": choice("Helpful", HELPFUL, "Say that this answer helped"),
        "negative_button": choice("Not helpful", UNHELPFUL, "Say that this answer did not help"),
    }
    return {"type": "context_actions", "block_id": f"feedback:{run.id}", "elements": [buttons]}


def opinion(value: str) -> tuple[str, bool] | None:
    """Return the run and whether its answer helped, from the value of a feedback button; None for any other text."""
    kind, _, run = value.partition(":")
    return (run, kind == HELPFUL) if run and kind in (HELPFUL, UNHELPFUL) else None
