"""What a plan would enter, act by act: the list that a clerk reads before it is entered.

Owns the list. Invariant: it has every act that the ledger would gain, row by row of the files, and
no private value.
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

from api.intake.plan import OF_NO_ROW, Plan
from api.rendering import content, named_among, pick
from api.words import Words
from api.workbook import Cell, Sheet, write, write_csv
from domain.events import Event
from domain.refusals import TooLarge

SUFFIXES = (".xlsx", ".csv")
MOST_WORKBOOK_ROWS = 1_000_000
_TITLE = ("将登记事项(未登记)", "What would be entered")
_HEADINGS: tuple[Words, ...] = (
    ("文件", "file"), ("行", "row"), ("事项", "act"), ("人员", "person"),
    ("生效日", "effective"), ("末日", "last day"), ("内容", "what it says"),
)  # fmt: skip
_PRIVATE = ("(保密)", " (private)")
_NUMBER, _GIVEN = "number", ("(将编)", " (to be given)")


def write_planned(plan: Plan, out: Path, lang: str) -> None:
    """The list as a workbook or a CSV file, as the suffix says. Raises OSError, TooLarge."""
    headings = [pick(words, lang) for words in _HEADINGS]
    sheet = Sheet(pick(_TITLE, lang), headings, _rows(plan, lang))
    if out.suffix == ".csv":
        write_csv(out, sheet)
    elif plan.events.total() > MOST_WORKBOOK_ROWS:
        raise TooLarge("more acts than a sheet has rows; name a .csv file", field="file",
                       zh="事项多于一张工作表的行数,请写成 .csv 文件")  # fmt: skip
    else:
        write(out, [sheet])


def _rows(plan: Plan, lang: str) -> Iterator[list[Cell]]:
    for draft in plan.drafts.by_row():
        alone = draft.sheet == OF_NO_ROW
        where: list[Cell] = ["", ""] if alone else [plan.files[draft.sheet], draft.row]
        sheet = None if alone else plan.mapping.sheet_of(plan.files[draft.sheet])
        given = {_NUMBER} if sheet is not None and sheet.numbering is not None else set()
        for made in draft.made:
            event, until = made.event, made.until
            last = (until - timedelta(days=1)).isoformat() if until else ""
            yield [
                *where, pick((event.zh, event.en), lang), getattr(event, "person", None) or "",
                made.effective.isoformat(), last, _said(event, lang, given),
            ]  # fmt: skip


def _said(event: Event, lang: str, given: Collection[str]) -> str:
    """Its public fields with their values, its private ones by name alone; `given`: fields whose
    values no file says.
    """
    fields = event.model_dump(mode="json", exclude_none=True)
    return "; ".join(
        named_among(name, fields, lang) + pick(_PRIVATE, lang)
        if name in event.private
        else f"{named_among(name, fields, lang)} {content({name: value}, lang)}"
        + (pick(_GIVEN, lang) if name in given else "")
        for name, value in fields.items()
        if name != "person"
    )
