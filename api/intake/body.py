"""The rows below the headings of a sheet, and which of them are no data.

Owns that judgement: headings repeated for print, headings of groups across all columns, sums,
signatures, examples. Invariant: a row is passed over only where every cell of it is accounted for,
and its number is kept; else it is data.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from api.intake.blocks import Blocks, Row, is_labelled
from api.intake.values import Cell, folded, heading_of
from domain.refusals import BadInput

_LOOKED_AT = 4
_AS_MANY, _AS_LONG = 5, 3
"""Over how many columns one text, and how long a one, is the heading of a group."""
_SIGNED = (
    "填表|填报|制表|制作|审核|审批|审定|复核|批准|校对|核对|经办|负责|主管|领导|分管|签字|签名|签章|"
    "盖章|日期|时间|单位|部门|电话|备注|附注|注|说明|填表说明|人数|总人数|合计|总计|小计|共计|累计"
)
_LABEL = re.compile(
    rf"(?=[^:]{{0,12}}(?:{_SIGNED}))[^:\dA-Za-z]{{1,12}}\d{{0,2}}(?:\([^:]{{0,8}}\))?:.*"
)
"""A label with its colon and what follows it: 制表:某某, 分管领导(签字):, 注1:"""
_SUM = re.compile(
    r"[合总小共累]计(?:人数)?(?:[:(].*|\d.*)?|共\d+[人名].*|总人数\d+.*"
    r"|[^\d(:]{2,20}(?:小计|合计|共计)(?:人数)?[:(]?(?:\d+[人名]?)?\)?"
)
_ALONE = re.compile(
    r"\(?以下(?:空白|无正文|无内容)\)?|[-—]*第\d+页.*|共\d+页.*|(?:填[表报]|制表|审核|负责|经办)人"
)
_EXAMPLES = ("示例", "例", "例如", "样例", "举例")
_COUNT = re.compile(r"-?[\d,]{1,9}(?:\.\d{1,4})?(?:[人名个元%]|万元)?")
_OF_A_DAY = re.compile(r"\d{4}[-./年]\d{1,2}[-./月]\d{1,2}日?")


def is_footer(cells: Iterable[Cell]) -> bool:
    """Whether a row is a sum, a signature or a note and certainly nothing else.

    It begins with such words, and whatever else it holds are counts, days, further labels, and the
    name that a label with nothing behind its colon asks for.
    """
    texts = [*dict.fromkeys(text for c in cells if (text := folded(c).replace(" ", "")))]
    first, *others = texts
    if _SUM.fullmatch(first):
        return all(_COUNT.fullmatch(text) or _belongs(text) for text in others)
    if _ALONE.fullmatch(first):
        return all(map(_belongs, others))
    if not _LABEL.fullmatch(first):
        return False
    before = first
    for text in others:
        if not (_belongs(text) or _OF_A_DAY.fullmatch(text) or before.endswith(":")):
            return False
        before = text
    return True


def _is_sum(cells: Iterable[Cell]) -> bool:
    texts = (text for cell in cells if (text := folded(cell).replace(" ", "")))
    return _SUM.fullmatch(next(texts)) is not None


def _belongs(text: str) -> bool:
    """What nothing but a sum, a signature or a note holds."""
    return any(pattern.fullmatch(text) for pattern in (_LABEL, _SUM, _ALONE))


class Body:
    """The rows of data below headings that take the rows `heads`, with what `blocks` gives them;
    `passed`: the numbers of rows with something in them that are none.
    """

    def __init__(
        self, where: str, heads: Sequence[Row], named: Sequence[str], wanted: Collection[str],
        example: Mapping[str, str], blocks: Blocks,
    ) -> None:  # fmt: skip
        self.passed: list[int] = []
        self._blocks = blocks
        self._where = where
        shown = {heading_of(heading): folded(text) for heading, text in example.items()}
        self._example = [shown.get(heading, "") for heading in named] if shown else []
        self._number = heads[-1].number
        self._heads = [[*map(heading_of, row.cells)] for row in heads]
        self._wanted = {*wanted} | {word for head in self._heads for word in head if word}
        at = [n for n, heading in enumerate(named) if heading in wanted]
        self._at = at[:_LOOKED_AT]
        self._across = at
        self._enough = max(2, (len(at) + 1) // 2)

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Raises BadInput for other headings further down: what stands under them is told by these
        alone.
        """
        for row in rows:
            if not any(map(folded, row.cells)):
                self._blocks.empty()
            elif self._is_data(row):
                filled = self._blocks.fills
                yield self._blocks.fill(row, is_marked_example(row.cells)) if filled else row
            else:
                self.passed.append(row.number)

    def _is_data(self, row: Row) -> bool:
        """What is none begins or ends a block, or neither."""
        if self._is_example(row):
            return False
        heads = self._blocks.grouped and self._blocks.heads_rows(row.cells)
        if is_footer(row.cells) and not (heads and any(map(is_labelled, row.cells))):
            if _is_sum(row.cells):
                self._blocks.end()
            elif any(map(is_labelled, row.cells)):
                self._blocks.pass_title(row.cells)
            return False
        if heads:
            self._blocks.head(row)
            return False
        if self._is_across(row) or (self._blocks.grouped and self._blocks.is_title(row.cells)):
            self._blocks.pass_title(row.cells)
            return False
        return not self._repeats(row)

    def _is_example(self, row: Row) -> bool:
        """Whether it is the row that shows how to fill the sheet in, as it was."""
        return bool(self._example) and [*map(folded, row.cells)] == self._example

    def _is_across(self, row: Row) -> bool:
        """Whether one text stands in all columns, as a merged cell gives it: 城西派出所(共12人)."""
        if len(self._across) < _AS_MANY or len(row.cells) <= self._across[-1]:
            return False
        text = folded(row.cells[self._across[0]])
        if len(text) < _AS_LONG or _COUNT.fullmatch(text):
            return False
        return {folded(row.cells[n]) for n in self._across} == {text} and (
            {*map(folded, row.cells)} <= {text, ""}
        )

    def _repeats(self, row: Row) -> bool:
        """Whether a row says the headings once more."""
        looked_at = (row.cells[n] for n in self._at if n < len(row.cells))
        if not any(isinstance(c, str) and heading_of(c) in self._wanted for c in looked_at):
            return False
        said = [(n, word) for n, cell in enumerate(row.cells) if (word := heading_of(cell))]
        if any(all(n < len(head) and head[n] == word for n, word in said) for head in self._heads):
            return True
        if sum(word in self._wanted for _, word in said) >= self._enough:
            raise two_headings(self._where, self._number, row.number)
        return False


def is_marked_example(cells: Iterable[Cell]) -> bool:
    """Whether a row begins with the word that marks an example."""
    first = next((text for cell in cells if (text := folded(cell))), "")
    return first.replace(" ", "").strip("()[]【】:") in _EXAMPLES


def two_headings(where: str, first: int, second: int) -> BadInput:
    return BadInput(
        f"{where}: rows {first} and {second} both look like headings and differ; "
        "put what stands under each on a sheet of its own",
        zh=f"{where}:第 {first} 行与第 {second} 行都像表头而内容不同;请将两段分成两张工作表",
        field="file",
    )  # fmt: skip
