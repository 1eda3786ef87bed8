"""What an incident teaches is never more than its rows hold, whatever they hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sysop.knowledge.memory.lesson import Lesson, lesson, line, of, sections, told
from sysop.model import EffectState, IncidentState
from sysop.store.bygone import Bygone, Fired, Tried
from sysop.store.notes import Note, Notes
from sysop.store.ratings import Rated

TIMES = st.integers(0, 10_000_000)
WORDS = st.text(max_size=40)


@st.composite
def calls(draw: st.DrawFn) -> Tried:
    return Tried(
        action=draw(st.sampled_from(["cicd.rollback", "kubernetes.scale"])),
        target=draw(st.sampled_from(["service:checkout", "service:web", "rollback", ""])),
        args=draw(st.dictionaries(st.sampled_from("ab"), st.one_of(WORDS, st.integers(), st.none()), max_size=2)),
        state=draw(st.sampled_from([state for state in EffectState if state is not EffectState.INTENT])),
        error=draw(WORDS),
        verified=draw(st.sampled_from([True, False, None])),
        verification=draw(WORDS),
        at=draw(TIMES),
    )


@st.composite
def bygones(draw: st.DrawFn) -> Bygone:
    opened, mitigated, resolved = draw(TIMES), draw(st.none() | TIMES), draw(st.none() | TIMES)
    note = Note(1, "i", "report", draw(WORDS), "person:ann", 1)
    return Bygone(
        id="i",
        state=IncidentState.RESOLVED,
        title=draw(WORDS),
        severity=draw(WORDS),
        services=(),
        opened_at=opened,
        mitigated_at=mitigated,
        resolved_at=resolved,
        alerts=tuple(Fired(name, "", "") for name in draw(st.lists(WORDS, max_size=3))),
        found=tuple(
            draw(st.lists(st.dictionaries(st.sampled_from(["summary", "cause", "confidence"]), WORDS), max_size=2))
        ),
        tried=tuple(sorted(draw(st.lists(calls(), max_size=6)), key=lambda call: call.at)),
        notes=draw(st.sampled_from([Notes(), Notes(report=note), Notes(report=note, correction=note)])),
        rated=Rated(),
    )


@given(bygones())
def test_a_change_is_said_to_have_helped_only_where_its_check_held_before_the_incident_was_over(one: Bygone) -> None:
    found = lesson(one)
    held = [c for c in one.tried if c.state is EffectState.DONE and c.verified is True and c.at <= one.over_at]
    assert found.helped == (bool(held) if one.tried else None)
    assert found.fix == (of(held[-1]) if held else "")
    assert (found.minutes is not None) == bool(held)
    assert found.minutes is None or 0 <= found.minutes <= 10_000_000 / 60_000
    assert found.lasted >= 0
    assert found.quiet == (one.mitigated_at is not None)


@given(bygones())
def test_its_sections_have_one_line_for_each_call_and_nothing_hidden_but_in_what_people_wrote(one: Bygone) -> None:
    found = {section.title: section for section in sections(one, lesson(one))}
    tried = found["What was tried"].text.split("\n")
    assert len(tried) == max(1, len(one.tried))
    for title in ("What happened", "What was tried", "What helped"):
        assert all(char.isprintable() or char == "\n" for char in found[title].text)
    assert ("Post-incident report" in found) == bool(one.notes.report and one.notes.report.text)
    assert ("Correction" in found) == bool(one.notes.correction)
    assert [section.line for section in found.values()] == sorted({section.line for section in found.values()})


@given(st.text(max_size=900))
def test_a_line_is_one_line_of_no_more_than_its_limit(text: str) -> None:
    flat = line(text, 50)
    assert len(flat) <= 50
    assert flat.isprintable()
    assert line("a\u202eb\x1b[0m\nc") == "a b [0m c"


@given(st.integers(0, 10**6))
def test_a_length_of_time_is_never_nothing_and_never_off_by_half(minutes: int) -> None:
    number, _, unit = told(minutes).partition(" ")
    size = {"minute": 1, "minutes": 1, "hours": 60, "days": 1440}
    if minutes == 0:
        assert told(minutes) == "less than a minute"
    else:
        assert abs(int(number) * size[unit] - minutes) <= size[unit] / 2


def test_a_target_that_says_no_more_than_the_action_is_left_out() -> None:
    def said(target: str) -> str:
        return of(Tried("cicd.rollback", target, {}, EffectState.DONE, "", True, "", 0))

    assert [said(target) for target in ("service:checkout", "checkout", "rollback", "")] == [
        "cicd.rollback of checkout",
        "cicd.rollback of checkout",
        "cicd.rollback",
        "cicd.rollback",
    ]
    assert Lesson(0, "", None, 0, quiet=True).helped is None
