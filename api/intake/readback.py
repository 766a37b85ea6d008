"""The mapping that imports an exported roster again.

Owns what such a mapping says. Invariant: it names the columns as the file does, so what was written
is read into an empty ledger as the same roster.
"""

from collections.abc import Sequence
from datetime import date

from api.exports import Made
from api.intake.columns import Column
from api.intake.mapping import Act, Mapping, Sheet, Unit
from api.settings import Bureau
from domain.acts.units import UNIT_NAME, UNIT_PARENT, UNIT_PLACE, UNIT_STATE
from domain.bitemporal import AsOf
from domain.refusals import BadInput

_KINDS = {
    "person": "code", "number": "identifier", "name": "name", "id_number": "id-number",
    "unit": "unit", "host": "unit", "hired_on": "date", "since": "date",
}  # fmt: skip
_CODED = ("category", "grade", "post", "ladder")
_FIELDS = {
    "number": "number", "category": "category", "grade": "grade", "ladder": "ladder",
    "post": "post", "unit": "unit", "hired_on": "hired_on", "unit_since": "since",
}  # fmt: skip
"""Field of RecordOpened → column of the roster."""


def reading_back(bureau: Bureau, made: Made, lang: str) -> Mapping:
    """The mapping for a roster as it is exported. Raises BadInput, field "columns"."""
    names = [field.name for field in made.fields]
    if made.report != "roster" or not {"person", "unit"} <= {*names}:
        raise BadInput("only a roster with its columns person and unit can be imported again",
                       field="columns", zh="只有含“人员”“单位”列的花名册可重新导入")  # fmt: skip
    dated = date.fromisoformat(made.as_of["effective"])
    headings = dict(zip(names, made.headings, strict=True))
    columns = {
        _column(n): _of_column(made, n, headings[n], lang) for n in names if n != "unit_name"
    }
    sheet = Sheet(
        name="roster", files=["*"], person="{who}", key="{who}", columns=columns,
        unused={headings[n]: "the unit's id says which" for n in names if n == "unit_name"},
        unique=[_column(n) for n in ("number", "id_number") if n in names],
        act=_acts({*names}),
    )  # fmt: skip
    return Mapping(
        format=1, name="roster-exported", version="1", zh="导出的花名册", en="An exported roster",
        system="roster-exported", attested_by="账本导出", dated=dated, derive_persons=False,
        unit=_units(bureau, AsOf(dated, made.as_of["recorded"])), sheet=[sheet],
    )  # fmt: skip


def _column(name: str) -> str:
    return {"person": "who"}.get(name, name.replace("_", "-"))


def _of_column(made: Made, name: str, heading: str, lang: str) -> Column:
    field = next(field for field in made.fields if field.name == name)
    values = None
    if name in _CODED:
        values = {word: code for code, word in made.words_of(field, lang).items()} | {"": ""}
    return Column.model_validate(
        {
            "heading": heading, "kind": _KINDS.get(name, "text"), "private": field.private,
            "values": values, "blank": "reject" if name == "person" else "allow",
        }
    )  # fmt: skip


def _acts(names: set[str]) -> list[Act]:
    def fields(wanted: dict[str, str]) -> dict[str, str]:
        here = {field: f"{{{_column(n)}}}" for field, n in wanted.items() if n in names}
        return {"person": "{person}"} | here

    day = ["{sheet-date}"]
    registered = fields({"name": "name", "id_number": "id_number"})
    acts = [
        Act(event="PersonRegistered", effective=day, fields=registered),
        Act(event="RecordOpened", effective=day, fields=fields(_FIELDS)),
    ]
    if "host" in names:
        acts.append(Act(event="SecondmentStarted", effective=day, when={"host": ["*"]},
                        fields=fields({"unit": "host"})))  # fmt: skip
    return acts


def _units(bureau: Bureau, pair: AsOf) -> list[Unit]:
    """The units in being, those above before those below."""
    said: dict[str, dict[str, str]] = {}
    for fact in bureau.records.everyone([UNIT_STATE, UNIT_NAME, UNIT_PARENT, UNIT_PLACE], pair):
        said.setdefault(fact.subject.partition(":")[2], {}).update(fact.value or {})
    active = {unit: facts for unit, facts in said.items() if facts.get("state") == "active"}
    ordered: list[str] = []
    for unit in sorted(active):
        ordered += [u for u in reversed(_upwards(unit, active)) if u not in ordered]
    return [
        Unit.model_validate(
            {
                "unit": unit, "name": active[unit].get("name", unit),
                "kind": active[unit].get("kind", "department"),
                "parent": parent if (parent := active[unit].get("parent")) in active else None,
                "division": active[unit].get("division"),
            }
        )
        for unit in ordered
    ]  # fmt: skip


def _upwards(unit: str, active: dict[str, dict[str, str]]) -> Sequence[str]:
    """The unit and those above it, as far as they are in being."""
    way: list[str] = []
    above: str | None = unit
    while above in active and above not in way:
        way.append(above)
        above = active[above].get("parent")
    return way
