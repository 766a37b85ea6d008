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
    """An act of a scene: so many steps after its day, of its officer or of the next one, of its
    unit or, `turned`, of the other.
    """

    kind: str
    later: int = 0
    officer: int = 0
    pick: int = 0
    turned: bool = False


class Staged(NamedTuple):
    kind: str
    cast: Cast
    day: int


SCENES: dict[str, tuple[Part, ...]] = {
    # one deputy answers for a post, another for a person who is in it
    "rivals": (
        Part("posted"), Part("appointed"), Part("appointed", officer=1), Part("deputy-head"),
        Part("deputy-head", officer=1), Part("portfolio", pick=1),
        Part("portfolio", officer=1, pick=4),
    ),
    # the ending of one of two, for a correction to make it that of the other
    "ended": (Part("rewarded"), Part("revoked", 1), Part("rewarded", pick=1)),
    # whoever led before the leaving leads no more after the return
    "returns": (Part("appointed"), Part("led"), Part("resigned", 1), Part("rehired", 2)),
    # on a later day the one already is below the other
    "round": (Part("moved", 1), Part("moved", turned=True)),
}  # fmt: skip


def staged(
    scene: Scene, person: str, units: tuple[str, str], officers: Sequence[str]
) -> Iterator[Staged]:
    """The acts of a scene about a person in the first of two units."""
    for part in SCENES[scene.name]:
        officer = officers[(scene.officer + part.officer) % len(officers)]
        unit, other = reversed(units) if part.turned else units
        cast = Cast(person, unit, officer, other, person, part.pick)
        yield Staged(part.kind, cast, scene.day + scene.later * part.later)
