"""Promises with a term: which act must follow which other, under which clock rule of the law.

Owns the declaration. Invariant: a promise names no number of days and no article; both are the
rule's, so a place whose law has no such rule has no such promise.
"""

from collections.abc import Mapping
from typing import NamedTuple

from domain.events import REGISTRY


class Due(NamedTuple):
    """Declared on the event that keeps the promise, as `due: ClassVar[Due] = Due(…)`.

    `after`: names of the event types that start the time. `on`: the field, of one name in both
    events, that says which start is meant (a plan, a person, an injury). `rule`: id of a clock
    rule. `start`: the date field of the starting event on which the time starts (no promise where
    it is empty); `met`: the date field of the keeping event with the day it was kept. Either is
    the act's effective day where none is named, or where `met` is empty.
    """

    after: tuple[str, ...]
    on: str
    rule: str
    start: str | None = None
    met: str | None = None


def declared() -> Mapping[Due, tuple[str, ...]]:
    """Every promise and the names of the event types that keep it."""
    found: dict[Due, tuple[str, ...]] = {}
    for name in sorted(REGISTRY):
        due = getattr(REGISTRY[name], "due", None)
        if due is not None:
            found[due] = (*found.get(due, ()), name)
    return found
