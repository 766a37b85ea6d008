"""What an import holds of its rows lies on disk, sealed, and comes back in order."""

import csv
import gc
from datetime import date

import pytest

from api.intake import Importer
from api.intake.planned import write_planned
from api.intake.rows import Draft, Made
from api.intake.shelf import Drafts, Earliest, Groups, Keys, Shelf
from tests.benchmarks.intake import mapping, write
from tests.intake.paths import ROSTERS

CITY = ROSTERS / "roster_city.xlsx"


@pytest.fixture
def plan(bureau):
    return Importer(bureau.ledger).plan([CITY], "roster-city")


def test_no_private_cell_can_be_read_where_it_lies(plan):
    faults = [*plan.rejected, *plan.warnings]
    told = {f.cell.strip() for f in faults if f.private and f.cell.strip()}
    told |= {v for draft in plan.drafts for _, v in draft.unique()}
    told |= {made.event.name for d in plan.drafts for made in d.made if hasattr(made.event, "name")
             and hasattr(made.event, "id_number")}  # fmt: skip
    assert len(told) > 300

    stored = plan.shelf.database.serialize()

    assert plan.files[0].encode() in stored
    assert not [one for one in told if one.encode() in stored]
    assert Shelf().blind("32050019900101001X") != Shelf().blind("32050019900101001X")


def test_a_plan_holds_no_drafts_however_many_there_are(bureau, tmp_path):
    write(tmp_path / "roster.xlsx", 1_500)

    importer = Importer(bureau.ledger)
    plan = importer.plan([tmp_path / "roster.xlsx"], mapping(), date(2023, 8, 1))
    gc.collect()
    held = [one for one in gc.get_objects() if type(one) in (Draft, Made)]

    assert len(plan.drafts) == 1_500 + 8
    assert held == []


def test_drafts_come_back_as_they_were_and_in_order(plan):
    first, again = list(plan.drafts), list(plan.drafts)

    assert [(d.key, d.made, d.said, d.same) for d in first] == [
        (d.key, d.made, d.said, d.same) for d in again
    ]
    people = [d.person for d in first if d.sheet >= 0]
    assert people == sorted(people)
    assert [d.sheet for d in first][:8] == [-1] * 8
    other = Drafts(Shelf())
    for draft in reversed(first[8:]):
        other.add(draft, draft.person)
    assert [(d.key, d.made) for d in other] == [(d.key, d.made) for d in first[8:]]


def test_what_is_dropped_marked_or_agreed_is_read_no_more(plan):
    drafts = plan.drafts
    one, two, three, *_ = drafts.read(0)
    count = drafts.fresh()
    drafts.drop([one.id])
    drafts.mark([two.id])
    drafts.agree(three)

    assert (drafts.fresh(), len(drafts)) == (count - 3, count - 2)
    assert {d.id for d in drafts} & {one.id, two.id, three.id} == {two.id}
    tally = drafts.tally()
    assert (tally.acts[0], tally.known[0], tally.same[0]) == (count - 8 - 2, 1, 1)


def test_groups_are_read_in_the_order_in_which_they_were_begun():
    shelf = Shelf()
    groups = Groups[int](shelf)
    for name, one in (("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)):
        groups.add(name, one)
    Groups[int](shelf).add("b", 9)

    assert list(groups) == [[1, 3], [2, 5], [4]]


def test_keys_tell_what_was_noted_more_than_once():
    shelf = Shelf()
    keys, others = Keys(shelf), Keys(shelf)
    keys.add([(("number", "F1"), 1), (("number", "F2"), 2), (("number", "F1"), 3)])
    others.add([(("number", "F2"), 4)])

    assert keys.repeated() == {1, 3}
    assert (keys.find(("number", "F2")), others.find(("number", "F1"))) == ([2], [])


def test_the_earliest_day_is_kept_with_its_row(plan):
    since = Earliest(plan.shelf)
    said = [next(d.said for d in plan.drafts if d.said), None]
    since.offer("p", "b", date(2020, 1, 2), lambda: said[0])
    since.offer("p", "a", date(2020, 1, 1), lambda: said[0])
    since.offer("p", "b", date(2019, 1, 2), lambda: said[0])
    since.offer("p", "b", date(2021, 1, 2), lambda: pytest.fail("a later day is not asked for"))

    assert [(c, day) for c, (day, _) in since.of("p").items()] == [
        ("b", date(2019, 1, 2)), ("a", date(2020, 1, 1)),
    ]  # fmt: skip
    assert since.of("q") == {}


def test_the_list_of_what_would_be_entered_has_every_act_and_no_private_value(plan, tmp_path):
    out = tmp_path / "planned.csv"
    write_planned(plan, out, "zh")

    text = out.read_text("utf-8-sig")
    _, *rows = csv.reader(text.splitlines())
    assert len(rows) == plan.events.total()
    numbers = [int(row[1]) for row in rows if row[1]]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == plan.counts()[0].acts
    private = {v for draft in plan.drafts for _, v in draft.unique()}
    assert private
    assert not [value for value in private if value in text]
    assert "身份证号(保密)" in text
