"""A roster without numbers: who its persons are, and the numbers that they are given."""

import csv
import os
import re
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from shutil import rmtree
from uuid import UUID

import pytest

from api.intake import Importer, all_batches, parse_mapping, propose, to_toml, undo
from api.settings import Bureau, Settings
from domain.acts.people import (
    NUMBER,
    AuxiliaryNumberAssigned,
    AuxiliaryNumberWithdrawn,
    PersonDetailsChanged,
    PersonRegistered,
)
from domain.bitemporal import AsOf
from domain.events import FactAnnulled, Proposal
from domain.ledger.requests import Request
from domain.refusals import BadInput
from tests.api.desk import run

JUNE, JULY = date(2023, 6, 30), date(2023, 7, 31)
HEADINGS = ["姓名", "身份证号码", "出生年月日", "所在单位", "人员类别", "入职时间"]
IDS = {"甲": "320500199001010116", "乙": "320500199001010132", "丙": "320500199001010159",
       "丁": "320500199001010175", "戊": "320500199001010191"}  # fmt: skip
UNIT_AT = 3


def row(name, number=None, born="1990-01-01", unit="城关派出所"):
    return [name, IDS.get(name, "") if number is None else number, born, unit, "勤务", "2015-03-01"]


def sheet(folder, rows, name="roster.csv", day=JUNE):
    path = folder / name
    title = f"某县公安局辅警名册(截至{day.year}年{day.month}月{day.day}日)"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[title], HEADINGS, *rows])
    return path


def own(folder, text="", instead=""):
    """The mapping that is guessed for such a file, changed."""
    path = sheet(folder, [row("甲"), row("乙", unit="巡特警大队")], "first.csv")
    written = to_toml(propose(path, name="own", division="330203").mapping)
    assert text in written
    return parse_mapping(written.replace(text, instead) if text else written)


def planned(bureau, folder, rows, day=JUNE, name="roster.csv", mapping=None):
    list(bureau.runner.catch_up())
    importer = Importer(bureau.ledger, bureau.records)
    return importer.plan([sheet(folder, rows, name, day)], mapping or own(folder))


def entered(bureau, plan):
    report = Importer(bureau.ledger, bureau.records).enter(plan)
    list(bureau.runner.catch_up())
    return report


def acted(bureau, event, on, **envelope):
    one = Request([Proposal(event, on, **envelope)], mood="attested", attested_by="政治部")
    receipt = bureau.ledger.enter(one)
    list(bureau.runner.catch_up())
    return receipt.entries[0]


def numbers(bureau, day=JULY):
    """Number → name, on a day as known now."""
    now = AsOf(day, bureau.ledger.log.head())
    held = bureau.records.values(NUMBER, now)
    names = {
        f"person:{entry.fields['person']}": bureau.ledger.vault.reveal(entry.fields)["name"]
        for entry in bureau.ledger.entries(types=["PersonRegistered"])
    }
    return {said["number"]: names[subject] for subject, said in held.items() if said}


def rules(plan):
    return [(fault.row, fault.reason.rule) for fault in plan.rejected]


def test_numbers_go_by_the_rows_and_are_the_same_however_often_it_is_imported(bureau, tmp_path):
    rows = [row(name) for name in "丙甲乙"]
    plan = planned(bureau, tmp_path, rows)
    assert plan.given == {"roster.csv": (3, "FJ00001", "FJ00003")}

    assert entered(bureau, plan).rejected.rows().total() == 0

    assert numbers(bureau) == {"FJ00001": "丙", "FJ00002": "甲", "FJ00003": "乙"}
    head = bureau.ledger.log.head()
    again = planned(bureau, tmp_path, rows)
    assert (again.given, again.drafts.fresh()) == ({}, 0)
    elsewhere = planned(bureau, tmp_path, rows[::-1], name="saved-anew.csv")
    assert (elsewhere.given, elsewhere.drafts.fresh(), rules(elsewhere)) == ({}, 0, [])
    entered(bureau, again)
    assert bureau.ledger.log.head() == head


def test_the_next_month_finds_its_persons_and_numbers_only_who_is_new(bureau, tmp_path):
    entered(bureau, planned(bureau, tmp_path, [row("甲"), row("己"), row("乙")]))

    rows = [row("丁"), row("乙", unit="巡特警大队"), row("己"), row("甲")]
    plan = planned(bureau, tmp_path, rows, JULY)

    told = [(line.standing, line.number, line.row) for line in plan.lines]
    assert told == [
        ("new", "FJ00004", 3), ("changed", "FJ00003", 4), ("unchanged", "FJ00002", 5),
        ("unchanged", "FJ00001", 6),
    ]  # fmt: skip
    entered(bureau, plan)
    assert numbers(bureau) == {
        "FJ00001": "甲", "FJ00002": "己", "FJ00003": "乙", "FJ00004": "丁",
    }  # fmt: skip


def test_who_got_another_number_meanwhile_is_found_and_keeps_it(bureau, tmp_path):
    entered(bureau, planned(bureau, tmp_path, [row("甲"), row("己")]))
    people = {entry.fields["person"] for entry in bureau.ledger.entries(types=["RecordOpened"])}
    for at, person in enumerate(sorted(people)):
        acted(bureau, AuxiliaryNumberAssigned(person=person, number=f"B-{at}"), date(2023, 7, 3))

    plan = planned(bureau, tmp_path, [row("甲"), row("己")], JULY)

    assert sorted(line.number for line in plan.lines) == ["B-0", "B-1"]
    assert {line.standing for line in plan.lines} == {"unchanged"}
    assert planned(bureau, tmp_path, [row("甲"), row("己")]).drafts.fresh() == 0


def test_a_person_whose_number_was_withdrawn_is_not_given_another(bureau, tmp_path):
    entered(bureau, planned(bureau, tmp_path, [row("甲")]))
    (opened,) = bureau.ledger.entries(types=["RecordOpened"])
    acted(bureau, AuxiliaryNumberWithdrawn(person=opened.fields["person"]), date(2023, 7, 3))

    plan = planned(bureau, tmp_path, [row("甲"), row("乙")], JULY)

    assert plan.given == {"roster.csv": (1, "FJ00002", "FJ00002")}
    assert [(line.standing, line.row) for line in plan.lines] == [("new", 4), ("unchanged", 3)]


def test_numbers_run_on_from_the_highest_and_no_gap_is_filled(bureau, tmp_path):
    acted(bureau, PersonRegistered(person="old", name="老"), JUNE)
    entered(bureau, planned(bureau, tmp_path, [row("甲")]))
    for entry in bureau.ledger.entries(types=["RecordOpened"]):
        person = entry.fields["person"]
        for number in ("fj00005", "FJ00007", "FJ000099", "FK00050"):
            acted(bureau, AuxiliaryNumberAssigned(person=person, number=number), JULY)

    assert planned(bureau, tmp_path, [row("乙"), row("丙")], name="two.csv").given == {
        "two.csv": (2, "FJ00008", "FJ00009")
    }


def test_where_the_digits_run_out_it_is_said(bureau, tmp_path):
    mapping = own(tmp_path, '{ prefix = "FJ" }', '{ prefix = "FJ", width = 3 }')
    entered(bureau, planned(bureau, tmp_path, [row("甲")], mapping=mapping))
    for entry in bureau.ledger.entries(types=["RecordOpened"]):
        high = AuxiliaryNumberAssigned(person=entry.fields["person"], number="FJ999")
        acted(bureau, high, JUNE)

    with pytest.raises(BadInput) as caught:
        planned(bureau, tmp_path, [row("乙")], name="two.csv", mapping=mapping)

    assert caught.value.field == "mapping.sheet.numbering.width"


def test_nobody_is_taken_for_another_on_a_guess(bureau, tmp_path):
    plan = planned(
        bureau, tmp_path,
        [row("甲"), row("无", born=""), row("辛"), row("辛", unit="巡特警大队"),
         row("甲", number="", born="1990-01-01"), row("壬"), row("壬"), row("癸")],
    )  # fmt: skip

    assert rules(plan) == [
        (4, "nobody-named"), (5, "conflicting-duplicate"), (6, "conflicting-duplicate"),
        (7, "alike-in-file"), (9, "duplicate"),
    ]  # fmt: skip
    assert plan.given == {"roster.csv": (3, "FJ00001", "FJ00003")}
    entered(bureau, plan)

    later = planned(bureau, tmp_path, [row("癸", number=IDS["丁"]), row("甲", number="")], JULY)
    assert rules(later) == [(3, "maybe-known-person")]
    assert [line.number for line in later.lines if line.standing == "unchanged"] == ["FJ00001"]


def test_two_files_that_name_one_person_give_one_number(bureau, tmp_path):
    first = sheet(tmp_path, [row("甲"), row("乙")], "a.csv")
    second = sheet(tmp_path, [row("丙"), row("乙")], "b.csv")

    plan = Importer(bureau.ledger, bureau.records).plan([first, second], own(tmp_path))

    assert plan.given == {
        "a.csv": (2, "FJ00001", "FJ00002"), "b.csv": (1, "FJ00003", "FJ00003"),
    }  # fmt: skip
    assert entered(bureau, plan).rejected.rows().total() == 0
    assert numbers(bureau) == {"FJ00001": "甲", "FJ00002": "乙", "FJ00003": "丙"}


def test_an_undone_roster_comes_back_with_the_same_persons_and_numbers(bureau, tmp_path):
    rows = [row(name) for name in "丙甲己"]
    report = entered(bureau, planned(bureau, tmp_path, rows))
    opened = {e.fields["person"] for e in bureau.ledger.entries(types=["RecordOpened"])}
    undo(bureau.ledger, str(report.batch))
    list(bureau.runner.catch_up())
    assert numbers(bureau) == {}

    again = entered(bureau, planned(bureau, tmp_path, rows))

    assert again.batch != report.batch
    assert numbers(bureau) == {"FJ00001": "丙", "FJ00002": "甲", "FJ00003": "己"}
    assert opened == {e.fields["person"] for e in bureau.ledger.entries(types=["RecordOpened"])}


def test_who_was_annulled_by_hand_does_not_come_back_as_somebody_else(bureau, tmp_path):
    rows = [row("甲"), row("乙")]
    entered(bureau, planned(bureau, tmp_path, rows))
    for entry in [*bureau.ledger.entries(types=["RecordOpened", "PersonRegistered"])][::-1]:
        if entry.fields["person"] == _person(bureau, "甲"):
            acted(bureau, FactAnnulled(), JUNE, annuls=UUID(entry.id))

    assert planned(bureau, tmp_path, rows).drafts.fresh() == 0
    mended = planned(bureau, tmp_path, [row("丙"), row("乙")], name="mended.csv")
    entered(bureau, mended)
    people = {e.fields["person"] for e in bureau.ledger.entries(types=["PersonRegistered"])}
    assert len(people) == 3


def _person(bureau, name):
    return next(
        e.fields["person"] for e in bureau.ledger.entries(types=["PersonRegistered"])
        if bureau.ledger.vault.reveal(e.fields)["name"] == name
    )  # fmt: skip


def test_an_id_number_that_is_changed_later_finds_the_same_person(bureau, tmp_path):
    entered(bureau, planned(bureau, tmp_path, [row("甲")]))
    changed = PersonDetailsChanged(person=_person(bureau, "甲"), id_number=IDS["戊"])
    acted(bureau, changed, date(2023, 7, 1))

    plan = planned(bureau, tmp_path, [row("甲", number=IDS["戊"])], JULY)

    assert [(line.standing, line.number) for line in plan.lines] == [("unchanged", "FJ00001")]


def test_an_id_number_that_only_the_sheet_has_changed_opens_no_record_unremarked(bureau, tmp_path):
    entered(bureau, planned(bureau, tmp_path, [row("甲"), row("乙")]))

    plan = planned(bureau, tmp_path, [row("甲", number=IDS["戊"]), row("乙"), row("丙")], JULY)

    told = [(line.standing, line.row) for line in plan.lines if line.standing != "gone"]
    assert told == [("new", 3), ("new", 5), ("unchanged", 4)]
    assert [(f.row, f.reason.rule, f.reason.rejects) for f in plan.warnings] == [
        (3, "namesake", False)
    ]


def test_nothing_public_is_made_of_what_is_private(bureau, tmp_path):
    plan = planned(bureau, tmp_path, [row("甲"), row("己")])
    other = planned(
        bureau, tmp_path, [row("甲", born="1990-01-02", number=""), row("庚")], name="roster.csv"
    )
    entered(bureau, plan)

    for entry in bureau.ledger.entries(types=["PersonRegistered", "RecordOpened"]):
        assert entry.envelope["source"]["key"] == f"roster:{entry.fields['person']}"
    stored = b"".join(e.data for e in bureau.ledger.log.entries())
    assert not any(secret.encode() in stored for secret in (*IDS.values(), "甲", "1990-01-01"))
    # of one row and another in its place the ids differ by the file alone, not by who they are
    ids = [{d.person for d in one.drafts if d.person} for one in (plan, other)]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ('numbering = { prefix = "FJ" }', 'numbering = { prefix = "FJ" }\nkey = "{unit}"'),
        ('numbering = { prefix = "FJ" }', 'numbering = { prefix = "FJ" }\nperson = "{name}"'),
        ('numbering = { prefix = "FJ" }', ""),
        ('prefix = "FJ"', 'prefix = "辅"'),
        ('prefix = "FJ"', 'prefix = "FJ", width = 2'),
        ('number = "{number}"\n', ""),
        ('id_number = "{id-number}"', 'id_number = "{number}"'),
        ('heading = ["姓名"]', 'heading = ["编号"]\n[sheet.columns.number]\nheading = "工号"'),
    ],
)
def test_a_mapping_gives_numbers_or_reads_them(tmp_path, text, instead):
    with pytest.raises(BadInput) as caught:
        own(tmp_path, text, instead)

    assert (caught.value.field or "").startswith("mapping")


def test_a_clerk_whose_bureau_has_no_numbers_yet(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="ledger-numbers-"))
    folder.chmod(0o755)
    mapping, acts = tmp_path / "own.toml", tmp_path / "acts.csv"
    june = sheet(tmp_path, [row("甲"), row("己", unit="巡特警大队")], "june.csv")
    july = sheet(tmp_path, [row("丙"), row("己", unit="城关派出所"), row("甲")], "july.csv", JULY)
    try:
        with Bureau(Settings(folder)) as bureau:
            guessed = run(folder, "import", "guess", str(june), "--division", "330203",
                          "--save", str(mapping))  # fmt: skip
            assert (guessed.code, "由账本" in guessed.out) == (0, True)
            given = [str(june), "--mapping", str(mapping)]
            checked = run(folder, "import", *given, "--planned", str(acts))
            assert "将编号(未编) 2 个:FJ00001 至 FJ00002" in checked.out
            assert "编号 FJ00002(将编)" in acts.read_text("utf-8-sig")
            assert bureau.ledger.log.head() == 0

            assert run(folder, "import", *given, "--enter").code == 0
            given[0] = str(july)
            compared = run(folder, "import", *given)
            assert re.search(r"新增 1 人.*FJ00003.*变更 1 人.*FJ00002", compared.out, re.DOTALL)
            assert run(folder, "import", *given, "--enter").code == 0
            list(bureau.runner.catch_up())
            assert numbers(bureau) == {"FJ00001": "甲", "FJ00002": "己", "FJ00003": "丙"}

            batch = all_batches(bureau.ledger)[1]
            assert run(folder, "import", "undo", batch.id[:8], "--enter").code == 0
            list(bureau.runner.catch_up())
            assert numbers(bureau) == {"FJ00001": "甲", "FJ00002": "己"}
    finally:
        rmtree(folder, ignore_errors=True)


def test_of_two_imports_at_once_no_number_is_given_twice(tmp_path):
    folder = Path(tempfile.mkdtemp(prefix="ledger-numbers-"))
    folder.chmod(0o755)
    mapping = tmp_path / "own.toml"
    mapping.write_text(to_toml(own(tmp_path)), "utf-8")
    born = [f"19{70 + n // 300}-{n // 25 % 12 + 1:02}-{n % 25 + 1:02}" for n in range(600)]
    files = [
        sheet(tmp_path, [row(f"{name}{n}", born=day) for n, day in enumerate(born)], f"{name}.csv")
        for name in ("子", "丑")
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PERSONNEL_LEDGER")}
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), "import"]
    end = ["--mapping", str(mapping), "--enter"]
    try:
        with Bureau(Settings(folder)) as bureau:
            at_once = [
                subprocess.Popen([*command, str(file), *end], env=clean, stdout=subprocess.PIPE)
                for file in files
            ]
            said = [one.communicate()[0].decode() for one in at_once]
            assert [one.returncode for one in at_once] == [0, 0]
            for file in files:
                assert run(folder, "import", str(file), *end).code == 0

            list(bureau.runner.catch_up())
            found = numbers(bureau)
            assert len(found) == len({*found.values()}) == 2 * len(born)
            assert said[0] != said[1]
    finally:
        rmtree(folder, ignore_errors=True)
