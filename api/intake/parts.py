"""What the parts of a workbook say that its cells, as they are read, do not: errors, merged cells.

Owns the look into the package. Invariant: where a part is absent or written otherwise, nothing is
said of it.
"""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from html import unescape

from api.intake.extent import Reach, in_ods, in_xls, in_xlsx

_SHEET = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)>")
_ATTRIBUTE = re.compile(rb"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ERROR = re.compile(
    rb"<(?:\w+:)?c\s([^>]*\bt=[\"']e[\"'][^>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL
)
_SHOWN = re.compile(rb"<(?:\w+:)?v>([^<]*)</")
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_SPANNED = re.compile(rb"table:number-(?:rows|columns)-spanned=[\"'](?:[2-9]|\d\d)")
_OF_TABLE = re.compile(
    rb"<(/?)table:(table|table-row|table-cell|covered-table-cell)(?=[\s/>])([^>]*)>"
)
_CODE = re.compile(rb'formatCode="([^"]*)"')
_STYLE = re.compile(rb"<number:number-style[\s>].*?</number:number-style>", re.DOTALL)
_DIGITS = re.compile(rb"number:min-integer-digits=[\"'](\d{1,2})[\"']")
_PLACES = re.compile(rb"number:decimal-places=[\"'][1-9]")
_ZEROS = re.compile(r'("[^"]+")?(0{2,})')
_WIDEST = 16  # digits: no number has as many
_MOST_REPEATED = 1 << 20
MOST_BYTES = 512 << 20
_DENSEST, _AT_ONCE, _LOCAL_NAMES = 1_032, 1 << 20, 26  # deflate packs no denser


Shown = tuple[int, int, str]
"""Row and column (from 0) of a cell in error, and what it shows: #N/A."""
Range = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last of some cells, each by row and column from 0."""


_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_BEGINNING = bytes.fromhex("0908100000060500")  # BIFF 8
_BOF, _EOF, _SHEET_AT, _FORMULA, _BOOL_OR_ERROR = 0x0809, 0x000A, 0x0085, 0x0006, 0x0205
_FORMAT, _OF_FORMAT = 0x041E, 5
_CODES = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
          0x24: "#NUM!", 0x2A: "#N/A"}  # fmt: skip


class Parts:
    """The parts of one workbook; of one that is no package nothing is known."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def swollen(self) -> str | None:
        """The name of a part that unpacks to more than `MOST_BYTES`, whatever the package says."""
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as parts:
                told = parts.infolist()
        except (zipfile.BadZipFile, OSError):
            return None
        return next((one.filename for one in told if self._unpacks_to_more(one)), None)

    def _unpacks_to_more(self, part: zipfile.ZipInfo) -> bool:
        if part.file_size > MOST_BYTES:
            return True
        if part.compress_type != zipfile.ZIP_DEFLATED or part.compress_size * _DENSEST < MOST_BYTES:
            return False
        named = part.header_offset + _LOCAL_NAMES
        lengths = (int.from_bytes(self._content[n : n + 2], "little") for n in (named, named + 2))
        start = named + 4 + sum(lengths)
        unpacking, left = zlib.decompressobj(-zlib.MAX_WBITS), MOST_BYTES
        packed = self._content[start : start + part.compress_size]
        try:
            while packed and left > 0 and not unpacking.eof:
                left -= len(unpacking.decompress(packed, _AT_ONCE))
                packed = unpacking.unconsumed_tail
        except zlib.error:
            return False
        return left <= 0

    def _read(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as parts:
                return parts.read(name)
        except (zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error, NotImplementedError):
            return b""

    def reaches(self) -> list[Reach | None]:
        """How far the sheets reach of a workbook that is read whole at once (.xls, .et, .ods); None
        for one that is damaged.
        """
        if not self._content.startswith(_OLE):
            return [*in_ods(self._read("content.xml"))]
        found = _sheets_of_older(self._content).items()
        return [in_xls(name, partial(_records, self._content, at)) for name, at in found]

    def look(self, sheet: str) -> tuple[Reach, list[Shown]]:
        """How far a sheet of an .xlsx reaches; the cells in error of a sheet."""
        if self._content.startswith(_OLE):
            return Reach(), [*_errors_of_older(self._content, sheet)]
        part = self._read(self._path(sheet))
        return in_xlsx(part), [*_errors(part)]

    def _path(self, sheet: str) -> str:
        """The part of a sheet of an .xlsx."""
        ids = {
            said.get("name"): next((v for k, v in said.items() if k.endswith(":id")), None)
            for said in map(_attributes, _SHEET.findall(self._read("xl/workbook.xml")))
        }
        paths = {
            said.get("Id"): said.get("Target", "")
            for said in map(
                _attributes, _RELATION.findall(self._read("xl/_rels/workbook.xml.rels"))
            )
        }
        return posixpath.join("/xl", paths.get(ids.get(sheet)) or "none").removeprefix("/")

    def padding(self) -> int:
        """The widest number format of zeros; one with letters before it is wider than all. Which
        cells have it the reader of the cells does not tell.
        """
        if self._content.startswith(_OLE):
            formats = [*_formats_of_older(self._content)]
        elif styles := self._read("xl/styles.xml"):
            formats = [unescape(code.decode("utf-8", "replace")) for code in _CODE.findall(styles)]
        else:
            styles = self._read("styles.xml") + self._read("content.xml")
            formats = [_as_code(style) for style in _STYLE.findall(styles)]
        found = filter(None, map(_ZEROS.fullmatch, formats))
        return max((_WIDEST if one[1] else len(one[2]) for one in found), default=0)

    def merged(self, sheet: str) -> Iterator[Range]:
        """The merged cells of a sheet of an .ods."""
        content = self._read("content.xml")
        if _SPANNED.search(content) is None:
            return
        here, row, column, rows = False, 0, 0, 1
        for closing, tag, attributes in _OF_TABLE.findall(content):
            if closing and tag == b"table-row":
                row += rows
            if closing:
                continue
            said = _attributes(attributes)
            if tag == b"table":
                here, row = said.get("table:name") == sheet, 0
            elif tag == b"table-row":
                column, rows = 0, _count(said, "table:number-rows-repeated")
                if attributes.endswith(b"/"):
                    row += rows
            else:
                down, across = (
                    _count(said, f"table:number-{n}-spanned") for n in ("rows", "columns")
                )
                if here and (down, across) != (1, 1):
                    yield (row, column), (row + down - 1, column + across - 1)
                column += _count(said, "table:number-columns-repeated")


def _errors(part: bytes) -> Iterator[Shown]:
    for said, inside in _ERROR.findall(part):
        place = _PLACE.fullmatch(_attributes(said).get("r", ""))
        shown = _SHOWN.search(inside)
        if place and shown:
            column = 0
            for letter in place[1]:
                column = column * 26 + ord(letter) - ord("A") + 1
            yield int(place[2]) - 1, column - 1, unescape(shown[1].decode("utf-8", "replace"))


def _attributes(said: bytes) -> dict[str, str]:
    return {
        name.decode("utf-8", "replace"): unescape((one or other).decode("utf-8", "replace"))
        for name, one, other in _ATTRIBUTE.findall(said)
    }


def _count(said: dict[str, str], name: str) -> int:
    text = said.get(name, "1")
    return min(int(text), _MOST_REPEATED) if text.isdecimal() and int(text) else 1


def _sheets_of_older(content: bytes) -> dict[str, int]:
    """Where the records of each sheet begin."""
    start = content.find(_BEGINNING)
    found = {
        _name(said[6:]): start + int.from_bytes(said[:4], "little")
        for kind, said in (_records(content, start) if start >= 0 else ())
        if kind == _SHEET_AT
    }
    first = _BOF.to_bytes(2, "little")
    return {name: at for name, at in found.items() if content[at : at + 2] == first}


def _errors_of_older(content: bytes, sheet: str) -> Iterator[Shown]:
    """Of an .xls or .et: [MS-XLS] 2.4.24, 2.4.28, 2.4.127, 2.5.10, 2.5.133."""
    at = _sheets_of_older(content).get(sheet)
    if at is None:
        return
    for kind, said in _records(content, at):
        code = None
        if kind == _BOOL_OR_ERROR and said[7:8] == b"\1":
            code = said[6]
        elif kind == _FORMULA and said[6:7] == b"\2" and said[12:14] == b"\xff\xff":
            code = said[8]
        if code in _CODES:
            row, column = (int.from_bytes(said[n : n + 2], "little") for n in (0, 2))
            yield row, column, _CODES[code]


def _formats_of_older(content: bytes) -> Iterator[str]:
    """The number formats of an .xls or .et: [MS-XLS] 2.4.126, 2.5.294."""
    start = content.find(_BEGINNING)
    for kind, said in _records(content, start) if start >= 0 else ():
        if kind == _FORMAT and len(said) > _OF_FORMAT:
            yield said[_OF_FORMAT:].decode("utf-16-le" if said[4] & 1 else "latin-1", "replace")


def _as_code(style: bytes) -> str:
    """A number style of an .ods as the code that an .xlsx has for it, as far as zeros go."""
    digits = _DIGITS.search(style)
    zeros = "0" * int(digits[1]) if digits and not _PLACES.search(style) else ""
    return f'"x"{zeros}' if b"<number:text>" in style else zeros


def _records(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records up to the end of their part."""
    kind = _BOF
    while kind != _EOF and at + 4 <= len(content):
        kind, size = (int.from_bytes(content[n : n + 2], "little") for n in (at, at + 2))
        yield kind, content[at + 4 : at + 4 + size]
        at += 4 + size


def _name(said: bytes) -> str:
    """A short text: how many characters, whether of two bytes, the characters."""
    count, wide = said[0], said[1] & 1
    return (
        said[2 : 2 + count * 2].decode("utf-16-le")
        if wide
        else said[2 : 2 + count].decode("latin-1")
    )
