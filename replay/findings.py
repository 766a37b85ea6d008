"""What is found wrong with a bundle of evidence, and in which words it is told.

Owns the kinds, what is asked, and the verdict; it travels inside the checker and needs Python
alone. Invariant: a kind is one exit code for ever; every finding is a sentence in two languages.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

DECLARED = ""
"""SHA-256 of the codebook that this checker was made with; put in where it is made one file."""
WORDED = ""
"""Of the words of reports that it was made with, likewise."""


class Kind(IntEnum):
    """What is wrong; the number is the exit code. 10 to 20 are those of `verify`."""

    ENTRY = 10
    MISSING = 11
    TIME = 12
    TREE = 14
    HEAD = 15
    SIGNATURE = 16
    WITNESS = 17
    RECEIPT = 20
    DISCLOSED = 21
    REPORT = 22
    FILE = 23
    UNPROVED = 24
    UNREADABLE = 25
    STAMP = 26
    DIGEST = 27


class Finding(NamedTuple):
    kind: Kind
    zh: str
    en: str


class Asked(NamedTuple):
    """What the one who checks brings along: a public key of the ledger, the keys of witnesses, the
    certificates of a time-stamp authority, heads kept from an earlier visit (of either log),
    receipts, an answer or a file of a report to compare, with the layout it was written by; whom to
    replay, or everyone, as of when; by what the remarks are counted;
    whose readers are wanted; `declared`, `worded`: the digests of the codebook and of the words of
    reports that the checker was made with.
    """

    key: str | None = None
    witness_keys: Sequence[str] = ()
    stamps: Path | None = None
    kept: Sequence[Path] = ()
    receipts: Sequence[Path] = ()
    report: Path | None = None
    columns: Path | None = None
    replay: str | None = None
    everyone: bool = False
    effective: str | None = None
    recorded: int | None = None
    by: str | None = None
    who_read: str | None = None
    declared: str = DECLARED
    worded: str = WORDED


class Verdict(NamedTuple):
    """`said`: what is shown where nothing is wrong (zh, en); `replayed`: the record asked for;
    `remarks`: the entries that an auditor looks at first; `reads`: who looked at the persons;
    `everyone`: the records of all persons, where they were asked for; `groups`: how many
    remarks there are of each, where they were to be counted; `good`: the last sentence where
    nothing is wrong.
    """

    findings: list[Finding]
    said: list[tuple[str, str]]
    replayed: Any = None
    remarks: Sequence[Mapping[str, Any]] = ()
    reads: Sequence[Mapping[str, Any]] = ()
    everyone: Sequence[Mapping[str, Any]] = ()
    groups: Sequence[Mapping[str, Any]] = ()
    good: tuple[str, str] = ("证据包核验一致", "The bundle is what the ledger sealed")

    @property
    def exit_code(self) -> int:
        """0, or the smallest kind of what is wrong."""
        return min((int(f.kind) for f in self.findings), default=0)

    def shown(self, encoding: str, *, listing: bool, who: str | None) -> Iterator[str]:
        """What was asked for beside the verdict, as JSON that this encoding can write."""
        if self.replayed is not None:
            yield as_json(self.replayed, encoding, 1)
        listed = [*self.remarks] if listing else []
        listed += self.reads if listing or who else ()
        for one in (*self.everyone, *listed, *self.groups):
            yield as_json(one, encoding)

    def lines(self) -> Iterator[str]:
        for finding in self.findings:
            yield f"✗ {finding.zh}。"
            yield f"  {finding.en}. [{int(finding.kind)}]"
        if not self.findings:
            for zh, en in self.said:
                yield f"· {zh}。"
                yield f"  {en}."
            yield f"✓ {self.good[0]}。 / {self.good[1]}."


def as_json(value: Any, encoding: str, indent: int | None = None) -> str:
    """JSON; a character that the encoding lacks (a rare one of a name, in GBK) as its escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


class Told:
    """What was found wrong so far, and what is to be said where nothing is."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.said: list[tuple[str, str]] = []

    def find(self, kind: Kind, zh: str, en: str) -> None:
        if all(f.kind is not kind or f.en != en for f in self.findings):
            self.findings.append(Finding(kind, zh, en))

    def say(self, zh: str, en: str) -> None:
        self.said.append((zh, en))
