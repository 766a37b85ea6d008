"""What the law finds of a chain of responsibility: an empty seat, an officer who was away.

Owns no rule. Invariant: what was never recorded is no finding; every finding has its article.
"""

from collections.abc import Iterator
from typing import NamedTuple, get_args

from domain.case import Finding
from domain.law import Rules
from domain.rules import Breach, eligibility
from projections.accountability import Answer, Gap, Line
from projections.charges import Capacity

_TIERS = frozenset(get_args(Capacity))


class Unfilled(NamedTuple):
    """A seat of the chain, and the rule that is not met there."""

    capacity: Capacity
    unit: str | None
    seat: str
    finding: Finding


def of_answer(answer: Answer, rules: Rules) -> Iterator[Unfilled]:
    """What the law of the using unit finds of one day's answer."""
    for line in answer.lines:
        if line.status == "vacant":
            yield from _found(line, _empty(line, rules))
        if line.capacity == "supervisor" and any(h.state != "in-post" for h in line.holders):
            yield from _found(line, eligibility(rules.find("supervising-officer-present"), ()))


def of_gap(gap: Gap, rules: Rules) -> Finding | None:
    """What the law finds of a vacancy, on its first day."""
    return next((found.finding for found in _found(gap, _empty(gap, rules))), None)


def _empty(seat: Line | Gap, rules: Rules) -> Breach | None:
    return eligibility(rules.find("chain-filled"), _TIERS - {seat.capacity})


def _found(seat: Line | Gap, breach: Breach | None) -> Iterator[Unfilled]:
    if breach is not None:
        yield Unfilled(seat.capacity, seat.unit, seat.seat, Finding.of(breach))
