"""A mapping proposed for a file that no mapping knows: from its headings and what stands below.

Owns the guess. Invariant: a guess is made of what mappings say already; every heading of the file
is in the proposal with a confidence and why, and nothing is entered by it.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from api.intake.blocks import headed_by
from api.intake.columns import Column
from api.intake.guessing_blocks import GivenOnce, given_once
from api.intake.kinds import UnitNames, read_as
from api.intake.mapping import Act, Numbering, Sheet, Unit, load_mapping, names
from api.intake.mapping import Mapping as FileMapping
from api.intake.originals import letters
from api.intake.reading import Row, Table, read
from api.intake.values import Cell, UnreadableError, folded, heading_of
from domain.refusals import BadInput, MissingField

SAMPLES = 200
DECIDED, EXACT, KNOWN, ALIKE, BY_VALUE, CONTESTED = 2.0, 1.0, 0.9, 0.6, 0.5, 0.4
"""Confidence in a heading: the clerk's word (before whatever else claims the column; told as 1),
a heading of the mapping itself, one of a list, one that resembles it, none; one of several that are
as good.
"""
_ENOUGH = 0.8  # of the cells are to be read so, where only they speak for a column
_TELLING = ("id-number",)  # kinds that a cell shows by itself
_NUMBER, _NUMBER_OF = "number", ("RecordOpened", "{number}")
_SET_ASIDE = "not recognised; say what it is, or why it is left out"


class Guess(NamedTuple):
    """What a heading is taken for; `columns` is empty where it is set aside. `readable`: the share
    of its cells that read so; `unread` are words without a meaning, none of a private column.
    """

    heading: str
    columns: list[str]
    confidence: float
    readable: float
    private: bool
    zh: str
    en: str
    unread: list[str]


class Proposal(NamedTuple):
    """`like`: the mapping and sheet it is made after; `lacking`: columns that must not be missing;
    `fixed`: what that mapping writes for every row, whatever the file says; `left_out`: what of the
    file was not read, in Chinese and English.
    """

    mapping: FileMapping
    like: str
    guesses: list[Guess]
    lacking: list[str]
    fixed: list[str]
    left_out: list[tuple[str, str]]

    @property
    def numbering(self) -> Numbering | None:
        """How persons are to be numbered, where the file has no numbers."""
        return self.mapping.sheet[0].numbering

    @property
    def confidence(self) -> float:
        """Of the least certain column that is taken, 0 where one is lacking."""
        taken = [guess.confidence for guess in self.guesses if guess.columns]
        return 0.0 if self.lacking else min(taken, default=0.0)


class Candidate(NamedTuple):
    """`found`: place → columns and confidence; `rivals`: place → others that could be these too.
    `once`: how the file names units for several rows at a time.
    """

    mapping: FileMapping
    sheet: Sheet
    found: dict[int, tuple[list[str], float]]
    rivals: dict[int, list[int]]
    once: GivenOnce | None = None

    @property
    def score(self) -> float:
        return sum(confidence for _, confidence in self.found.values())


def propose(
    path: Path,
    *,
    name: str,
    division: str | None = None,
    known_units: Mapping[str, str] | None = None,
    decided: Mapping[str, str] | None = None,
    tab: str | None = None,
) -> Proposal:
    """The likeliest mapping for a file, made after a packaged one, under this name.

    `known_units`: folded name → unit id; those not among them become units of the mapping where
    `division` (GB/T 2260) names their bureau. `decided`: heading → column, "" to set it aside: the
    clerk's word, which counts as certain. `tab`: the sheet to read. Raises BadInput, TooLarge.
    """
    sheets = [(mapping, sheet) for mapping in map(load_mapping, names()) for sheet in mapping.sheet]
    wanted = {h for _, sheet in sheets for h in sheet.headings} | set(_synonyms())
    said = {heading_of(heading): column for heading, column in (decided or {}).items()}
    table = read(path, wanted | {heading for heading in said if "/" in heading}, tab)
    _check_said(said, table.headings)
    rows = list(islice(table.rows, SAMPLES))
    best = max(
        (Candidate(m, s, *_matched(m, s, table, rows, said)) for m, s in sheets),
        key=lambda one: (one.score, -len(one.sheet.columns)),
    )
    if not best.found:
        raise BadInput("no mapping has these columns together", field="set",
                       zh="没有对应表同时有这些列")  # fmt: skip
    known = dict(known_units or {})
    if (once := _once(path, wanted, tab, best, table, rows, known)) is not None:
        best, table = _with_units(best, once), once.table
        rows = list(islice(table.rows, SAMPLES))
    rows += _with_new_words(best, table, rows)
    if division is None and best.mapping.unit_codes is None:
        raise MissingField("say the bureau's division (GB/T 2260)", field="division",
                           zh="请指明本局的行政区划代码(GB/T 2260)")  # fmt: skip
    units = _units(best, table, rows, known, division)
    return _proposal(best, table, rows, units, name, division, known)


def _once(
    path: Path, wanted: Collection[str], tab: str | None, best: "Candidate", table: Table,
    rows: Sequence[Row], known: Mapping[str, str],
) -> GivenOnce | None:  # fmt: skip
    """Where a column of units is lacking or has gaps, how they are given."""
    column = _unit_column(best.sheet)
    if column is None:
        return None
    at = next((at for at, (columns, _) in best.found.items() if column in columns), None)
    if at is None:
        heading = heading_of(best.sheet.columns[column].heading[0])
        if heading in table.headings:
            return None
    elif all(at < len(row.cells) and folded(row.cells[at]) for row in rows):
        return None
    else:
        heading = table.headings[at]
    return given_once(path, wanted, tab, heading, known)


def _unit_column(sheet: Sheet) -> str | None:
    return next((name for name, column in sheet.columns.items()
                 if column.kind == "unit" and column.blank == "reject"), None)  # fmt: skip


def _with_units(best: "Candidate", once: GivenOnce) -> "Candidate":
    lacking = [column for column in (_unit_column(best.sheet),) if column]
    columns, sure = best.found.get(once.at, (lacking, DECIDED))
    found = {**best.found, once.at: (columns, min(sure, once.confidence))}
    return best._replace(found=found, once=once)


def _check_said(said: Mapping[str, str], headings: Sequence[str]) -> None:
    """Raises BadInput for a heading that is not there, or that more than one column has."""
    for heading, column in sorted(said.items()):
        if heading not in headings:
            grouped = [one for one in headings if one.endswith(f"/{heading}")]
            raise BadInput(
                f"the file has no heading {heading}" + "".join(f"; there is {g}" for g in grouped),
                zh=f"文件没有列“{heading}”" + "".join(f";有“{g}”" for g in grouped), field="set",
            )  # fmt: skip
        if column and headings.count(heading) > 1:
            raise BadInput(
                f"several columns are headed {heading}; rename them in the file, or say the group "
                f"above: GROUP/{heading}", field="set",
                zh=f"有几列都叫“{heading}”;请在表中改名,或连同上一行的名称写作“组名/{heading}”",
            )  # fmt: skip


def _with_new_words(best: "Candidate", table: Table, rows: Sequence[Row]) -> list[Row]:
    """Of the rows beyond the sample those with a unit or a listed word that none before had."""
    places = [
        at for at, (columns, _) in best.found.items()
        if any(best.sheet.columns[c].kind == "unit" or best.sheet.columns[c].values is not None
               for c in columns)
    ]  # fmt: skip

    def words(row: Row) -> set[tuple[int, str]]:
        return {(at, folded(row.cells[at])) for at in places if at < len(row.cells)}

    seen = {word for row in rows for word in words(row)}
    new = []
    for row in table.rows:
        if not (found := words(row)) <= seen:
            seen |= found
            new.append(row)
    return new


@cache
def _synonyms() -> dict[str, str]:
    """Heading → column of a roster."""
    text = (files("api.intake") / "headings.toml").read_text("utf-8")
    return {heading_of(h): c for c, headings in tomllib.loads(text).items() for h in headings}


def _matched(
    mapping: FileMapping,
    sheet: Sheet,
    table: Table,
    rows: Sequence[Row],
    decided: Mapping[str, str],
) -> tuple[dict[int, tuple[list[str], float]], dict[int, list[int]]]:
    """Place → the columns read from it and the confidence in its heading; a column is used once.
    Beside it the places that are left though their headings are as good.
    """
    if not {column for column in decided.values() if column} <= sheet.columns.keys():
        return {}, {}
    found: dict[int, tuple[list[str], float]] = {}
    taken: set[str] = set()
    ways = sorted(_ways(mapping, sheet, table, rows, decided), key=_first_best)
    for confidence, at, columns in ways:
        if at not in found and taken.isdisjoint(columns):
            found[at] = (columns, confidence)
            taken |= set(columns)
    rivals: dict[int, list[int]] = {}
    for confidence, other, columns in ways:
        for at, (own, sure) in found.items():
            as_good = confidence >= min(sure, KNOWN) and sure != DECIDED
            if other not in found and own == columns and as_good:
                rivals.setdefault(at, []).append(other)
    return found, rivals


def _first_best(way: tuple[float, int, list[str]]) -> tuple[float, int]:
    return -way[0], way[1]


def _ways(
    mapping: FileMapping,
    sheet: Sheet,
    table: Table,
    rows: Sequence[Row],
    decided: Mapping[str, str],
) -> Iterator[tuple[float, int, list[str]]]:
    """How each heading could be taken."""
    own = {h: columns for h, columns in sheet.headings.items() if columns}
    units = UnitNames(mapping, {})
    together = {column: columns for columns in own.values() for column in columns}
    for at, heading in enumerate(table.headings):
        if not heading:
            continue
        if heading in decided:
            if decided[heading]:
                yield DECIDED, at, together[decided[heading]]
            continue
        if heading in own:
            yield EXACT, at, own[heading]
        elif heading not in sheet.headings:
            if (column := _synonyms().get(heading)) in together:
                yield KNOWN, at, together[column]
            alike = [c for h, c in own.items() if len(h) > 1 and (h in heading or heading in h)]
            yield from ((ALIKE, at, columns) for columns in alike if len(heading) > 1)
            for column, kind in sheet.columns.items():
                if (
                    kind.kind in _TELLING
                    and _readable(mapping, kind, units, rows, at)[0] >= _ENOUGH
                ):
                    yield BY_VALUE, at, together[column]


def _readable(
    mapping: FileMapping, column: Column, units: UnitNames, rows: Sequence[Row], at: int
) -> tuple[float, list[str]]:
    """The share of a column's filled cells that read as its kind, and the texts that do not."""
    reader = read_as(column, mapping.words(column), units, folded)
    filled = [cell for row in rows if at < len(row.cells) and folded(cell := row.cells[at])]
    unread = [cell for cell in filled if not _reads(reader, cell)]
    share = 1 - len(unread) / len(filled) if filled else 0.0
    return share, sorted({folded(cell) for cell in unread})


def _reads(reader: Any, cell: Cell) -> bool:
    try:
        return reader(cell) is not None
    except UnreadableError:
        return False


def _units(
    best: Candidate, table: Table, rows: Sequence[Row], known: dict[str, str], division: str | None
) -> list[Unit]:
    """The bureau of the division, and under it every unit named that the ledger has not."""
    if division is None or best.mapping.unit_codes is not None:
        return []
    places = [
        at for at, (columns, _) in best.found.items()
        if any(best.sheet.columns[c].kind == "unit" for c in columns)
    ]  # fmt: skip
    once = best.once
    named = dict.fromkeys(
        text if text in known or once is None or once.fill == "above" else headed_by(text)
        for row in rows for at in places if at < len(row.cells)
        for text in (folded(row.cells[at]),)
    )  # fmt: skip
    strange = [name for name in named if name and name not in known]
    there = {*known.values()}
    above: dict[str, str] = {"division" if division in there else "parent": division}
    found = [
        Unit(unit=division, name=_bureau_name(table), kind="bureau", division=division),
        *(
            Unit(unit=_moved(best.mapping, unit.unit, division), name=unit.name, kind="agency")
            for unit in best.mapping.unit if unit.kind == "agency"
        ),
        *(
            Unit(unit=f"{division}-{number:02}", name=name,
                 kind="station" if name.endswith("派出所") else "department", **above)
            for number, name in enumerate(strange, 1)
        ),
    ]  # fmt: skip
    return [unit for unit in found if unit.unit not in there]


def _moved(model: FileMapping, unit: str, division: str) -> str:
    """An id of the model's bureau as one of the division's."""
    old = next((one.unit for one in model.unit if one.kind == "bureau"), None)
    return unit.replace(old, division) if old else unit


def _bureau_name(table: Table) -> str:
    """What a title calls the bureau: the words up to 局."""
    title = table.title
    return title[: title.index("局") + 1][-30:] if "局" in title else "公安局"


def _proposal(
    best: Candidate, table: Table, rows: Sequence[Row], units: list[Unit], name: str,
    division: str | None, known: dict[str, str],
) -> Proposal:  # fmt: skip
    columns: dict[str, Column] = {}
    for at, (taken, _) in sorted(best.found.items()):
        fill = best.once.fill if best.once and best.once.at == at else None
        for column in taken:
            said = best.sheet.columns[column]
            columns[column] = said.model_copy(
                update={"heading": [table.headings[at]], "fill": fill}
            )
    lacking = [c for c, column in best.sheet.columns.items()
               if column.blank == "reject" and c not in columns]  # fmt: skip
    numbering = _numbering(best.sheet, columns, lacking)
    columns |= {c: best.sheet.columns[c] for c in lacking}
    places = {table.headings[at]: at for at in best.found}
    unused = {
        heading: best.sheet.unused.get(heading, _SET_ASIDE)
        for heading in dict.fromkeys(table.headings) if heading and heading not in places
    }  # fmt: skip
    given = columns.keys() | ({_NUMBER} if numbering else set())
    acts = [act for one in best.sheet.act if (act := _act(one, given, best.sheet)) is not None]
    sheet = best.sheet.model_copy(
        update={
            "files": ["*"], "dated": None, "columns": columns, "unused": unused, "act": acts,
            "unique": [c for c in best.sheet.unique if c in columns],
            "otherwise": [o for o in best.sheet.otherwise if o.when.keys() <= columns.keys()],
            **({"numbering": numbering, "person": None, "key": None} if numbering else {}),
        }
    )  # fmt: skip
    mapping = _made_after(best.mapping, sheet, units, name, division)
    names_of = UnitNames(mapping, known)
    guesses = [
        _guess(best, mapping, names_of, table, rows, at)
        for at, heading in enumerate(table.headings) if heading
    ]  # fmt: skip
    fixed = sorted({f"{act.event}.{field} = {text}" for act in acts
                    for field, text in act.fields.items() if "{" not in text})  # fmt: skip
    return Proposal(mapping, f"{best.mapping.name}/{best.sheet.name}", guesses, lacking, fixed,
                    [*table.left_out()])  # fmt: skip


def _numbering(sheet: Sheet, columns: Collection[str], lacking: list[str]) -> Numbering | None:
    """How to number the persons of a file that tells them apart by ID number, or name and birth
    date alone; a number is lacking then no more.
    """
    told = "id-number" in columns or {"name", "birth-date"} <= {*columns}
    if _NUMBER not in lacking or sheet.key != sheet.person or not told or _NUMBER_OF not in [
        (act.event, act.fields.get(_NUMBER)) for act in sheet.act
    ]:  # fmt: skip
        return None
    lacking.remove(_NUMBER)
    return Numbering(prefix="FJ")


def _act(act: Act, columns: Collection[str], sheet: Sheet) -> Act | None:
    """The act without what the file does not give; None where nothing can be made of it."""
    absent = {c for c in sheet.columns if c not in columns}

    def given(text: str) -> bool:
        return not any(f"{{{column}}}" in text for column in absent)

    effective = [text for text in act.effective if given(text)]
    if not effective or act.when.keys() & absent:
        return None
    fields = {name: text for name, text in act.fields.items() if given(text)}
    last_day = act.last_day if act.last_day is None or given(act.last_day) else None
    return act.model_copy(
        update={
            "effective": effective, "fields": fields, "last_day": last_day,
            "occurred": [text for text in act.occurred if given(text)],
        }
    )  # fmt: skip


def _made_after(
    model: FileMapping, sheet: Sheet, units: list[Unit], name: str, division: str | None
) -> FileMapping:
    """The model's rules for one sheet of another bureau. Raises BadInput."""
    data = model.model_dump(mode="python", exclude_defaults=True)
    data |= {
        "name": name, "version": "1", "zh": name, "en": name, "dated": None,
        "system": f"{name}-{division}" if division else name,
        "sheet": [sheet.model_dump(mode="python", exclude_defaults=True)],
    }  # fmt: skip
    if model.unit_codes is None:
        data["unit"] = [unit.model_dump(exclude_defaults=True) for unit in units]
        if division is not None:
            data["lists"] = _of_division(model, division)
    since = {c: s for c, s in model.since.items() if s == sheet.name and c in sheet.columns}
    if model.opening:
        opening = [_opened(act, model, since) for act in model.opening]
        data |= {"since": since, "opening": [act.model_dump(exclude_defaults=True)
                                             for act in opening]}  # fmt: skip
    try:
        return FileMapping.model_validate(data)
    except ValueError as fault:
        raise BadInput(
            "the file lacks columns without which no act can be made of a row", field="file",
            zh="文件缺少必要的列,不能据以登记",
        ) from fault  # fmt: skip


def _of_division(model: FileMapping, division: str) -> dict[str, dict[str, str]]:
    """The lists of a model, its own bureau's ids changed for the division's."""
    return {
        listed: {word: _moved(model, code, division) for word, code in words.items()}
        for listed, words in model.lists.items()
    }


def _opened(act: Act, model: FileMapping, since: Mapping[str, str]) -> Act:
    gone = [f"{{{column}}}" for column in model.since if column not in since]
    return act.model_copy(
        update={"fields": {n: t for n, t in act.fields.items() if t not in gone}}
    )  # fmt: skip


def _guess(
    best: Candidate, mapping: FileMapping, units: UnitNames, table: Table, rows: Sequence[Row],
    at: int,
) -> Guess:  # fmt: skip
    heading = table.headings[at]
    if at not in best.found:
        reason = best.sheet.unused.get(heading)
        if reason is not None:
            return Guess(heading, [], EXACT, 1.0, False, "同类表中不采用", "left out there too", [])
        return Guess(heading, [], 0.0, 0.0, True, "不认识,请指明", "not recognised", [])
    columns, confidence = best.found[at]
    readings = [_readable(mapping, mapping.sheet[0].columns[c], units, rows, at) for c in columns]
    share, unread = readings[0]
    private = mapping.sheet[0].columns[columns[0]].private
    zh, en = best.once.why if best.once and best.once.at == at else _WHY[confidence]
    others = best.rivals.get(at, ())
    rivals = [table.headings[other] for other in others]
    if heading in rivals:
        confidence = min(confidence, CONTESTED)
        columns_zh = "、".join(letters(one) for one in (at, *others))
        zh += f";{columns_zh} 列同名:人员左右并排的,请将右半移到左半之下,否则请改名"
        en += f"; columns {columns_zh} are headed alike: put the right half below, or rename one"
    elif rivals:
        confidence = min(confidence, CONTESTED)
        zh += f";“{'”“'.join(rivals)}”也可作此栏,请以 --set 指定"
        en += f"; {', '.join(rivals)} could be it too: say which by --set"
    return Guess(heading, columns, round(min(confidence, 1.0) * share, 2), round(share, 2),
                 private, zh, en, [] if private else unread)  # fmt: skip


_WHY = {
    DECIDED: ("由您指定", "as you said"),
    EXACT: ("同类表用此列名", "a heading of that mapping"),
    KNOWN: ("常用列名", "a usual heading"),
    ALIKE: ("列名相近", "a heading alike"),
    BY_VALUE: ("据单元格内容", "by what stands in it"),
}
