"""Which unit a name means, as the ledger has them.

Owns that. Invariant: a name that several units have had means none of them, and is answered with
all of them.
"""

from collections import defaultdict
from difflib import get_close_matches

from api.intake.values import folded
from domain.ledger import Ledger
from domain.refusals import BadInput

_NAMING = ("UnitEstablished", "UnitRenamed")


def unit_names(ledger: Ledger) -> dict[str, list[str]]:
    """Folded id, name or short name → the units that have, or had, it."""
    names: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for entry in ledger.entries(types=_NAMING):
        for field in ("unit", "name", "short_name"):
            if name := folded(entry.fields.get(field)):
                names[name][entry.fields["unit"]] = None
    return {name: [*units] for name, units in names.items()}


def unit_named(ledger: Ledger, said: str, field: str) -> str:
    """The id of the unit that is named; an id, or what could be one, stays as it is. Raises
    BadInput, with those that it could be.
    """
    names, name = unit_names(ledger), folded(said)
    units = names.get(name, [])
    if len(units) == 1:
        return units[0]
    if not units and said.isascii():
        return said
    if units:
        raise BadInput(
            f"several units are named {name}: {', '.join(units)}; give the id",
            zh=f"有几个单位叫“{name}”:{'、'.join(units)};请写标识", field=field,
        )  # fmt: skip
    near = [f"{one}({names[one][0]})" for one in get_close_matches(name, names, 3)]
    raise BadInput(
        f"the ledger has no unit {name}" + (f"; {', '.join(near)}?" if near else ""),
        zh=f"账本中没有单位“{name}”" + (f",是否指 {'、'.join(near)}?" if near else ""), field=field,
    )  # fmt: skip
