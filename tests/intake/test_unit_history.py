"""A real file, loaded whole: where it says one thing alone, the table says that thing."""

import csv
import gzip
import random
from collections import defaultdict
from datetime import date, timedelta
from itertools import combinations, groupby
from typing import NamedTuple

import pytest

from api.intake import Importer
from domain.acts.people import UNIT
from domain.bitemporal import AsOf
from tests.intake.paths import CHICAGO

PERSONS = 400
DATES = 250
DAY = timedelta(days=1)

pytestmark = pytest.mark.skipif(
    not CHICAGO.is_dir(), reason="the public histories do not lie beside the project"
)


class Spell(NamedTuple):
    """A row that says something: in this unit from the first to the last day."""

    unit: str
    first: date
    last: date


def spells(rows):
    """The rows of one person that name a unit, a first day and no last day before it."""
    for _, unit, first, last in rows:
        if unit and first and (not last or first <= last):
            until = date.fromisoformat(last) if last else date.max
            yield Spell(f"cpd-{unit.removesuffix('.0')}", date.fromisoformat(first), until)


def repeated(told):
    """Two rows for one day and unit: of those only the first can be entered."""
    return any(
        a.unit == b.unit and a.first <= b.last and b.first <= a.last
        for a, b in combinations(told, 2)
    )


def covering(told, day):
    """The units in which the rows have a person that day: more than one is a contradiction."""
    return {one.unit for one in told if one.first <= day <= one.last}


@pytest.fixture(scope="module")
def persons():
    """The rows of persons from all over the file, by person."""
    with gzip.open(CHICAGO / "unit_history.csv.gz", "rt") as file:
        rows = sorted(list(csv.reader(file))[1:])
    by_person = {person: list(of) for person, of in groupby(rows, key=lambda row: row[0])}
    chosen = random.Random(20).sample(sorted(by_person), PERSONS)
    return {person: by_person[person] for person in chosen}


@pytest.fixture(scope="module")
def loaded(common_bureau, persons, tmp_path_factory):
    """The same persons entered by the shipped mapping; the table has taken all of it in."""
    folder = tmp_path_factory.mktemp("units")
    with (folder / "unit_history.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["person", "unit", "unit_start_date", "unit_end_date"])
        out.writerows(row for rows in persons.values() for row in rows)
    importer = Importer(common_bureau.ledger)
    importer.enter(importer.plan([folder], "chicago"))
    list(common_bureau.runner.catch_up())
    return common_bureau


def days_asked(plain):
    """Random days of the years of the file, and days on which a spell begins or has just ended."""
    draw = random.Random(21)
    edges = [
        day
        for told in plain.values()
        for one in told
        for day in (one.first, *([one.last + DAY] if one.last < date.max else []))
    ]
    first = date(1965, 1, 1)
    return [first + DAY * draw.randrange(53 * 365) for _ in range(DATES)] + draw.sample(
        edges, DATES
    )


def test_on_every_day_the_unit_is_the_one_that_the_file_alone_names(loaded, persons):
    plain = {p: told for p, rows in persons.items() if not repeated(told := list(spells(rows)))}
    assert len(plain) > 0.95 * PERSONS
    subjects = [f"person:{p}" for p in plain]
    head = loaded.ledger.log.head()
    wrong, named = defaultdict(list), 0
    for day in days_asked(plain):
        found = loaded.records.at([UNIT], subjects, AsOf(day, head))
        answers = {f.subject.removeprefix("person:"): {f.value["unit"]} for f in found}
        for person, told in plain.items():
            expected = covering(told, day)
            if len(expected) > 1:
                continue
            named += len(expected)
            if answers.get(person, set()) != expected:
                wrong[person].append((day, expected, answers.get(person)))
    assert not wrong, (len(wrong), dict(list(wrong.items())[:3]))
    assert named > DATES * len(plain) / 4
