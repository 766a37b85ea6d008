import csv
import gzip
import itertools
from collections import Counter, defaultdict
from datetime import UTC, date, datetime

import pytest
from python_calamine import load_workbook

from api.intake import Importer, write_rejected
from api.intake.account import Account, write_account
from api.intake.mapping import load_mapping
from api.intake.rows import person_id
from domain.acts.grades import GRADE
from domain.acts.people import SERVICE, UNIT, PersonRegistered
from domain.acts.rewards import REWARDS
from domain.bitemporal import FOREVER, AsOf
from domain.events import Actor, Proposal
from domain.ledger import Request
from domain.record import Record
from domain.refusals import BadInput
from tests.intake.paths import CHICAGO

HEADINGS = {
    "unit_history": "person,unit,unit_start_date,unit_end_date",
    "salary": "person,year,rank,pay_grade,salary,employee_status,org_hire_date,start_date,spp_date",
    "awards": "person,award_type,award_request_date,award_start_date,award_end_date,"
    "ceremony_date,current_award_status,rank,tracking_no",
    "complaints": "person,case,incident_date,complaint_date,closed_date,on_duty,officer_injury,"
    "assigned_unit,rank,category_tier_1,finding,final_finding,recommended_penalty,final_penalty",
}


@pytest.fixture
def history(bureau, tmp_path):
    """Plan and enter histories of person "a": (file, what its columns after the person hold)."""

    def enter(**rows):
        for file, lines in rows.items():
            text = [HEADINGS[file], *(f"a,{line}" for line in lines)]
            (tmp_path / f"{file}.csv").write_text("\n".join(text) + "\n")
        importer = Importer(bureau.ledger)
        report = importer.enter(importer.plan([tmp_path], "chicago"))
        assert all(c.acts + c.unchanged + c.rejected == c.rows for c in report.files)
        return report, Record.fold(bureau.ledger.entries())

    return enter


def rules(report):
    return Counter(fault.reason.rule for fault in report.rejected)


def on(record, facet, day):
    fact = record.at(facet, "person:a", AsOf(date.fromisoformat(day), FOREVER - 1))
    return fact.value[facet.ref or "state"] if fact else "not recorded"


def salaries(*years_and_ranks):
    return [f"{year},{rank},x,1,x,1990-05-01,," for year, rank in years_and_ranks]


def test_a_spell_holds_to_its_last_day_and_a_gap_is_not_recorded(history):
    _, record = history(unit_history=["1.0,2001-01-01,2001-06-30", "2.0,2001-09-01,"])

    answers = [on(record, UNIT, d) for d in ("2001-06-30", "2001-07-01", "2001-09-01")]
    assert answers == ["cpd-1", "not recorded", "cpd-2"]
    assert on(record, SERVICE, "2001-07-01") == "in"


def test_a_shorter_spell_lies_on_top_of_a_longer_one(history):
    _, record = history(
        unit_history=["3.0,2001-01-01,2001-01-31", "1.0,2001-01-01,", "2.0,2001-06-01,2001-06-30"]
    )

    answers = [on(record, UNIT, f"2001-{d}") for d in ("01-31", "02-01", "06-15", "07-01")]
    assert answers == ["cpd-3", "cpd-1", "cpd-2", "cpd-1"]


def test_spells_that_overlap_are_entered_and_named_with_the_row_beneath(bureau, tmp_path):
    spells = [
        "a,3.0,2001-01-01,2001-01-31", "a,1.0,2001-01-01,2001-12-31", "a,2.0,2001-06-01,2001-06-30",
        "a,4.0,2002-01-01,", "b,1.0,2001-03-01,2001-04-30", "b,2.0,2001-04-30,",
    ]  # fmt: skip
    (tmp_path / "unit_history.csv").write_text("\n".join([HEADINGS["unit_history"], *spells]))
    importer = Importer(bureau.ledger)
    plan = importer.plan([tmp_path], "chicago")

    overlapping = [f for f in plan.warnings if f.reason.rule == "overlapping-spell"]
    assert [(f.row, f.other) for f in overlapping] == [(2, 3), (4, 3), (7, 6)]
    assert plan.rules == {"overlapping-spell": 3}
    report = importer.enter(plan)
    assert report.files[0][2:] == (6, 6, 0, 0, 0, 0)

    (out,) = write_rejected(plan, report.rejected, tmp_path / "out")
    (name,) = load_workbook(out).sheet_names
    headings, *rows = load_workbook(out).get_sheet_by_name(name).to_python()
    assert name == "提示(不退回)"
    assert [(row[headings.index("unit")], row[headings.index("原行号")]) for row in rows] == [
        ("3.0", 2), ("2.0", 4), ("2.0", 7)
    ]  # fmt: skip
    assert all("(第3行)" in row[headings.index("原因")] for row in rows[:2])

    write_account(
        Account(plan, report, Actor(), datetime.now(UTC)), page := tmp_path / "a.html", "en"
    )
    assert "Rows remarked upon, not rejected 3" in (text := page.read_text("utf-8"))
    assert "(row 6)" in text


def test_spells_that_cannot_be_are_kept_with_their_reason(history):
    report, _ = history(
        unit_history=[
            "1.0,2001-01-01,", "2.0,2001-01-01,2000-12-31", "2.0,,", ",2001-01-01,",
            "1.0,2001-03-01,",
        ]
    )  # fmt: skip

    assert rules(report) == {
        "ends-before-it-begins": 1, "blank-start": 1, "blank-unit": 1, "refused-already-recorded": 1,
    }  # fmt: skip
    assert report.files[0][2:] == (5, 1, 0, 0, 0, 4)


def test_only_a_change_of_rank_is_an_act(history):
    report, record = history(
        salary=salaries(
            (2002, "POLICE OFFICER"), (2003, "POLICE OFFICER"), (2004, "SERGEANT"),
            (2005, "POLICE OFFICER"), (2006, "GENERAL COUNSEL"),
        )
    )  # fmt: skip

    assert [report.events[e] for e in
            ("GradeRated", "AuxiliaryPromoted", "AuxiliaryDemoted", "GradeConverted")] == [1] * 4  # fmt: skip
    assert report.files[0][2:] == (5, 4, 0, 1, 0, 0)
    assert [on(record, GRADE, f"{year}-12-31") for year in (2001, 2003, 2004, 2006)] == [
        "not recorded", "POLICE OFFICER", "SERGEANT", "GENERAL COUNSEL",
    ]  # fmt: skip


def test_two_ranks_in_one_year_are_taken_so_that_fewest_changes_result(history):
    report, _ = history(
        salary=salaries(
            (2002, "POLICE OFFICER"), (2003, "SERGEANT"), (2003, "POLICE OFFICER"),
            (2004, "SERGEANT"),
        )
    )  # fmt: skip

    assert report.events["AuxiliaryPromoted"] == 1
    assert report.events["AuxiliaryDemoted"] == 0


def test_service_counts_from_the_hire_where_the_files_know_it(history):
    _, record = history(unit_history=["1.0,2001-01-01,"], salary=salaries((2002, "POLICE OFFICER")))

    assert on(record, SERVICE, "1990-05-01") == "in"
    assert on(record, UNIT, "1990-05-01") == "not recorded"


def test_an_award_follows_its_status(history):
    report, record = history(
        awards=[
            "MERIT,2018-01-02,2017-12-01,,,FINAL,x,A1", "MERIT,2018-02-02,2017-12-02,,,DELETED,x,",
            "MERIT,2018-03-02,2017-12-03,,,DENIED,x,", "MERIT,2018-04-02,2017-12-03,,,PRELIMINARY,x,",
            "MERIT,2018-01-02,2017-12-01,,,FINAL,x,A1",
        ]
    )  # fmt: skip

    assert (report.events["RewardGranted"], report.events["RewardRevoked"]) == (2, 1)
    assert rules(report) == {"not-conferred": 1, "not-yet-conferred": 1}
    assert report.files[0][2:] == (5, 2, 0, 1, 0, 2)
    standing = record.every(REWARDS, "person:a", AsOf(date(2022, 1, 1), FOREVER - 1))
    assert [fact.value["incident"] for fact in standing] == ["A1"]


def test_a_complaint_is_an_act_where_it_was_sustained_or_somebody_was_hurt(history):
    line = "{},2019-01-05,2019-02-01,2019-06-30,On Duty   ,{},7,x,y,{},{},{},{}"
    report, _ = history(
        complaints=[
            line.format("c1", "No Injury", "Sustained", "", "r", "100 - REPRIMAND"),
            line.format("c2", "Fatal", "Unfounded", "", "", ""),
            line.format("c3", "", "Sustained", "Not Sustained", "r", "100 - REPRIMAND"),
            line.format("c4", "", "Sustained", "", "400 - SEPARATION", ""),
            line.format("c5", "", "Unfounded", "", "", ""),
        ]
    )

    assert (report.events["SanctionImposed"], report.events["InjuryReported"]) == (1, 1)
    assert rules(report) == {
        "penalty-without-finding": 1, "penalty-not-final": 1, "not-sustained": 1,
    }  # fmt: skip


def test_rows_that_say_the_same_as_a_refused_act_are_rejected_with_it(history, bureau):
    stranger = Proposal(PersonRegistered(person="a"), date(2001, 1, 1))
    bureau.ledger.enter(Request([stranger], mood="attested"))

    report, _ = history(salary=salaries((2002, "SERGEANT"), (2003, "SERGEANT")))

    assert report.files[0][2:] == (2, 0, 0, 0, 0, 2)
    assert rules(report) == {"refused-not-in-service": 2, "refused-already-recorded": 1}
    assert report.events.total() == 0


def test_a_file_for_which_the_mapping_has_no_sheet_is_refused(bureau, tmp_path):
    other = tmp_path / "weapons.csv"
    other.write_text("a,b\n")

    with pytest.raises(BadInput, match=r"weapons\.csv: the mapping chicago has no sheet"):
        Importer(bureau.ledger).plan([other], "chicago")


needs_chicago = pytest.mark.skipif(
    not CHICAGO.is_dir(), reason="the public histories do not lie beside the project"
)


@pytest.fixture(scope="module")
def slice_of_chicago(tmp_path_factory):
    """The rows of the first 300 persons of all four files, and how many there are by file."""
    folder = tmp_path_factory.mktemp("chicago")
    persons = set()
    with gzip.open(CHICAGO / "complaints.csv.gz", "rt") as file:
        for row in itertools.islice(csv.reader(file), 1, 2_000, 6):
            persons.add(row[0])
    persons = set(sorted(persons)[:300])
    counts = {}
    for name in HEADINGS:
        with gzip.open(CHICAGO / f"{name}.csv.gz", "rt") as file:
            rows = csv.reader(file)
            kept = [next(rows), *(row for row in rows if row[0] in persons)]
        with gzip.open(folder / f"{name}.csv.gz", "wt", newline="") as file:
            csv.writer(file).writerows(kept)
        counts[f"{name}.csv.gz"] = len(kept) - 1
    return folder, counts


@pytest.fixture(scope="module")
def whole(common_bureau, slice_of_chicago):
    """The slice entered in one go: plan, report and the entries there are."""
    folder, _ = slice_of_chicago
    importer = Importer(common_bureau.ledger)
    plan = importer.plan([folder], "chicago")
    before = common_bureau.ledger.log.head()
    report = importer.enter(plan)
    entered = Counter(e.type for e in common_bureau.ledger.entries(after=before))
    assert (entered.pop("ImportBegun"), entered.pop("ImportFinished")) == (1, 1)
    assert entered.pop("SheetRead") == 4
    kept = [draft for draft in plan.drafts if draft.said is not None]
    assert entered.pop("RowRead") == len(kept) > sum(c.acts for c in report.files)
    return plan, report, entered


@needs_chicago
def test_nothing_that_was_read_of_a_real_history_is_lost(whole, slice_of_chicago, tmp_path):
    plan, report, entered = whole
    _, counts = slice_of_chicago

    assert {c.file: c.rows for c in report.files} == counts
    kept = defaultdict(set)
    for fault in report.rejected:
        kept[fault.file].add(fault.row)
    for c in report.files:
        assert c.acts + c.unchanged + c.rejected == c.rows, c
        assert c.rejected == len(kept[c.file])
    assert entered == report.events
    assert min(entered[e] for e in
               ("AuxiliaryTransferred", "AuxiliaryPromoted", "RewardGranted", "SanctionImposed")) > 0  # fmt: skip
    told = {file for file, rows in kept.items() if rows} | {f.file for f in plan.warnings}
    assert len(write_rejected(plan, report.rejected, tmp_path)) == len(told)
    assert plan.rules["overlapping-spell"] > 0


@needs_chicago
def test_what_says_the_same_names_the_act_that_says_it(whole):
    plan, _, _ = whole
    made = {draft.made[0].event_id for draft in plan.drafts}

    same = list(plan.unchanged())

    assert len(same) == sum(c.unchanged for c in plan.counts())
    assert {event_id for _, _, event_id in same} <= made


@needs_chicago
def test_an_import_that_broke_off_is_taken_up_without_loss_or_repetition(
    bureau, whole, slice_of_chicago
):
    folder, _ = slice_of_chicago
    _, uninterrupted, _ = whole
    importer = Importer(bureau.ledger)
    broken = importer.plan([folder], "chicago")
    broken.drafts.drop([draft.id for draft in broken.drafts][len(broken.drafts) // 2 :])
    half = importer.enter(broken)

    resumed = importer.enter(importer.plan([folder], "chicago"))
    again = importer.enter(importer.plan([folder], "chicago"))

    assert half.already == 0 < half.position
    assert half.events + resumed.events == uninterrupted.events
    assert resumed.already == len(broken.drafts) - sum(
        fault.reason.rule.startswith("refused") for fault in half.rejected
    )
    assert again.events.total() == 0
    whole_ledger = Counter(e.type for e in bureau.ledger.entries())
    own_account = 3 + 4 + whole_ledger["RowRead"]  # begun, finished twice, the sheets, the rows
    assert again.position == resumed.position == uninterrupted.events.total() + own_account
    assert [c._replace(already=0) for c in again.files] == uninterrupted.files


@needs_chicago
def test_all_files_speak_of_the_same_persons(whole):
    plan, _, _ = whole
    sheets = defaultdict(set)
    for draft in plan.drafts:
        for made in draft.made:
            if person := getattr(made.event, "person", None):
                sheets[person].add(draft.sheet)

    assert all(-1 in seen for seen in sheets.values())
    assert any({0, 1, 2, 3} <= seen for seen in sheets.values())
    assert person_id(load_mapping("chicago"), "ffff6e8f34cf") == "ffff6e8f34cf"
