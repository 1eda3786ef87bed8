"""What the past teaches: symptoms that fired together in most of their episodes, and nothing else."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st
from shop import NOBODY, OTHERS, alert, groups, placed, topology

from sysop.incidents.correlation import Correction, Correlator, Firing, Learnt, Occurrence, learn
from sysop.incidents.correlation.learnt import counts

HOUR, DAY = 3600.0, 86_400.0
QUEUE, MAIL, DISK = ("QueueGrows", "other1"), ("MailLate", "other2"), ("DiskFull", "other3")


def episode(at: float, *symptoms: tuple[str, str], gap: float = 60.0, known: float = HOUR) -> list[Firing]:
    return [Firing(symptom, "", at + gap * number, at + known) for number, symptom in enumerate(symptoms)]


def met(times: int, *symptoms: tuple[str, str]) -> list[Firing]:
    return [firing for day in range(times) for firing in episode(day * DAY, *symptoms)]


def in_force(steps: Iterable[Learnt], at: float) -> dict[tuple[tuple[str, str], tuple[str, str]], tuple[int, int]]:
    """Return what counts at a moment: pairs, how often they met, in how many episodes."""
    newest: dict[tuple[tuple[str, str], tuple[str, str]], Learnt] = {}
    for step in sorted(steps, key=lambda step: step.at):
        if step.at <= at:
            newest[step.one, step.other] = step
    return {pair: (step.together, step.episodes) for pair, step in newest.items() if counts(step)}


def two(at: float) -> list[Occurrence]:
    """Return two symptoms too far apart to be one incident by themselves."""
    return [alert(at, *QUEUE), alert(at + 200, *MAIL)]


def test_symptoms_that_met_in_three_episodes_are_put_together_and_the_reason_says_so() -> None:
    alerts = two(9 * DAY)
    assert groups(placed(Correlator(topology(), NOBODY), *alerts), alerts) == [None, None]
    found = placed(Correlator(topology(), NOBODY, (), learn(met(3, QUEUE, MAIL))), *alerts)
    one, other = groups(found, alerts)
    assert one is not None
    assert one == other
    told = [part.words for part in found[alerts[1].key].why if part.kind == "learnt"]
    assert told == ["fired together in 3 of 3 earlier episodes: odds times 8"]


def test_two_meetings_teach_nothing() -> None:
    assert learn(met(2, QUEUE, MAIL)) == []


def test_a_symptom_that_fires_mostly_alone_teaches_nothing() -> None:
    alone = [firing for day in range(3, 8) for firing in episode(day * DAY, QUEUE)]
    before = in_force(learn(met(3, QUEUE, MAIL) + alone), 3 * DAY)
    assert before == {(MAIL, QUEUE): (3, 3)}
    assert in_force(learn(met(3, QUEUE, MAIL) + alone), 9 * DAY) == {}


def test_firings_of_one_burst_are_one_episode() -> None:
    burst = [firing for minute in range(20) for firing in episode(minute * 60.0, QUEUE, MAIL)]
    assert learn(burst) == []


def test_symptoms_of_two_environments_do_not_meet() -> None:
    apart = [firing._replace(where=firing.symptom[0]) for firing in met(5, QUEUE, MAIL)]
    assert learn(apart) == []


def test_nothing_is_known_before_the_third_incident_was_over() -> None:
    learnt = learn(met(3, QUEUE, MAIL))
    third = 2 * DAY + HOUR
    for at, together in ((third - 300, False), (third + 1, True)):
        alerts = two(at)
        found = groups(placed(Correlator(topology(), NOBODY, (), learnt), *alerts), alerts)
        assert (found[0] is not None and found[0] == found[1]) is together


def test_what_people_said_goes_before_what_the_past_teaches() -> None:
    split = Correction(0.0, QUEUE, MAIL, together=False)
    alerts = two(9 * DAY)
    found = placed(Correlator(topology(), NOBODY, (split,), learn(met(9, QUEUE, MAIL))), *alerts)
    assert groups(found, alerts) == [None, None]


SYMPTOMS = st.sampled_from((QUEUE, MAIL, DISK))
FIRINGS = st.lists(
    st.builds(
        lambda symptom, hour, second, over: Firing(symptom, "", hour * 2 * HOUR + second, hour * 2 * HOUR + over),
        SYMPTOMS,
        st.integers(0, 12),
        st.integers(0, 400),
        st.integers(500, 40_000),
    ),
    max_size=40,
)


@given(FIRINGS, st.integers(0, 100_000), st.randoms(use_true_random=False))
def test_what_is_known_at_a_moment_depends_on_no_order(firings: list[Firing], at: int, dice: random.Random) -> None:
    shuffled = dice.sample(firings, len(firings))
    assert in_force(learn(firings), at) == in_force(learn(shuffled), at)


@given(FIRINGS, st.integers(1, 12))
def test_incidents_that_come_later_change_nothing_of_before(firings: list[Firing], hour: int) -> None:
    until = hour * 2 * HOUR
    early = [firing for firing in firings if firing.known <= until]
    later = early + [firing for firing in firings if firing.at > until + HOUR]
    assert in_force(learn(early), until) == in_force(learn(later), until)


def test_a_storm_of_two_thousand_symptoms_teaches_a_bounded_table() -> None:
    storm = [
        Firing((f"Rule{number}", "one"), "", day * DAY + number / 10, day * DAY + HOUR)
        for day in range(3)
        for number in range(2000)
    ]
    assert 0 < len(learn(storm)) <= 200_000


def cascades(times: int) -> Iterator[tuple[str, Occurrence]]:
    """Yield the alerts of five cascades over services that do not call each other, a day apart, with their truth."""
    dice = random.Random(7)
    paths = [dice.sample(OTHERS, 4) for _ in range(5)]
    for day, (number, path) in itertools.product(range(times), enumerate(paths)):
        t = day * DAY + number * 4 * HOUR + dice.uniform(0, 600)
        for service in path:
            yield f"{day}/{number}", alert(t, f"Rule{number}", service)
            t += dice.uniform(30, 150)


def test_cascades_that_come_again_are_found_whole_once_they_are_known() -> None:
    every = list(cascades(8))
    past, later = every[: 5 * 4 * 4], every[5 * 4 * 4 :]
    firings = [
        Firing((one.labels["alertname"], one.labels["service_name"]), "", one.starts_at, one.starts_at + HOUR)
        for _, one in past
    ]
    alerts = [one for _, one in later]

    def whole(correlator: Correlator) -> int:
        found = placed(correlator, *alerts)
        seen: dict[str, set[str | None]] = {}
        for truth, one in later:
            seen.setdefault(truth, set()).add(found[one.key].group)
        return sum(len(some) == 1 and None not in some for some in seen.values())

    learnt = learn(firings)
    with_past, without = whole(Correlator(topology(), NOBODY, (), learnt)), whole(Correlator(topology(), NOBODY))
    assert with_past > without + 10, f"{with_past} of 20 found whole, {without} without the past"


def test_what_the_past_teaches_keeps_the_grouping_independent_of_order() -> None:
    alerts = [one for _, one in cascades(6)]
    learnt = learn(
        Firing((one.labels["alertname"], one.labels["service_name"]), "", one.starts_at, one.starts_at + HOUR)
        for one in alerts
    )
    expected = {key: one.group for key, one in placed(Correlator(topology(), NOBODY, (), learnt), *alerts).items()}
    for seed in range(20):
        dice, correlator = random.Random(seed), Correlator(topology(), NOBODY, (), learnt)
        got: dict[str, str | None] = {}
        for one in dice.sample(alerts, len(alerts)):
            correlator.add(one)
            if dice.random() < 0.2:
                got.update((p.key, p.group) for p in correlator.flush(close=dice.random() < 0.5))
        got.update((p.key, p.group) for p in correlator.flush(close=True))
        assert got == expected
