"""A column of a mapping: how its cells are read.

Owns the declaration of columns. Invariant: what a column says of its words fits its kind, and no
two of its words are told apart by spaces alone.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from api.intake.mapping_text import MappingError
from api.intake.values import word_of

DAYS, ENDS = ("date", "last-day", "day-after"), ("last-day", "day-after")
"""Kinds of columns that hold days; those of them that hold the end of something."""
OPEN = "open"
"""What a word under an end means that says that there is none (`known`)."""

Fill = Literal["above", "group"]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9-]*$")]
Texts = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Part):
    """A column of the sheet, found by any of its headings.

    `kind`: how a cell is read; `last-day` (合同至) takes a bare month as its last day, `day-after`
    gives the day before the one that stands there (until, not included). `values`: the words
    that may stand there and what each means ("" is none), or the name of one of the mapping's
    lists. `known`: words that mean a code where other text stands for itself; under days those that
    mean none ("") or an end that is open ("open", as 无固定期限 does by itself). `parted`: several
    values, parted by 、. `blank`: what an empty cell does. `private`: its cells are shown to the
    clerk alone; a name, an ID number and what goes into such a field are so by themselves. A
    `person` is told by number, ID number or id.

    `fill`: what a sheet gives once for a block of rows. "above": an empty cell (同上) takes the
    cell above it; "group": it takes the text that heads its rows, alone in a row of its own
    (城东派出所(12人)); the sheet need not have the column then.
    """

    heading: Texts
    kind: Literal[
        "text",
        "name",
        "code",
        "identifier",
        "id-number",
        "date",
        "last-day",
        "day-after",
        "year",
        "unit",
        "person",
    ] = "text"
    values: dict[str, str] | str | None = None
    known: dict[str, str] = {}
    parted: bool = False
    blank: Literal["allow", "warn", "reject"] = "allow"
    private: bool = False
    fill: Fill | None = None

    @model_validator(mode="after")
    def _filled_with_what_is_known(self) -> Self:
        if self.fill and (self.private or not (self.kind == "unit" or self.values)):
            raise MappingError(
                "fill is for units and listed words, which are not private",
                "fill 只用于单位列和有 values 的列,且不得是保密列",
            )
        return self

    @model_validator(mode="after")
    def _words_fit_the_kind(self) -> Self:
        if self.kind in DAYS:
            if self.values is not None:
                raise MappingError(
                    "a day has no list of values; say what a word means by known",
                    "日期列没有 values;某词的含义写在 known 中",
                )
            meant = {"", OPEN} if self.kind in ENDS else {""}
            if strange := sorted({*self.known.values()} - meant):
                may = [repr(one) for one in sorted(meant)]
                raise MappingError(
                    f"a word under a {self.kind} cannot mean {strange[0]}: say {' or '.join(may)}",
                    f"{self.kind} 列中的词不能表示 {strange[0]},只能写 {' 或 '.join(may)}",
                )
        elif self.known and self.kind not in ("text", "code", "identifier"):
            raise MappingError(
                f"known is for text and days, not for a column of kind {self.kind}",
                f"known 只用于文字列和日期列,不用于 {self.kind} 列",
            )
        listed = self.values if isinstance(self.values, dict) else {}
        for words in (listed, self.known):
            check_apart(words)
        return self


def check_apart(words: dict[str, str]) -> None:
    """Raises MappingError for two words that spaces alone tell apart."""
    means: dict[str, str] = {}
    for word, code in words.items():
        if means.setdefault(word_of(word), code) != code:
            raise MappingError(
                f"{word} means two things, for spaces do not count",
                f"“{word}”有两个含义(空格不计)",
            )
