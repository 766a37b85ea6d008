"""A file is there whole or not at all, and what could not be written leaves nothing behind."""

import csv

import pytest

from api.intake import write_template
from api.intake.reading import read
from api.workbook import Sheet, write, write_csv, write_lines

SHEET = Sheet("甲", ["姓名"], [["某某" * 50 + str(n)] for n in range(20_000)])
WRITERS = {
    "out.xlsx": lambda out: write(out, [SHEET]),
    "out.csv": lambda out: write_csv(out, SHEET),
    "out.jsonl": lambda out: write_lines(out, [{"name": row} for row in SHEET.rows]),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_what_finds_no_room_leaves_the_file_of_before_and_nothing_beside_it(tmp_path, name):
    out = tmp_path / name
    out.write_bytes(b"before")
    (tmp_path / f".{name}.unfinished").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        WRITERS[name](out)

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert out.read_bytes() == b"before"


def test_a_template_finds_no_place(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_template("RewardGranted", tmp_path / "nowhere" / "t.xlsx", [])


def test_a_text_that_a_spreadsheet_would_calculate_comes_back_as_it_was(tmp_path):
    said = ["=1+1", "+86", "-", "@甲", "'甲", "甲=乙"]
    out = tmp_path / "out.csv"
    write_csv(out, Sheet("甲", ["姓名", "备注"], [[one, "x"] for one in said]))

    with out.open(encoding="utf-8-sig", newline="") as file:
        raw = [row[0] for row in csv.reader(file)][1:]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in raw)
    back = [row.cells[0] for row in read(out, ["姓名", "备注"]).rows]
    assert back == said
