"""What can be wrong with a row, in words that a clerk can act on.

Owns the faults of rows and the checks across the columns of one row. Invariant: no wording holds a
cell's text; a fault carries that apart, with whether it is private.

A fault rejects the row or only warns. What contradicts itself is rejected, because only the clerk
can tell which half is wrong and a record is not opened on a guess: an ID number that fails its
check character or contradicts the sex or birth date, a contract that ended before the hire, two
rows for one person. What is merely absent is loaded and not recorded (a missing hire date). What
was unlawful but may well have happened is loaded too, for auditors ask for it (hired under 18,
serving on after the contract ended).
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from api.intake.columns import Column
from api.words import NAMES
from domain.case import Finding
from domain.events import Event
from domain.refusals import Refusal
from domain.workdays import add_months

ADULT_MONTHS = 18 * 12
"""A labour contract from 16 on is lawful, but the recruitment conditions (招聘条件) ask for 18."""


NUMBERED_SINCE = 1985
"""The ordinance on identity cards (居民身份证条例): whoever was born before got a number from then
on, under the division of that day."""


class Reason(NamedTuple):
    """Why a row is rejected or doubted, and how to mend it.

    `drops`: the row is loaded without the value at fault.
    """

    rule: str
    zh: str
    en: str
    mend_zh: str = ""
    mend_en: str = ""
    rejects: bool = True
    drops: bool = False


class Fault(NamedTuple):
    """A reason, at a cell. `other` is another row that is part of it.

    `cell` is for the clerk's eyes; where it is `private` it belongs in no log, metric or message.
    """

    file: str
    row: int
    heading: str | None
    cell: str
    private: bool
    reason: Reason
    other: int | None = None

    def __repr__(self) -> str:
        return f"Fault({self.file!r}, {self.row}, {self.heading!r}, {self.reason.rule!r})"


OVERLAPPING = Reason(
    "overlapping-spell",
    "期间与另一行重叠,仍予登记;重叠之日以后开始者(同日开始的,先结束者)即本行为准",
    "its days overlap those of another row; it is entered, and on the days of both this row "
    "answers: it began later, or ended sooner where both began together",
    "如有误,改正起止日期后重新导入", "where that is wrong, mend the days and import again",
    rejects=False,
)  # fmt: skip
SEX_CONTRADICTS_ID = Reason(
    "sex-contradicts-id", "性别与身份证号不符", "the sex contradicts the ID number",
    "核对后改正其一;户籍登记确属如此的,将性别留空,建账后再登记人员信息变更",
    "correct one of them; if both are truly so, leave the sex blank and enter it afterwards",
)  # fmt: skip
BIRTH_CONTRADICTS_ID = Reason(
    "birth-contradicts-id", "出生日期与身份证号不符", "the birth date contradicts the ID number",
    "对照身份证改正其一", "correct one of them from the ID card",
)  # fmt: skip
DIVISION_NEWER = Reason(
    "division-newer-than-birth", "身份证号的区划代码启用晚于出生年份",
    "the division code of the ID number is newer than the birth year",
    "补领、迟报户口的属正常;否则对照身份证核对",
    "right for a late registration; else check it against the ID card",
    rejects=False,
)  # fmt: skip
UNDER_18 = Reason(
    "under-18-at-hire", "入职时未满18周岁", "under 18 when hired",
    "已照录;日期有误的,建账后更正", "entered as it stands; correct it if a date is wrong",
    rejects=False,
)  # fmt: skip
CONTRACT_BEFORE_HIRE = Reason(
    "contract-ends-before-hire", "合同期限早于入职时间", "the contract ends before the hire",
    "核对入职时间与合同期限,改正其一", "correct one of the two dates",
)  # fmt: skip
CONTRACT_LAPSED = Reason(
    "contract-lapsed", "合同期限早于花名册截止日期",
    "the contract ended before the date of the sheet",
    "人员已建档,合同未录;续签的请登记合同",
    "the person is entered without a contract; enter the renewal, if there was one",
    rejects=False, drops=True,
)  # fmt: skip
HIRED_LATER = Reason(
    "hire-after-sheet", "入职时间晚于花名册截止日期", "hired after the date of the sheet",
    "核对入职时间与截止日期", "check the date of hire and that of the sheet",
)  # fmt: skip
DUPLICATE = Reason(
    "duplicate", "与前面一行完全重复", "repeats an earlier row in every respect",
    "无须处理,前一行已采用", "nothing to do: the earlier row was taken",
)  # fmt: skip
CONFLICTING = Reason(
    "conflicting-duplicate", "同一人员或编号有内容不同的两行",
    "two rows for one person or number differ",
    "保留正确的一行", "keep the row that is right",
)  # fmt: skip
ENDS_FIRST = Reason(
    "ends-before-it-begins", "结束早于开始", "it ends before it begins",
    "核对起止日期", "check both dates",
)  # fmt: skip
NO_DAY = Reason(
    "blank-effective-day", "没有可作生效日的日期", "no date that could be its effective day",
    "补填日期", "supply the date",
)  # fmt: skip
NO_ACT = Reason(
    "no-act", "按对应表该行不对应任何事项", "the mapping gives no act for this row",
    "在对应表中补充条件", "add a condition to the mapping",
)  # fmt: skip
KNOWN_PERSON = Reason(
    "known-person", "账本中已有持此身份证号的人员",
    "the ledger has a person with this ID number already",
    "已建档人员的变动按事项逐项登记", "enter what has changed as acts on that record",
)  # fmt: skip
MARKED_EXAMPLE = Reason(
    "marked-example", "行首标为示例,未采用", "the row is marked as an example",
    "不是示例的,改填序号后重新导入;是示例的,删去该行",
    "if it is none, put its number there and import again; else delete it",
)  # fmt: skip
NAME_OF_ANOTHER = Reason(
    "name-of-another", "姓名与所填人员在账本中的姓名不符",
    "the name is not that of the person whom the row names",
    "核对编号与姓名后改正其一", "correct the number or the name",
)  # fmt: skip
SHORT_YEAR = Reason(
    "two-digit-year", "年份只有两位", "the year has two digits",
    "已按1950年至2049年之间读取,不是的请写全年份",
    "taken as one of 1950 to 2049; write all four where it is not", rejects=False,
)  # fmt: skip
MONTH_ONLY = Reason(
    "month-only", "日期只到月", "the date names only a month",
    "已取该月首日(期限取末日),知道日期的请补全",
    "its first day is taken (of a term, its last); supply the day if known", rejects=False,
)  # fmt: skip

BIRTH_DAY_BY_ID = Reason(
    "birth-day-from-id", "出生日期只到月,与身份证号相符",
    "the birth date names only a month, that of the ID number",
    "已按身份证号登记出生日期,无须处理",
    "the birth date is entered by the ID number; nothing to do",
    rejects=False,
)  # fmt: skip
BIRTH_MONTH_ALONE = Reason(
    "birth-month-alone", "出生日期只到月,又无身份证号",
    "the birth date names only a month, and there is no ID number",
    "已照录为未记载,查明年月日后补登", "entered as not recorded; add it when the day is known",
    rejects=False,
)  # fmt: skip
SHORTER_NUMBER = Reason(
    "shorter-number", "号码按数字存放,且短于本列其他号码,前面的0可能已丢失",
    "the number is kept as a number and is shorter than others of its column: zeros before it may "
    "be lost", "核对原件;有0的,将该列设为文本格式后写全",
    "check it; where there are zeros, make the column text and write them", rejects=False,
)  # fmt: skip


_AMBIGUOUS = {
    "ambiguous-date": (
        "1990.1 可能是1月或10月", "1990.1 may be month 1 or 10",
        "写成 1990-01 或 1990-10", "write 1990-01 or 1990-10",
    ),
    "ambiguous-serial": (
        "20183 可能是2018年3月,也可能是日期的序列数",
        "20183 may be year and month, or the serial number of a day",
        "写成 2018-03 或 2018-03-01", "write 2018-03 or 2018-03-01",
    ),
    "ambiguous-short-day": (
        "190301 可能是2019年3月1日,也可能是1903年1月", "190301 may be 2019-03-01 or 1903-01",
        "写全年份,如 2019-03-01", "write all of the year, as 2019-03-01",
    ),
}  # fmt: skip


def fill_hint(column: Column) -> tuple[str, str]:
    """What a mapping says of a column that a sheet fills in once for several rows."""
    if not (column.kind == "unit" or column.values) or column.private or column.fill == "group":
        return "", ""
    zh = ';写在各组人员上方一行的,在对应表该列写明 fill = "group"'
    en = '; where a row over each group says it, write fill = "group" in the mapping'
    if column.fill is None:
        zh += ',只写在每组第一行的,fill = "above"'
        en += ', where the first row of each group does, fill = "above"'
    return zh, en


@cache
def at_column(rule: str, column: str, heading: str, hint: tuple[str, str] = ("", "")) -> Reason:
    """What one cell may lack: something, a known name, a date that exists, a true ID number.

    `hint`: what else mends a blank one.
    """
    match rule:
        case "blank":
            return Reason(f"blank-{column}", f"{heading}为空", f"{heading} is blank",
                          f"补填{heading}{hint[0]}", f"fill in {heading}{hint[1]}")  # fmt: skip
        case "missing":
            return Reason(
                f"missing-{column}", f"{heading}未填", f"{heading} is missing",
                "已照录为未记载,查明后补登", "entered as not recorded; add it when it is known",
                rejects=False,
            )  # fmt: skip
        case "cell-in-error":
            return Reason(
                rule, f"{heading}单元格公式出错,没有值", f"{heading}: the cell's formula fails",
                "在原表中改正公式,或直接填写内容", "mend the formula, or type what is meant",
            )  # fmt: skip
        case "unknown":
            return Reason(
                f"unknown-{column}", f"{heading}不在已知之列", f"{heading} is none that is known",
                "改为已知名称,或在对应表中增补该名称或别名",
                "use a known name, or add this name or alias to the mapping",
            )  # fmt: skip
        case "unknown-person":
            return Reason(
                rule, f"{heading}:账本中找不到此人", f"{heading}: the ledger has no such person",
                "填写在用的编号、身份证号或人员标识",
                "give a number, an ID number or an id that the ledger has",
            )  # fmt: skip
        case "no-date":
            return Reason(
                rule, f"{heading}中没有日期", f"{heading} holds no date",
                "写出日期(“同上”也须写出);没有的留空,或在对应表该列的 known 中注明此字样",
                "write the date, ditto or not; where there is none leave it blank, or say so of "
                "this word under known in the mapping",
            )  # fmt: skip
        case _ if rule in _AMBIGUOUS:
            zh, en, mend_zh, mend_en = _AMBIGUOUS[rule]
            return Reason(rule, f"{heading}有歧义({zh})", f"{heading} is ambiguous: {en}",
                          mend_zh, mend_en)  # fmt: skip
    return _at_number(rule, heading) or Reason(
        rule, f"{heading}不是存在的日期", f"{heading} is not a date that exists",
        "改为存在的日期,如 2021-08-03", "write a date that exists, as 2021-08-03",
    )  # fmt: skip


def _at_number(rule: str, heading: str) -> Reason | None:
    """What may be wrong with the number of a person or of a paper."""
    match rule:
        case "id-checksum":
            return Reason(rule, "身份证号校验码不符", "the ID number fails its check character",
                          "对照身份证改正号码", "correct it from the ID card")  # fmt: skip
        case "id-malformed":
            return Reason(
                rule, "身份证号不是18位或所含出生日期不存在",
                "the ID number has not 18 characters, or no such birth date exists",
                "对照身份证改正;该列须为文本格式,否则后几位会丢失",
                "correct it from the ID card; the column must be text, or its last digits are lost",
            )  # fmt: skip
        case "digits-lost":
            return Reason(
                rule, f"{heading}按数字存放,15位以后的数字已丢失",
                f"{heading} is kept as a number, and its digits after the 15th are lost",
                "先将该列设为文本格式,再照原件重新填写号码",
                "make the column text first, then write the number again from its source",
            )  # fmt: skip
        case "zeros-lost":
            return Reason(
                rule, f"{heading}按数字存放,而工作簿用了补0的数字格式(如 000000),所见与所存不同",
                f"{heading} is a number, and a number format of the workbook (000000) shows "
                "what is not in the cell", "将该列设为文本格式,再照所见写全号码",
                "make the column text, and write the number as it is shown",
            )  # fmt: skip
    return None


_ID_PATTERN = "[0-9A-Za-z._-]{0,63}"
_FITS = (
    ":只能是字母、数字和 . _ -,以字母或数字开头,至多64个",
    ": letters, digits and . _ -, the first a letter or digit, 64 at most",
)


@cache
def bad_value(cls: type[Event], field: str) -> Reason:
    """A value that its event type does not take."""
    pattern = cls.model_json_schema()["properties"].get(field, {})
    zh, en = NAMES.get(field, (field, field))
    fits_zh, fits_en = _FITS if _ID_PATTERN in str(pattern) else ("", "")
    return Reason("bad-value", f"{cls.zh}的{zh}({field})取值不合要求{fits_zh}",
                  f"{cls.en} does not take this value of {en} ({field}){fits_en}",
                  "改正该值或对应表", "correct the value or the mapping")  # fmt: skip


def refused(refusal: Refusal) -> Reason:
    """What the ledger answered when the row's acts were entered."""
    return Reason(f"refused-{refusal.code}", f"账本不予登记:{refusal.detail_zh}",
                  f"refused by the ledger: {refusal.detail}",
                  "核对该人员已有登记", "check what stands on this person's record")  # fmt: skip


def noted(finding: Finding) -> Reason:
    """What the law finds of a row's act, which it does not refuse."""
    article = f"({finding.article})" if finding.article else ""
    return Reason(
        f"found-{finding.rule}", f"{finding.zh}{article}", f"{finding.en} {article}",
        "照此登记将列为问题;有误的先改正", "entered so, it shows as a finding; mend what is wrong",
        rejects=False,
    )  # fmt: skip


@cache
def strange_head(heading: str) -> Reason:
    """Of a text alone in its row, where such texts give the rows below them this column."""
    return Reason(
        "unknown-group", f"独占一行的文字不是已知的{heading}",
        f"a text alone in its row is no known {heading}",
        "是的,在对应表中增补该名称或别名;不是的,其下各行的该栏须逐行填写",
        "if it is one, add it to the mapping as a name or alias; else fill the rows below it in",
        rejects=False,
    )  # fmt: skip


@cache
def unnamed(letters: str) -> Reason:
    """Of columns that hold something and have no heading."""
    return Reason(
        "unnamed-column", f"没有表头的列({letters})中有内容,未采用",
        f"a column without a heading ({letters}) holds something",
        "补上表头并在对应表中注明", "give it a heading, and a place in the mapping", rejects=False,
    )  # fmt: skip


def division_since(code: str) -> int:
    """The year in which a division was given its code, 0 where the lists do not say."""
    return _divisions().get(code, 0)


@cache
def _divisions() -> dict[str, int]:
    text = (files("api.intake") / "divisions.toml").read_text("utf-8")
    return {
        code: int(year) for year, codes in tomllib.loads(text).items() for code in codes.split()
    }


def day_of_birth(month: date, number: str | None) -> tuple[date | None, Reason | None]:
    """The birth date where a cell gives only its month, whose first day stands for it: the ID
    number tells the day. Where that has another month, the two contradict each other.
    """
    if number is None:
        return None, BIRTH_MONTH_ALONE
    born = _birth_date_in(number)
    return (born, BIRTH_DAY_BY_ID) if born.replace(day=1) == month else (month, None)


def _birth_date_in(number: str) -> date:
    return date.fromisoformat(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")


def contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, Reason]]:
    """Columns of one row that contradict each other; each with the column to point at."""
    number: str | None = values.get("id-number")
    born: date | None = values.get("birth-date")
    hired: date | None = values.get("hire-date")
    contract: date | None = values.get("contract-last-day")
    dated: date | None = values.get("sheet-date")
    if number is not None:
        by_number = _birth_date_in(number)
        yield from _with_the_number(number, by_number, values)
        born = born or by_number
    if hired is not None:
        if born is not None and hired < add_months(born, ADULT_MONTHS):
            yield "hire-date", UNDER_18
        if dated is not None and hired > dated:
            yield "hire-date", HIRED_LATER
    if contract is not None:
        if hired is not None and contract < hired:
            yield "contract-last-day", CONTRACT_BEFORE_HIRE
        elif dated is not None and contract < dated:
            yield "contract-last-day", CONTRACT_LAPSED


def _with_the_number(
    number: str, by_number: date, values: Mapping[str, Any]
) -> Iterator[tuple[str, Reason]]:
    """What contradicts the ID number."""
    if values.get("sex") in ("1", "2") and int(number[16]) % 2 != int(values["sex"]) % 2:
        yield "sex", SEX_CONTRADICTS_ID
    if values.get("birth-date") not in (None, by_number):
        yield "birth-date", BIRTH_CONTRADICTS_ID
    if division_since(number[:6]) > max(by_number.year, NUMBERED_SINCE):
        yield "id-number", DIVISION_NEWER
