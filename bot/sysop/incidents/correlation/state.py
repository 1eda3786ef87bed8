"""What the engine keeps: firings, what fingerprints and places have in common, and groups."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence

from sysop.incidents.correlation.entity import Entity
from sysop.incidents.correlation.knobs import SEVERITIES
from sysop.incidents.correlation.model import Occurrence, Symptom
from sysop.incidents.correlation.rate import Clustering, History, Rate, Saved

Order = tuple[float, str]
Move = tuple["Member", "Group", "Group"]
Undo = tuple[int, Saved, Saved, tuple[float, float] | None, Sequence[Move], bool]


class Scope:
    """One environment: its firings in order of start, and how often they come."""

    __slots__ = ("history", "members", "rate", "times")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.history = History()
        self.members: list[Member] = []
        self.times = self.history.times


class Cluster:
    """One cluster: how often alerts start in it, and whether related ones come together."""

    __slots__ = ("clustering", "rate")

    def __init__(self, rate: Rate, clustering: Clustering) -> None:
        self.rate, self.clustering = rate, clustering


class Place:
    """An entity with the firings to look at when something starts there. Lists are shared between places."""

    __slots__ = ("cluster", "entity", "here", "machines", "near", "odds", "on_machine", "scope")

    def __init__(self, entity: Entity, scope: Scope, cluster: Cluster) -> None:
        self.entity, self.scope, self.cluster = entity, scope, cluster
        self.here: list[Member] | None = None
        self.on_machine: list[Member] | None = None
        self.near: tuple[list[Member], ...] = ()
        self.machines: tuple[list[Member], ...] = ()
        self.odds: dict[Place, float] = {}  # of an earlier place; negative where the topology knows nothing


class Rule:
    """An alert rule by its name. The earliest occurrence known speaks for it, so that no order of arrival matters."""

    __slots__ = ("first", "name", "words")

    def __init__(self, name: str) -> None:
        self.name = name
        self.first: Order = (math.inf, "")
        self.words: frozenset[str] = frozenset()


class Kind:
    """What all firings of one fingerprint share.

    `symptom` is the rule on its entity, `alike` its latest firings, `told` how corrections name it.
    """

    __slots__ = ("alike", "credit", "fired", "name", "place", "rank", "rule", "said", "symptom", "told")

    def __init__(self, rule: Rule, place: Place, rank: int, said: bool, credit: float, fingerprint: str) -> None:
        self.rule, self.place, self.rank, self.said, self.credit = rule, place, rank, said, credit
        self.name = name = rule.name
        entity = place.entity
        self.symptom = (name, entity.service or entity.machine or fingerprint)
        self.told: Symptom = (name, entity.name)
        self.fired: list[Member] = []
        self.alike: list[Member] = []  # shared by all kinds of one symptom

    def speaks_up(self, lone_rank: int) -> bool:
        """Tell whether it opens an incident alone. One of no known severity does: nobody said that it can wait."""
        return self.credit > 0 and (self.rank >= lone_rank or (not self.said and lone_rank < len(SEVERITIES)))


class Member:
    """One occurrence inside the engine."""

    __slots__ = (
        "alike", "belief", "gone", "group", "key", "kind", "left", "linked", "links", "loud", "order", "place",
        "repeats", "shown", "t", "trust", "undo", "wait", "weights",
    )  # fmt: skip

    def __init__(self, occurrence: Occurrence, kind: Kind) -> None:
        self.t, self.key, self.kind, self.place = occurrence.starts_at, occurrence.key, kind, kind.place
        self.order: Order = (self.t, self.key)
        self.belief = kind.credit
        self.trust = self.wait = 0.0
        self.repeats = self.linked = 0
        self.loud = self.gone = self.alike = False
        self.links: list[Member] = []
        self.weights: list[float] = []
        self.group: Group | None = None
        self.shown: str | bool | None = False  # False: nothing has been said of it yet
        self.left: str | None = None  # the founder's key of the visible group it was in before
        self.undo: Undo | None = None

    @property
    def visible(self) -> str | None:
        """Return the id of the group people see it in, None while it is held back."""
        group = self.group
        return group.id if group is not None and self.kind.credit and group.real else None


class Group:
    """Members in order of start.

    `real` tells whether people see it: with two different symptoms, or with one loud enough to stand alone. One rule
    on all replicas of one service is one symptom.
    """

    __slots__ = ("id", "loud", "members", "real", "symptoms", "times")

    def __init__(self, name: str) -> None:
        self.id = name
        self.members: list[Member] = []
        self.times: list[float] = []
        self.symptoms: dict[tuple[str, str], int] = {}
        self.loud = 0
        self.real = False

    def take(self, member: Member) -> None:
        """Add a member, which belongs to this group from now on."""
        members, symptoms, symptom = self.members, self.symptoms, member.kind.symptom
        if members and members[-1].order > member.order:
            insort(members, member, key=order_of)
            insort(self.times, member.t)
        else:
            members.append(member)
            self.times.append(member.t)
        symptoms[symptom] = symptoms.get(symptom, 0) + 1
        self.loud += member.loud
        self.real = self.loud > 0 or len(symptoms) > 1
        member.group = self

    def drop(self, member: Member) -> None:
        """Take a member out; it belongs nowhere until another group takes it."""
        if self.members[-1] is member:
            del self.members[-1], self.times[-1]
        else:
            at = bisect_left(self.members, member.order, key=order_of)
            del self.members[at], self.times[at]
        symptom = member.kind.symptom
        left = self.symptoms[symptom] - 1
        if left:
            self.symptoms[symptom] = left
        else:
            del self.symptoms[symptom]
        self.loud -= member.loud
        self.real = self.loud > 0 or len(self.symptoms) > 1
        member.group = None


def order_of(member: Member) -> Order:
    """Return the place of a member in the line: its start, then its key."""
    return member.order
