"""Files of reports held against what the entries of a bundle give.

Owns how a row differs; it travels inside the checker and needs Python alone. Invariant: a file
agrees where it has the rows that the entries give, cell by cell, and no others, in whatever order;
what was not compared is said, and no private value is ever told.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from replay.cells import Speech, fits, secrets, veiled
from replay.comparable import COMPARED, Report
from replay.findings import Kind, Told
from replay.lines import AT_BUREAU, Basis, Both, Line, NoSuchUnit
from replay.refold import FOLD
from replay.replayed import STATED, Replays
from replay.sheets import Paper, paper_of

MOST_NAMED = 20
_PRIVATE = {"name", "id_number", "auxiliary"}
"""Columns of which nothing is told, whatever is in them."""

Unlike = tuple[str, str, Any, Any]
"""Heading, column, what stands there, the value that the entries give."""
Extra = tuple[int, str, Any, Sequence[Any]]
"""Where a row stands that no line is found for, its key, its facet, its cells."""


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
        self._told, self._replays, self._paper = told, replays, paper
        self._report: Report = COMPARED[name]
        self._titles = vocabulary["reports"][name]["words"]
        self._codes = vocabulary["reports"][name].get("codes", {})
        language = paper.language
        self._speech = None if language is None else Speech(vocabulary, language)
        heading = {
            column: column if language is None else own.get(column, words[language])
            for column, words in vocabulary["reports"][name]["columns"].items()
        }
        self._columns = {said: column for column, said in heading.items()}
        self._there = [self._columns.get(heading) for heading in paper.headings]
        self._shown: dict[str, dict[str, str]] = {}
        self._withheld = self._count = 0

    def make(self) -> None:
        stated = self._paper.as_of
        effective, recorded = stated["effective"], stated["recorded"]
        if not self._says_of_what() or not self._reaches(recorded) or not self._at(stated):
            return
        self._show(stated)
        there, keys = self._there, self._report.keys
        fit = (one for one in keys if {*one} <= {*there} or not self._paper.rows)
        key = next(fit, None)
        if key is None or len({*there} - {None}) < len([one for one in there if one]):
            columns = [" ".join(one) for one in keys]
            self._told.find(
                Kind.UNPROVED, f"报表没有可据以逐行核对的列({'、'.join(columns)})",
                f"the report lacks a column by which its rows are found ({', '.join(columns)})",
            )  # fmt: skip
            return
        try:
            basis = Basis(self._replays, effective, recorded)
            lines = [*self._report.lines(basis, self._paper.asked)]
        except NoSuchUnit as none:
            self._wrong(f"所称单位 {none} 当日无登记", f"it is of a unit {none}, of which nothing "
                        "is recorded that day")  # fmt: skip
            return
        self._rows(lines, key)
        if self._count == 0:
            self._agrees(effective, recorded)

    def _says_of_what(self) -> bool:
        asked, of, maybe = self._paper.asked, self._report.of, self._report.maybe
        lacking = [name for name in of if name not in asked]
        if maybe and not asked and not lacking:
            lacking = [*maybe]
        if lacking:
            self._told.find(
                Kind.UNPROVED, f"所给报表未写明范围({'、'.join(lacking)}),不能核对",
                f"the report given does not say of what it is ({', '.join(lacking)})",
            )  # fmt: skip
        return not lacking

    def _reaches(self, recorded: int) -> bool:
        if self._report.alone:
            return self._replays.tells_of(self._paper.asked["person"], recorded)
        return self._replays.reaches(
            max(recorded, int(self._paper.asked.get("before_recorded", 0)))
        )

    def _show(self, stated: Mapping[str, Any]) -> None:
        """What the file shows beside its rows, or says of itself that no report says."""
        for zh, en in self._paper.odd:
            self._wrong(zh, en)
        asked = sorted(self._paper.asked.keys() - {*self._report.of, *self._report.maybe})
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
            right = stated["recorded_at"] == f"{lies.astimezone(AT_BUREAU):%Y-%m-%d %H:%M:%S}"
        if not right:
            self._wrong(
                f"第 {stated['recorded']} 条登记并非登记于所称的 {stated['recorded_at']}",
                f"entry {stated['recorded']} was not recorded at {stated['recorded_at']}",
            )
        return right

    def _rows(self, lines: Sequence[Line], key: Sequence[str]) -> None:
        """Each row beside the line that it is, else beside the one of its key most like it."""
        if self._speech is not None:
            wanted = dict.fromkeys([*key, *(one for one in self._there if one is not None)])
            of = {one: self._codes.get(one, one) for one in wanted}
            self._shown = {one: self._speech.cells(one, lines, of[one]) for one in wanted}
        texts = {one: {t: code for code, t in self._shown.get(one, {}).items()} for one in key}
        waiting: dict[str, list[Line]] = {}
        for line in lines:
            waiting.setdefault(_keys_text([line.get(one) for one in key]), []).append(line)
        rest = []
        for at, row in self._paper.rows:
            said = [row[self._there.index(one)] for one in key]
            pairs = zip(key, said, strict=True)
            codes = [None if s == "" else texts[one].get(s, s) for one, s in pairs]
            found = waiting.get(_keys_text(codes), [])
            same = next((line for line in found if not self._unlike(row, line)[0]), None)
            if same is None:
                rest.append((at, row, said, codes))
            else:
                found.remove(same)
                self._withheld += self._unlike(row, same)[1]
        extra: list[Extra] = []
        for at, row, said, codes in rest:
            if found := waiting.get(_keys_text(codes), []):
                line = min(found, key=lambda one: len(self._unlike(row, one)[0]))
                found.remove(line)
                for unlike in self._unlike(row, line)[0]:
                    self._differs(at, _keys_text(said), unlike)
            else:
                facet = dict(zip(key, codes, strict=True)).get("facet")
                extra.append((at, _keys_text(said), facet, row))
        self._apart(extra, [(code, line) for code, left in waiting.items() for line in left])

    def _apart(self, extra: Sequence[Extra], lacking: Sequence[tuple[str, Line]]) -> None:
        """Rows of which there is no line, and lines of which there is no row."""
        cased = {facet for *_, facet, row in extra if self._kept_from(row)}
        cased |= {line.get("facet") for _, line in lacking if _of_case(line)}
        cased.discard(None)
        pairs = self._pairs(extra, lacking)
        for n, (at, key, facet, row) in enumerate(extra):
            if n in pairs:
                self._differs(at, key, self._unlike(row, lacking[pairs[n]][1])[0][0])
            else:
                self._extra(at, key, row, cased=facet in cased)
        for n, (key, line) in enumerate(lacking):
            if n not in pairs.values():
                self._lacks(key, line, cased=line.get("facet") in cased)

    def _pairs(self, extra: Sequence[Extra], lacking: Sequence[tuple[str, Line]]) -> dict[int, int]:
        """Where it is plain which line a row is: it differs in one cell, and from no other so."""
        if max(len(extra), len(lacking)) > MOST_NAMED:
            return {}
        open_ = [m for m, (_, line) in enumerate(lacking) if not _of_case(line)]
        near = {
            n: [m for m in open_ if len(self._unlike(row, lacking[m][1])[0]) == 1]
            for n, (*_, row) in enumerate(extra)
            if not self._kept_from(row)
        }
        times = Counter(m for found in near.values() for m in found)
        return {n: one[0] for n, one in near.items() if len(one) == 1 and times[one[0]] == 1}

    def _unlike(self, row: Sequence[Any], line: Line) -> tuple[list[Unlike], int]:
        """The cells of a row that do not say what a line gives; how many cannot be told."""
        found, hidden = [], 0
        for heading, column, said in zip(self._paper.headings, self._there, row, strict=True):
            if column is None:
                continue
            value = line.get(column)
            withheld = [one for one in secrets(value) if not one.known]
            if self._speech is None:
                withheld = []
                same = fits(said, value, withheld)
            else:
                same = bool(withheld) or said in self._speech.texts(value, self._shown[column])
                if same and secrets(value) and said in self._speech.texts(veiled(value), {}):
                    withheld = secrets(value)
            hidden += bool(withheld)
            if not same:
                found.append((heading, column, said, value))
        return found, hidden

    def _differs(self, at: int, key: str, unlike: Unlike) -> None:
        heading, column, said, value = unlike
        zh, en = "与登记不符", "it is not what the entries give"
        if not (column in _PRIVATE or secrets(value) or (column == "value" and value is None)):
            stated, right = _text_of(said), (value, value)
            if isinstance(value, Both):
                right = value.zh, value.en
            elif self._speech is not None:
                right = (next(iter(self._speech.texts(value, self._shown[column]))),) * 2
            zh = f"表中为“{stated}”,按登记为“{_text_of(right[0])}”"
            en = f"it says “{stated}”, the entries give “{_text_of(right[1])}”"
        where = f"第 {at} 行({key})“{heading}”列:{zh}"
        self._wrong(where, f"row {at} ({key}), column “{heading}”: {en}")

    def _kept_from(self, row: Sequence[Any]) -> str | None:
        """The entry that a row is of, where the bundle withholds that."""
        cells = zip(self._there, row, strict=True)
        of = next((str(c) for column, c in cells if column in ("position", "entry", "entries")), "")
        numbers = (one for one in of.split() if one.isascii() and one.isdecimal())
        return next((one for one in numbers if self._replays.withholds(int(one))), None)

    def _extra(self, at: int, key: str, row: Sequence[Any], *, cased: bool) -> None:
        """A row that the entries do not give, as far as they are here."""
        if (position := self._kept_from(row)) is not None:
            self._told.find(
                Kind.UNPROVED, f"所给报表第 {at} 行的登记 {position} 属未公开案件,本包不能核对",
                f"row {at} of the report given is of entry {position}, which this bundle withholds",
            )  # fmt: skip
        elif cased:
            self._told.find(
                Kind.UNPROVED, f"所给报表第 {at} 行({key})与案件登记同一事项,本包不能核对",
                f"row {at} ({key}) of the report given is of a facet of which an entry of a case "
                "tells: this bundle cannot compare it",
            )  # fmt: skip
        else:
            self._wrong(
                f"第 {at} 行({key})按登记不应在表中",
                f"its row {at} ({key}) is not in what the entries give",
            )

    def _lacks(self, key: str, line: Line, *, cased: bool) -> None:
        """A line that is in no row; one of a case may have been kept from whoever took it out."""
        if _of_case(line):
            self._told.find(
                Kind.UNPROVED, f"所给报表缺案件登记 {key} 一行;取表者可否见之,本包不能证明",
                f"the report given lacks the row of {key}, an entry of a case: whether whoever "
                "took it out could see that, this bundle cannot prove",
            )  # fmt: skip
        elif cased:
            self._told.find(
                Kind.UNPROVED, f"所给报表缺 {key} 一行,与案件登记同一事项,本包不能核对",
                f"the report given lacks the row of {key}, a facet of which an entry of a case "
                "tells: this bundle cannot compare it",
            )  # fmt: skip
        else:
            self._wrong(f"缺 {key} 一行", f"it lacks the row of {key}")

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

    def _agrees(self, effective: str, recorded: int) -> None:
        zh, en = self._titles
        rows, withheld = len(self._paper.rows), self._withheld
        unknown = [h for h in self._paper.headings if h not in self._columns]
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


def _of_case(line: Line) -> bool:
    return any(tag.startswith("case:") for tag in (line.get("subjects") or "").split())


def _keys_text(keys: Sequence[Any]) -> str:
    return " ".join("—" if key == "" else _text_of(key) for key in keys)


def _text_of(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
