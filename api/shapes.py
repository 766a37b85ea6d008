"""What questions answer with, as plain objects.

Owns the turn from named tuples to objects, and the opening of private values. Invariant: a
half-open end is given its last day too (至…止), and an open one is None.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from api.settings import Bureau
from domain.bitemporal import OPEN, last_day
from domain.ledger.vault import is_sealed, sealed_owners

_REPEATING = {"who", "named"}
"""Properties that only say again what the fields say."""


def opened(bureau: Bureau, stated: dict[str, Any], data: Any) -> dict[str, Any]:
    """The answer with its pair, its private values open, but for those of other classes than the
    bureau is seen with, and who complained of whoever asks: they read {"withheld": true}.
    """
    if bureau.classes is not None:
        data = _veiled(data, bureau.classes, bureau.own)
    bureau.ledger.hold(sealed_owners(data))
    return {"as_of": stated, "data": bureau.ledger.vault.reveal(data)}


def _veiled(value: Any, classes: frozenset[str], own: frozenset[str]) -> Any:
    if is_sealed(value):
        told_of_him = value["k"] == "complainant" and value["o"] in own
        return value if value["k"] in classes and not told_of_him else {"withheld": True}
    if isinstance(value, dict):
        return {name: _veiled(inner, classes, own) for name, inner in value.items()}
    return [_veiled(inner, classes, own) for inner in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Named tuples as objects, with what they tell beside their fields."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        told = {name: plain(getattr(value, name)) for name in value._fields}
        for name, what in vars(type(value)).items():
            if isinstance(what, property) and name not in _REPEATING:
                told[name] = plain(getattr(value, name))
        for name in ("until", "end"):
            if isinstance(day := getattr(value, name, None), date):
                told["last_day"] = last_day(day)
        return told
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if value == OPEN else value


def people_in(value: Any) -> Iterator[str]:
    """The ids of everyone who is named in an answer."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("person", "officer", "same_as") and isinstance(inner, str):
                yield inner
            else:
                yield from people_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from people_in(inner)
