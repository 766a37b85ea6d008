"""A report that goes out as a file: its columns, and how an answer becomes its rows.

Owns the words for both. Invariant: a column has one name in every layout and format, and words in
both languages.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from api.settings import Bureau
from api.words import NAMES, Words

Row = Mapping[str, Any]
Answer = Mapping[str, Any]


class Coded(NamedTuple):
    """A value whose code means something in a field of another name than its column's."""

    field: str
    value: Any


class Field(NamedTuple):
    """A column of a report. `private`: left out unless asked for; `fen`: an amount of money;
    `said`: what facts say, whose private values are withheld unless asked for; `codes`: the field
    whose codes it holds, where not its own.
    """

    name: str
    words: Words
    private: bool = False
    fen: bool = False
    said: bool = False
    codes: str | None = None


class Label(NamedTuple):
    """A value that has words in both languages: a file says it in its own."""

    zh: str
    en: str


class Report(NamedTuple):
    """A question's answer as rows; `rows` takes the bureau and the answer as JSON has it. `asked`:
    what its data say that it is of, which a file of it states.
    """

    words: Words
    fields: tuple[Field, ...]
    rows: Callable[[Bureau, Answer], Iterable[Row]]
    asked: Callable[[Row], Row] = lambda _: {}


def says(*names: str) -> Callable[[Row], Row]:
    """What data say of themselves under these names."""
    return lambda data: {name: data[name] for name in names}


def of_names(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, NAMES[name]) for name in names)


def listed(entries: Iterable[int]) -> str:
    return " ".join(map(str, entries))


def label(one: Mapping[str, Any]) -> Label:
    """What an answer gives as `zh` and `en`."""
    return Label(one["zh"], one["en"])


def of_pack(data: Row) -> Row:
    """The pack that data are about: a version alone does not tell two texts apart."""
    pack = data["pack"]
    return {"pack": pack["code"], "version": pack["version"], "digest": pack["digest"]}
