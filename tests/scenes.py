"""Situations that single acts seldom make: a few acts about the same persons, in one request."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.deeds import Cast


class Scene(NamedTuple):
    """A drawn scene; every number is taken modulo what there is to choose from."""

    name: str
    person: int
    officer: int
    day: int
    later: int


class Part(NamedTuple):
    """An act of a scene: so many steps after its day; of its first officer or the one after, and of
    the first of its units and the second, unless others are named.
    """

    kind: str
    later: int = 0
    officer: int = 0
    unit: int = 0
    other: int = 1
    seq: int = 0
    term: int = 0
    pick: int = 0


class Staged(NamedTuple):
    kind: str
    cast: Cast
    day: int
    seq: int
    term: int


SCENES: dict[str, tuple[Part, ...]] = {
    # one deputy answers for a post, another for a person who is in it
    "rivals": (
        Part("posted"), Part("appointed"), Part("appointed", officer=1), Part("deputy-head"),
        Part("deputy-head", officer=1), Part("portfolio", pick=1),
        Part("portfolio", officer=1, pick=4),
    ),
    # a deputy is to answer for a unit beside the own one
    "beside": (Part("appointed"), Part("deputy-head"), Part("portfolio", pick=2)),
    # the ending of one of two, for a correction to make it that of the other
    "ended": (Part("rewarded"), Part("revoked", 1), Part("rewarded", pick=1)),
    # whoever led before the leaving leads no more after the return
    "returns": (Part("appointed"), Part("led"), Part("resigned", 1), Part("rehired", 2)),
    # once what stands before it in its day is over, the unit would be beneath what is beneath it
    "round": (
        Part("moved", unit=1, other=0), Part("moved", other=2, seq=2, term=1), Part("moved"),
    ),
}  # fmt: skip


def staged(
    scene: Scene, person: str, units: Sequence[str], officers: Sequence[str]
) -> Iterator[Staged]:
    """The acts of a scene about a person in the first of three units."""
    for part in SCENES[scene.name]:
        officer = officers[(scene.officer + part.officer) % len(officers)]
        cast = Cast(person, units[part.unit], officer, units[part.other], person, part.pick)
        yield Staged(part.kind, cast, scene.day + scene.later * part.later, part.seq, part.term)
