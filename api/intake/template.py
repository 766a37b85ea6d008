"""Templates: a workbook for acts of one type, and the mapping that reads it back.

Owns both sides of a template. Invariant: heading for heading they are made of one declaration, so
that a workbook as it was given out is read without a mapping written by hand.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xlsxwriter
from python_calamine import CalamineError, load_workbook

from api.forms import NO, YES, FormField, event_named, fields_of, words_of_packs
from api.intake.columns import Column
from api.intake.mapping import Act, Mapping, Sheet
from api.intake.reading import WORKBOOKS
from api.intake.rows import NAME_BESIDE
from api.workbook import workbook
from domain.acts.approvals import ApprovalUsed
from domain.acts.imports import ImportBegun, ImportFinished, ImportUndone, RowRead, SheetRead
from domain.acts.people import PersonRegistered
from domain.acts.seals import ReadsCut, ReadsSealed, SealKeyChanged
from domain.acts.units import UnitEstablished
from domain.events import REGISTRY, Event, FactAnnulled
from domain.refusals import BadInput

LINE, NAME = "序号", "姓名(供核对)"
EFFECTIVE, LAST_DAY, OCCURRED = "生效日", "末日", "发生日"
_ROWS = 2_000  # how far down the drop-downs reach
_NOTES, _LISTS = "说明", "取值"
_NEW: dict[type[Event], str] = {PersonRegistered: "person", UnitEstablished: "unit"}
_BY_ITSELF = (ImportBegun, SheetRead, RowRead, ImportFinished, ImportUndone, ApprovalUsed,
              SealKeyChanged, ReadsSealed, ReadsCut)  # fmt: skip
_ASIDE = ("person", "sheet-date", "row-key")


class TemplateColumn(NamedTuple):
    """A column of a template; `words`: what may be chosen, `rule`: what the notes say of it."""

    name: str
    heading: str
    column: Column
    words: list[str]
    rule: str
    sample: str


def mapping_of(cls: type[Event], attested_by: str | None = None) -> Mapping:
    """The mapping that reads a filled template: ordered, unless somebody attests its acts."""
    columns = columns_of(cls)
    fields = {one.name: one for one in columns}
    name = _kebab(cls.__name__)
    own = {f.name: f"{{{_column_name(f)}}}" for f in fields_of(cls) if _column_name(f) in fields}
    act = Act(
        event=cls.__name__, fields=own, effective=["{effective}"],
        last_day="{until-last-day}" if "until-last-day" in fields else None,
        occurred=["{occurred}"],
    )  # fmt: skip
    whose = next(
        (_column_name(f) for f in fields_of(cls) if f.kind in ("person", "unit") and not f.many),
        "effective",
    )
    read = {one.name: one.column for one in columns}
    unused = {LINE: "the sheet's own line number"}
    if whose in read and read[whose].kind == "person":
        read[NAME_BESIDE] = Column(heading=[NAME], kind="name", private=True)
    else:
        unused[NAME] = "nobody whose name the ledger has"
    sheet = Sheet(
        name=name, files=["*"], tab=cls.__name__, aside=[_NOTES], person=f"{{{whose}}}",
        keyed_by=[one.name for one in columns if not one.column.private],
        columns=read, unused=unused, act=[act],
        example={heading.strip("*"): said for heading, said in _headed(columns) if said},
    )  # fmt: skip
    return Mapping(
        format=1, name=name, version=str(cls.schema_version), zh=cls.zh, en=cls.en,
        system="template", edition="1", derive_persons=False, judged=True, sheet=[sheet],
        mood="attested" if attested_by else "ordered", attested_by=attested_by,
    )  # fmt: skip


def columns_of(cls: type[Event]) -> list[TemplateColumn]:
    """The columns of a type's template, in the order of its fields. Raises BadInput."""
    if cls in _BY_ITSELF:
        raise BadInput("the software enters acts of this type by itself", field="type",
                       zh="该事项由软件自行登记,没有填报模板")  # fmt: skip
    if cls is FactAnnulled or any(f.kind == "structure" for f in fields_of(cls)):
        raise BadInput("no sheet can hold an act of this type", field="type",
                       zh="该事项不能用表格填报")  # fmt: skip
    headings = [f.zh for f in fields_of(cls)]
    ends_itself = bool({"until", "last_day"} & cls.model_fields.keys())
    taken = {LINE, NAME, EFFECTIVE, OCCURRED} | (set() if ends_itself else {LAST_DAY})
    own = []
    for field in fields_of(cls):
        alone = headings.count(field.zh) == 1 and field.zh not in taken
        own.append(_of_field(cls, field, field.zh if alone else f"{field.zh}({field.name})"))
    around = [_of_day("effective", EFFECTIVE, cls.day, required=True)]
    if not ends_itself:
        around.append(_of_day("until-last-day", LAST_DAY, "至…止;没有则留空", last=True))
    around.append(_of_day("occurred", OCCURRED, "所涉事情发生之日;没有则留空"))
    return [*own[:1], around[0], *own[1:], *around[1:]]


def _of_day(
    name: str, heading: str, rule: str, *, required: bool = False, last: bool = False
) -> TemplateColumn:
    blank: Any = "reject" if required else "allow"
    column = Column(heading=[heading], kind="last-day" if last else "date", blank=blank)
    said = f"日期,如 2026-01-05;{rule}"
    return TemplateColumn(name, heading, column, [], said, "2026-01-05" if required else "")


def _of_field(cls: type[Event], field: FormField, heading: str) -> TemplateColumn:
    packed = words_of_packs(cls, field)
    kind, values = "text", None
    rule = "标识或编号:字母、数字和 . _ -,以字母或数字开头" if _is_id(field) else "文字"
    match field.kind:
        case "person" | "unit" if _NEW.get(cls) == field.name:
            rule = "新标识:字母、数字"
        case "person":
            kind, rule = "person", "辅警编号、身份证号或人员标识"
        case "unit":
            kind, rule = "unit", "单位名称或标识"
        case "date":
            kind, rule = "date", "日期,如 2026-01-05"
        case "integer":
            rule = "整数(金额以分计)" if field.name == "amount" else "整数"
        case "boolean":
            values, rule = {YES[0]: "true", NO[0]: "false"}, "是或否"
        case "choice":
            values = {word: code for code, word in field.choices.items()}
            values |= {code: code for code in field.choices}
            rule = "、".join(field.choices.values())
    if packed:
        rule = "规则包所列:" + "、".join(packed)
    words = list(field.choices.values()) or [*(values or ()), *packed]
    column = Column(
        heading=[heading], kind=kind, values=values, known=packed,
        parted=field.many, private=field.private, blank="reject" if field.required else "allow",
    )  # fmt: skip
    sample = words[0] if words else _sample(field, kind, heading)
    many = ";可填多项,以“、”分隔" if field.many else ""
    return TemplateColumn(
        _column_name(field), heading, column, words, rule + many, sample if field.required else ""
    )


def _is_id(field: FormField) -> bool:
    return (field.pattern or "").startswith("^[0-9A-Za-z]")


def _sample(field: FormField, kind: str, heading: str) -> str:
    """What could stand in a column that anything is written in."""
    if kind == "person":
        return "F0001"
    if kind == "text" and _is_id(field):
        named = field.name.upper().replace("_", "-")
        return f"{named}-1、{named}-2" if field.many else f"{named}-1"
    if field.name == "year":
        return "2026"
    return {"date": "2026-01-05", "integer": "1"}.get(field.kind, heading)


def _column_name(field: FormField) -> str:
    """A field's column; the names that every mapping has of itself are left free."""
    name = field.name.replace("_", "-")
    return f"{name}-of-act" if name in (*_ASIDE, "effective", "occurred") else name


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).strip("-")


def template_type(path: Path) -> type[Event] | None:
    """The type whose template this workbook is: a sheet has its name."""
    if not path.name.lower().endswith(WORKBOOKS):
        return None
    try:
        names = load_workbook(path).sheet_names
    except (CalamineError, OSError, ValueError):
        return None
    return next((REGISTRY[name] for name in names if name in REGISTRY), None)


def write_template(name: str, out: Path, units: Sequence[str]) -> type[Event]:
    """The template for acts of a type, with a unit for each drop-down of units to choose from.

    Raises UnknownType, BadInput, OSError.
    """
    cls = event_named(name)
    columns = columns_of(cls)
    with workbook(out) as b:
        sheet = b.add_worksheet(cls.__name__)
        _write_notes(b, cls, columns)
        lists = b.add_worksheet(_LISTS)
        lists.hide()
        bold = b.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1})
        text = b.add_format({"num_format": "@"})
        grey = b.add_format({"italic": True, "font_color": "#7F7F7F", "num_format": "@"})
        sheet.write_string(0, 0, f"{cls.zh} {cls.__name__}", b.add_format({"bold": True}))
        sheet.freeze_panes(2, 0)
        for at, (heading, sample) in enumerate(_headed(columns)):
            sheet.set_column(at, at, max(12, 2 * len(heading) + 2), text)
            sheet.write_string(1, at, heading, bold)
            sheet.write_string(2, at, sample, grey)
        for at, one in enumerate(columns, 2):
            choices = list(units) if one.column.kind == "unit" else one.words
            if choices and not one.column.parted:
                lists.write_column(0, at, choices)
                letter = xlsxwriter.utility.xl_col_to_name(at)
                source = f"={_LISTS}!${letter}$1:${letter}${len(choices)}"
                closed = one.column.values is not None or one.column.kind == "unit"
                sheet.data_validation(3, at, _ROWS, at, {
                    "validate": "list", "source": source,
                    "error_type": "stop" if closed else "warning",
                })  # fmt: skip
    return cls


def _headed(columns: Sequence[TemplateColumn]) -> Iterator[tuple[str, str]]:
    yield LINE, "示例"
    yield NAME, ""
    for one in columns:
        star = "*" if one.column.blank == "reject" else ""
        yield one.heading + star, one.sample


def _write_notes(
    book: xlsxwriter.Workbook, cls: type[Event], columns: Sequence[TemplateColumn]
) -> None:
    notes = book.add_worksheet(_NOTES)
    notes.set_column(0, 2, 16)
    notes.set_column(3, 3, 80)
    bold = book.add_format({"bold": True})
    notes.write_row(0, 0, ["栏目", "必填", "保密", "填写要求"], bold)
    for n, one in enumerate(columns, 1):
        required = "●" if one.column.blank == "reject" else ""
        private = "●" if one.column.private else ""
        notes.write_row(n, 0, [one.heading, required, private, one.rule])
    after = [
        f"{cls.zh}({cls.en});生效日为{cls.day}。",
        "每行一项;“示例”行不导入;带 * 的栏目必填;日期写作 年-月-日。",
        "同样内容的行只登记一次,重复导入不会重复登记。",
    ]
    notes.write_column(len(columns) + 2, 0, after)
