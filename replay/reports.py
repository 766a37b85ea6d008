"""Rosters, headcounts and unit trees replayed from a bundle, and files of them held against that.

Owns which reports can be compared and how a row differs; it travels inside the checker of an
evidence bundle and needs Python alone. Invariant: a file agrees where it has the rows that the
entries give, cell by cell, and no others, in whatever order; what was not compared is said.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from replay.findings import Kind, Told
from replay.refold import FOLD, Held
from replay.replayed import STATED, Replays
from replay.sheets import Paper, paper_of

ASKED = {"unit", "below", "grade", "post", "category", "by"}
MOST_NAMED = 20
_OF_PERSONS = {
    "number": ("number", "number"), "name": ("name", "name"),
    "id_number": ("id-number", "id_number"), "category": ("category", "category"),
    "grade": ("grade", "grade"), "ladder": ("grade", "ladder"), "post": ("post", "post"),
    "unit": ("unit", "unit"), "host": ("host", "unit"), "service": ("service", "state"),
}  # fmt: skip
_OF_UNITS = {
    "name": ("unit-name", "name"), "state": ("unit-state", "state"),
    "parent": ("unit-parent", "parent"),
}  # fmt: skip
"""Column → the facet and the field of its value that say it."""
_PRIVATE = ("name", "id_number")
_AT_BUREAU = timezone(timedelta(hours=8))

Line = dict[str, Any]


class NoSuchUnit(ValueError):
    """A report is of a unit of which nothing is recorded on its day."""


class _Made:
    """What the entries give as of one pair."""

    def __init__(self, replays: Replays, effective: str, recorded: int) -> None:
        self._replays, self._effective, self._recorded = replays, effective, recorded
        of_units = replays.units(effective, recorded, _facets(_OF_UNITS))
        self._units = {
            unit: {"unit": unit, **_values(held, _OF_UNITS)} for unit, held in of_units.items()
        }

    def roster(self, asked: Mapping[str, Any]) -> Iterator[Line]:
        within = self._within(asked)
        facets = _facets(_OF_PERSONS)
        for person, held in self._replays.everybody(self._effective, self._recorded, facets):
            line = {"person": person, **_values(held, _OF_PERSONS)}
            if line.pop("service") != "in":
                continue
            line["hired_on"] = held["service"].effective
            line["since"] = held["unit"].effective if line["unit"] else None
            line["unit_name"] = self._units.get(line["unit"] or "", {}).get("name")
            here = within is None or line["unit"] in within or line["host"] in within
            if here and all(asked.get(n) in (None, line[n]) for n in ("grade", "post", "category")):
                yield line

    def headcount(self, asked: Mapping[str, Any]) -> Iterator[Line]:
        by = asked["by"]
        counts = Counter(line[by] for line in self.roster({**asked, "by": None}))
        for key, count in counts.items():
            name = self._units.get(key or "", {}).get("name") if by == "unit" else None
            yield {"by": by, "key": key, "name": name, "count": count}

    def units(self, _: Mapping[str, Any]) -> Iterator[Line]:
        yield from (unit for unit in self._units.values() if unit["state"] is not None)

    def _within(self, asked: Mapping[str, Any]) -> set[str] | None:
        unit = asked.get("unit")
        if unit is None:
            return None
        if self._units.get(unit, {}).get("state") is None:
            raise NoSuchUnit(unit)
        found, waiting = {unit}, [unit] if asked.get("below", True) else []
        while waiting:
            above = waiting.pop()
            new = {u for u, said in self._units.items() if said["parent"] == above} - found
            found |= new
            waiting += new
        return found


COMPARED: Mapping[str, tuple[Callable[[_Made, Mapping[str, Any]], Iterable[Line]], Sequence[str]]]
COMPARED = {
    "roster": (_Made.roster, ("person", "number")),
    "headcount": (_Made.headcount, ("key",)),
    "units": (_Made.units, ("unit",)),
}
"""By its name: its rows, and the columns by one of which a row is found."""


def compare_file(
    told: Told, replays: Replays, vocabulary: Mapping[str, Any], path: Path, columns: Path | None
) -> None:
    """Hold a file of a report against what the entries give. `columns`: the layout under whose
    headings it was written.
    """
    try:
        paper = paper_of(path)
    except Exception:  # noqa: BLE001 - whatever another file does to a parser is a finding
        told.find(
            Kind.UNREADABLE, "所给报表不能读取:不是账本导出的文件",
            "the report given cannot be read: it is no file that a ledger wrote",
        )  # fmt: skip
        return
    named = _named(vocabulary, paper)
    if named is None:
        known = "、".join(COMPARED), ", ".join(COMPARED)
        told.find(
            Kind.UNPROVED, f"报表“{paper.report}”不能由本包核对;能核对的为 {known[0]}",
            f"this bundle cannot be used to compare a report “{paper.report}”; comparable are "
            f"{known[1]}",
        )  # fmt: skip
        return
    own = {} if columns is None else tomllib.loads(columns.read_text("utf-8")).get(named, {})
    _Comparison(told, replays, vocabulary, named, paper, own.get("headings", {})).make()


def _named(vocabulary: Mapping[str, Any], paper: Paper) -> str | None:
    """The report that a file is of, where it can be compared."""
    reports = vocabulary.get("reports", {})
    said = {
        n: n if paper.language is None else r["words"][paper.language] for n, r in reports.items()
    }
    return next((name for name in COMPARED if said.get(name) == paper.report), None)


class _Comparison:
    def __init__(
        self, told: Told, replays: Replays, vocabulary: Mapping[str, Any], name: str,
        paper: Paper, own: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._told, self._replays, self._paper, self._name = told, replays, paper, name
        self._words = vocabulary["codes"]
        self._titles = vocabulary["reports"][name]["words"]
        language = paper.language
        heading = {
            column: column if language is None else own.get(column, words[language])
            for column, words in vocabulary["reports"][name]["columns"].items()
        }
        self._columns = {said: column for column, said in heading.items()}
        self._withheld = self._count = 0

    def make(self) -> None:
        stated = self._paper.as_of
        effective, recorded = stated["effective"], stated["recorded"]
        if not self._replays.reaches(recorded) or not self._at(stated):
            return
        self._show(stated)
        make, keys = COMPARED[self._name]
        there = [self._columns.get(heading) for heading in self._paper.headings]
        key = next((one for one in keys if one in there or not self._paper.rows), None)
        if key is None or len({*there} - {None}) < len([one for one in there if one]):
            self._told.find(
                Kind.UNPROVED, f"报表没有可据以逐行核对的列({'、'.join(keys)})",
                f"the report lacks a column by which its rows are found ({', '.join(keys)})",
            )  # fmt: skip
            return
        try:
            lines = [*make(_Made(self._replays, effective, recorded), self._paper.asked)]
        except NoSuchUnit as none:
            self._wrong(f"所称单位 {none} 当日无登记", f"it is of a unit {none}, of which nothing "
                        "is recorded that day")  # fmt: skip
            return
        self._rows(lines, key, there)
        if self._count == 0:
            self._agrees(effective, recorded, [h for h in self._paper.headings
                                               if h not in self._columns])  # fmt: skip

    def _show(self, stated: Mapping[str, Any]) -> None:
        """What the file shows beside its rows, or says of itself that no report says."""
        for zh, en in self._paper.odd:
            self._wrong(zh, en)
        asked = sorted(self._paper.asked.keys() - ASKED)
        for name in (*asked, *sorted(stated.keys() - STATED)):
            self._wrong(f"不应有“{name}”", f"no report says “{name}” of itself")

    def _at(self, stated: Mapping[str, Any]) -> bool:
        """Whether the position was recorded when the file says so, under this fold."""
        if stated.get("fold", FOLD) != FOLD:
            self._told.find(
                Kind.UNPROVED, "所给报表由另一版本的折算规则得出",
                "the report given was made under another version of the fold",
            )  # fmt: skip
            return False
        lies = self._replays.recorded_at(stated["recorded"])
        if lies is None:
            return True
        if self._paper.language is None:
            right = datetime.fromisoformat(stated["recorded_at"]) == lies
        else:
            right = stated["recorded_at"] == f"{lies.astimezone(_AT_BUREAU):%Y-%m-%d %H:%M:%S}"
        if not right:
            self._wrong(
                f"第 {stated['recorded']} 条登记并非登记于所称的 {stated['recorded_at']}",
                f"entry {stated['recorded']} was not recorded at {stated['recorded_at']}",
            )
        return right

    def _rows(self, lines: Sequence[Line], key: str, there: Sequence[str | None]) -> None:
        cells = {one: self._cells(one, lines) for one in there if one is not None}
        waiting: dict[str, list[int]] = {}
        for n, line in enumerate(lines):
            waiting.setdefault(_key_text(line[key]), []).append(n)
        texts = {text: code for code, text in self._shown(key, lines).items()}
        for at, row in self._paper.rows:
            said = row[there.index(key)]
            code = said if self._paper.language is None else texts.get(said, said)
            found = waiting.get(_key_text(code or None), [])
            if not found:
                self._wrong(
                    f"第 {at} 行({_key_text(said)})按登记不应在表中",
                    f"its row {at} ({_key_text(said)}) is not in what the entries give",
                )
                continue
            line = lines[found.pop(0)]
            for heading, column, cell in zip(self._paper.headings, there, row, strict=True):
                if column is not None:
                    self._cell(at, said, heading, column, cell, line[column], cells[column])
        for code, left in waiting.items():
            for _ in left:
                self._wrong(f"缺 {code} 一行", f"it lacks the row of {code}")

    def _cell(
        self, at: int, key: Any, heading: str, column: str, said: Any, value: Any,
        cells: Mapping[str, str],
    ) -> None:  # fmt: skip
        if isinstance(value, dict):
            self._withheld += 1
            return
        if self._paper.language is None:
            same, given = type(said) is type(value) and said == value, value
        else:
            given = "" if value is None else cells.get(value, str(value))
            same = said in (given, str(value)) if value is not None else said == ""
        if same:
            return
        stated, right = _text_of(said), _text_of(given)
        zh = f"表中为“{stated}”,按登记为“{right}”"
        en = f"it says “{stated}”, the entries give “{right}”"
        if column in _PRIVATE:
            zh, en = "与登记不符", "it is not what the entries give"
        where = f"第 {at} 行({_key_text(key)})“{heading}”列:{zh}"
        self._wrong(where, f"row {at} ({_key_text(key)}), column “{heading}”: {en}")

    def _cells(self, column: str, lines: Iterable[Line]) -> dict[str, str]:
        return self._shown(column, lines) if self._paper.language is not None else {}

    def _shown(self, column: str, lines: Iterable[Line]) -> dict[str, str]:
        """Code → what stands for it in a sheet; a word that two codes share stands for neither."""
        language = self._paper.language or 0
        codes = {line[column] for line in lines if isinstance(line[column], str)}
        of = {**self._words.get("", {}), **self._words.get(column, {})}
        said = {code: of[code][language] if code in of else code for code in codes}
        times = Counter(said.values())
        return {code: word if times[word] == 1 else code for code, word in said.items()}

    def _wrong(self, zh: str, en: str) -> None:
        self._count += 1
        if self._count <= MOST_NAMED:
            zh, en = f"所给报表与登记重放所得不符:{zh}", f"the report given: {en}"
            self._told.find(Kind.REPORT, zh, en)
        elif self._count == MOST_NAMED + 1:
            self._told.find(
                Kind.REPORT, f"所给报表另有不符之处,只列出前 {MOST_NAMED} 处",
                f"the report given: there are more differences; the first {MOST_NAMED} are named",
            )  # fmt: skip

    def _agrees(self, effective: str, recorded: int, unknown: Sequence[str]) -> None:
        zh, en = self._titles
        rows, withheld = len(self._paper.rows), self._withheld
        zh = f"所给报表“{zh}”({rows} 行,生效 {effective},位置 {recorded})与登记重放所得一致"
        en = f"the report given, “{en}” ({rows} rows, effective {effective}, position {recorded}),"
        en += " is what the entries give"
        if withheld:
            zh += f",未披露的 {withheld} 项未能比对"
            en += f", but for {withheld} not disclosed"
        zh += f",所称查阅日志 {self._paper.read} 未比对"
        en += f"; that it is read {self._paper.read} is not compared"
        if unknown:
            zh += f",未比对的列:{'、'.join(unknown)}"
            en += f"; columns not compared: {', '.join(unknown)}"
        self._told.say(zh, en)


def _key_text(key: Any) -> str:
    return "—" if key == "" else _text_of(key)


def _text_of(value: Any) -> str:
    if value is None:
        return "—"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _facets(columns: Mapping[str, tuple[str, str]]) -> set[str]:
    return {facet for facet, _ in columns.values()}


def _values(held: Mapping[str, Held], columns: Mapping[str, tuple[str, str]]) -> Line:
    return {
        column: (held[facet].value or {}).get(field) if facet in held else None
        for column, (facet, field) in columns.items()
    }
