"""A batch is undone whole, or not at all where a later act rests on it."""

import json
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from shutil import rmtree
from uuid import UUID

import pytest

from api.intake import Importer, all_batches, plan_undo, undo
from api.settings import Bureau, Settings
from domain.acts.grades import AuxiliaryPromoted
from domain.acts.people import NUMBER, AuxiliaryNumberWithdrawn, PersonRegistered
from domain.acts.recruitment import AuxiliaryHired
from domain.bitemporal import FOREVER, AsOf
from domain.events import FactAnnulled, Proposal
from domain.ledger.requests import Request
from domain.record import Record
from domain.refusals import RecordForbids, UnknownSubject
from tests.api.desk import run
from tests.intake.paths import ROSTERS

FILE, MAPPING = ROSTERS / "roster_city.xlsx", "roster-city"
ACCOUNT = ("ImportBegun", "ImportFinished", "SheetRead", "RowRead")
DAY, LATER = date(2021, 8, 1), date(2022, 1, 4)


def imported(bureau):
    importer = Importer(bureau.ledger)
    report = importer.enter(importer.plan([FILE], MAPPING))
    return str(report.batch)


def said(bureau):
    """What holds on the roster's day, by facet and subject, in the words of the facts."""
    record = Record.fold(bureau.ledger.entries())
    facts = [f for f in record.every_version() if f.holds(AsOf(DAY, FOREVER - 1))]
    sealed = [(f.facet, f.subject, bureau.ledger.vault.reveal(f.value)) for f in facts]
    return {one for one in map(repr, sealed) if "'import'" not in one}


def someone(bureau, number="FJ320500006"):
    record = Record.fold(bureau.ledger.entries())
    held = (record.at(NUMBER, s, AsOf(DAY, FOREVER - 1)) for s in record.subjects(NUMBER))
    return next(f.subject for f in held if f.value["number"] == number).partition(":")[2]


def entered(bureau, event, on=LATER, mood="attested", **envelope):
    one = Request([Proposal(event, on, **envelope)], mood=mood, attested_by="政治部")
    return bureau.ledger.enter(one).entries[0]


def promotion(person):
    return AuxiliaryPromoted(
        person=person, grade="supervisor-1", ladder="suzhou", kind="assessment"
    )


def test_a_plan_to_undo_enters_nothing_and_counts_everything(bureau):
    batch = imported(bureau)
    head = bureau.ledger.log.head()

    planned = plan_undo(bureau.ledger, batch[:8])

    own = Counter(e.type for e in bureau.ledger.entries())
    assert planned.events.total() == head - sum(own[type_] for type_ in ACCOUNT)
    assert (planned.dependents, planned.already) == ([], 0)
    assert bureau.ledger.log.head() == head


def test_an_undone_batch_leaves_nothing_standing_and_says_whose_annulments_they_are(bureau):
    batch = imported(bureau)
    before = bureau.ledger.log.head()
    acts = sum(e.type not in ACCOUNT for e in bureau.ledger.entries())

    undo(bureau.ledger, batch)

    assert said(bureau) == set()
    gone = list(bureau.ledger.entries(after=before))
    assert Counter(e.type for e in gone) == {"FactAnnulled": acts, "ImportUndone": 1}
    assert {e.envelope["request_id"] for e in gone} == {f"undo:{batch}"}
    assert {e.mood for e in gone} == {"attested"}
    assert len({e.recorded_at for e in gone}) == 1
    (one,) = all_batches(bureau.ledger)
    assert (one.id, one.entries, one.rejected, one.files) == (batch, acts, 24, [FILE.name])
    assert one.undone == gone[-1].recorded_at


def test_undoing_again_changes_nothing(bureau):
    batch = imported(bureau)
    undo(bureau.ledger, batch)
    head = bureau.ledger.log.head()

    assert undo(bureau.ledger, batch).targets == []
    assert bureau.ledger.log.head() == head


def test_what_was_brought_back_of_an_undone_batch_is_undone_again(bureau):
    batch = imported(bureau)
    undo(bureau.ledger, batch)
    gone = [*bureau.ledger.entries(types=["FactAnnulled"])]
    back = [e for e in gone[::-1] if "person:" not in " ".join(e.tags)]
    for entry in back:
        entered(bureau, FactAnnulled(), DAY, annuls=UUID(entry.id))
    assert len(said(bureau)) > 0
    assert plan_undo(bureau.ledger, batch).events.total() == len(back)

    undo(bureau.ledger, batch)

    assert said(bureau) == set()
    assert len([*bureau.ledger.entries(types=["ImportUndone"])]) == 1
    head = bureau.ledger.log.head()
    assert undo(bureau.ledger, batch).targets == []
    assert bureau.ledger.log.head() == head


def test_nothing_rests_on_facts_that_stand_no_more(bureau):
    first = imported(bureau)
    undo(bureau.ledger, first)
    imported(bureau)

    assert plan_undo(bureau.ledger, first).dependents == []
    assert undo(bureau.ledger, first).targets == []


def test_what_was_undone_can_be_imported_again_as_another_batch(bureau):
    first = imported(bureau)
    before = said(bureau)
    undo(bureau.ledger, first)

    second = imported(bureau)

    assert second != first
    assert said(bureau) == before
    head = bureau.ledger.log.head()
    assert imported(bureau) == second
    assert bureau.ledger.log.head() == head
    undo(bureau.ledger, second)
    assert said(bureau) == set()


def test_a_fact_annulled_by_hand_does_not_come_back_with_its_file(bureau):
    batch = imported(bureau)
    wrong = next(bureau.ledger.entries(types=["ContractOpened"]))
    entered(bureau, FactAnnulled(), annuls=UUID(wrong.id))
    assert plan_undo(bureau.ledger, batch).already == 1
    held = said(bureau)

    imported(bureau)

    assert said(bureau) == held


@pytest.mark.parametrize("why", ["decided", "corrects", "ends"])
def test_a_batch_on_which_a_later_act_rests_is_not_undone(bureau, why):
    batch = imported(bureau)
    person = someone(bureau)
    opened = next(e for e in bureau.ledger.entries([f"person:{person}"], ["RecordOpened"]))
    match why:
        case "decided":
            one = entered(bureau, promotion(person))
        case "corrects":
            content = opened.cls.model_validate({**opened.fields, "form": "dispatched",
                                                 "agency": "320500-agency"})  # fmt: skip
            one = entered(bureau, content, DAY, supersedes=UUID(opened.id))
        case "ends":
            one = entered(bureau, AuxiliaryNumberWithdrawn(person=person))
    head = bureau.ledger.log.head()

    with pytest.raises(RecordForbids) as caught:
        undo(bureau.ledger, batch)

    (dependent,) = plan_undo(bureau.ledger, batch).dependents
    assert (dependent.position, dependent.type, dependent.why) == (one.position, one.type, why)
    assert f"person:{person}" in dependent.subjects
    assert (caught.value.position, caught.value.field) == (one.position, "batch")
    assert person in caught.value.detail
    assert bureau.ledger.log.head() == head


def test_an_act_decided_on_a_unit_of_the_batch_alone_stands_in_its_way(bureau):
    batch = imported(bureau)
    entered(bureau, PersonRegistered(person="new"))
    hired = entered(bureau, AuxiliaryHired(person="new", unit="320500-cd", category="field"))

    dependents = plan_undo(bureau.ledger, batch).dependents

    assert [d.position for d in dependents] == [hired.position]


def test_what_does_not_stand_any_more_is_in_nobodys_way(bureau):
    batch = imported(bureau)
    promoted = entered(bureau, promotion(someone(bureau)))
    entered(bureau, FactAnnulled(), annuls=promoted.event_id)
    corrected = entered(bureau, promotion(someone(bureau)))
    entered(bureau, promotion(someone(bureau)), supersedes=corrected.event_id)
    assert len(plan_undo(bureau.ledger, batch).dependents) == 1
    newest = plan_undo(bureau.ledger, batch).dependents[0].position
    again = next(bureau.ledger.entries(after=newest - 1, until=newest))
    entered(bureau, FactAnnulled(), annuls=UUID(again.id))

    undo(bureau.ledger, batch)

    assert said(bureau) == set()


def test_an_undoing_that_broke_off_is_taken_up_and_annuls_nothing_twice(bureau):
    batch = imported(bureau)
    count = plan_undo(bureau.ledger, batch).events.total()

    def stop(done, _):
        if done > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undo(bureau.ledger, batch, progress=stop, together=100)
    assert all_batches(bureau.ledger)[0].undone is None
    half = plan_undo(bureau.ledger, batch)
    assert 0 < half.already < count

    undo(bureau.ledger, batch)

    annulled = Counter(e.root for e in bureau.ledger.entries(types=["FactAnnulled"]))
    assert (len(annulled), set(annulled.values())) == (count, {1})
    assert said(bureau) == set()
    assert all_batches(bureau.ledger)[0].undone is not None


def test_there_must_be_one_such_batch(bureau):
    with pytest.raises(UnknownSubject) as caught:
        plan_undo(bureau.ledger, "abc")
    assert caught.value.field == "batch"


def test_a_clerk_lists_batches_and_undoes_one():
    folder = Path(tempfile.mkdtemp(prefix="ledger-undo-"))
    folder.chmod(0o755)
    try:
        with Bureau(Settings(folder)) as bureau:
            imports = run(folder, "import", str(FILE), "--mapping", MAPPING, "--enter")
            assert imports.code == 0, imports
            head = bureau.ledger.log.head()
            (batch,) = json.loads(run(folder, "import", "list", "--json").out)["data"]["batches"]
            assert batch["id"] in imports.out
            assert "已登记" in run(folder, "import", "list").out

            out = folder / "batches.csv"
            assert run(folder, "import", "list", "--out", str(out)).code == 0
            assert batch["digests"][0] in out.read_text("utf-8-sig").splitlines()[2]

            checked = run(folder, "import", "undo", batch["id"][:8])
            assert (checked.code, bureau.ledger.log.head()) == (0, head)
            assert "未撤销" in checked.out
            hired = entered(bureau, promotion(someone(bureau)))
            refused = run(folder, "import", "undo", batch["id"], "--enter")
            assert (refused.code, f"见登记 {hired.position}" in refused.err) == (1, True)
            named = run(folder, "import", "undo", batch["id"])
            assert (named.code, "层级晋升" in named.out) == (1, True)

            entered(bureau, FactAnnulled(), annuls=hired.event_id)
            assert run(folder, "import", "undo", batch["id"], "--enter").code == 0
            assert "已撤销" in run(folder, "import", "list").out
            assert json.loads(run(folder, "roster", "--json").out)["data"]["count"] == 0
    finally:
        rmtree(folder, ignore_errors=True)
