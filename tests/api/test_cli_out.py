"""Files in and out by the command: exports, the archive."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from python_calamine import load_workbook
from typer.testing import CliRunner

from api.cli.main import app
from tests.api.desk import run

PROTECTED = Path(__file__).parents[1] / "data" / "protected"


def test_a_roster_goes_to_a_file_and_its_screen_says_only_where(desk, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    said = desk.run("roster", "-e", "2022-06-30", "--out", str(out))
    assert (said.code, said.out) == (0, "")
    title, headings, row = out.read_text("utf-8-sig").splitlines()
    assert "截至2022-06-30" in title
    assert headings.startswith("人员,编号,类别")
    assert row.startswith("P1,F0001,勤务")
    assert "张三" not in row

    assert desk.run("roster", "--out", str(out), "--private", "--gb18030").code == 0
    assert "张三" in out.read_bytes().decode("gb18030")


def test_what_an_answer_rests_on_goes_to_a_file_with_both_times_and_the_head(
    desk, tmp_path: Path
) -> None:
    asked = ("explain", "P1", "unit", "-e", "2022-06-30")
    screen = orjson.loads(desk.run(*asked, "--json").out)
    for name in ("a.jsonl", "a.csv", "a.xlsx"):
        assert desk.run(*asked, "--out", str(tmp_path / name)).code == 0
    stated, *rows = map(orjson.loads, (tmp_path / "a.jsonl").read_bytes().splitlines())
    assert (stated["report"], stated["as_of"]) == ("explain", screen["as_of"])
    assert stated["head"] == screen["as_of"]["recorded"]
    cited = [(one["position"], one["part"]) for one in screen["data"]["entries"]]
    assert [(row["entry"], row["part"]) for row in rows] == cited
    assert rows[-1]["value"] == {"unit": screen["data"]["facts"][0]["value"]["unit"]}

    title, headings, *lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert "截至2022-06-30" in title
    assert f"账本末位 {stated['head']}" in title
    assert headings.startswith("对象,事项代码,事项,席位,作用")
    assert "给出内容" in lines[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--private",), ("--gb18030",), ("--out", "a.pdf"), ("--out", "a.csv", "--json"),
        ("--out", "a.xlsx", "--gb18030"), ("--out", "a.jsonl", "--mapping-out", "m.toml"),
    ],
)  # fmt: skip
def test_options_of_a_file_that_make_no_sense_are_bad_use(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = CliRunner().invoke(app, ["--data", str(tmp_path / "none"), "roster", *arguments])
    assert said.exit_code == 2
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("suffix", ["xls", "xlsx", "et", "ods"])
def test_a_workbook_that_asks_for_a_password_is_refused_in_words(desk, suffix: str) -> None:
    file = PROTECTED / f"protected.{suffix}"
    before = desk.run("journal", "--json").out
    said = desk.run("--lang", "zh", "import", str(file), "--mapping", "roster-city")
    assert said.code == 1
    assert f"protected.{suffix}:工作簿设有打开密码,请另存为无密码的文件后再导入" in said.err
    assert "张三" not in said.err + said.out
    assert orjson.loads(desk.run("journal", "--json").out)["data"] == orjson.loads(before)["data"]


def test_a_place_that_cannot_be_written_to_is_said(desk, tmp_path: Path) -> None:
    said = desk.run("pay", "P1", "-e", "2022-06-30", "--out", str(tmp_path / "none" / "a.xlsx"))
    assert said.code == 1
    assert "cannot write to" in said.err


@pytest.fixture
def other() -> Iterator[Path]:
    """A folder that a server without root's rights can reach."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-other-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_an_archive_is_dumped_checked_and_loaded_into_another_folder(
    desk, tmp_path: Path, other: Path
) -> None:
    file = tmp_path / "ledger.gz"
    dumped = desk.run("archive", "dump", str(file))
    assert dumped.code == 0, dumped
    checked = run(tmp_path / "nothing", "archive", "check", str(file))
    assert checked.code == 0, checked
    assert checked.out.splitlines()[1:] == dumped.out.splitlines()[1:]
    assert not (tmp_path / "nothing").exists()

    keyless = run(other, "archive", "load", str(file))
    assert keyless.code == 1
    assert "first put the key file" in keyless.err.replace("\n", " ")
    shutil.copy(desk.folder / "kek", other / "kek")
    loaded = run(other, "archive", "load", str(file))
    assert loaded.code == 0, loaded
    assert loaded.out.splitlines()[1:] == dumped.out.splitlines()[1:]

    file.write_bytes(file.read_bytes()[:-400])
    broken = run(tmp_path / "nothing", "archive", "check", str(file))
    assert broken.code == 1
    assert "登记" in broken.err


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("chain", "P1", "2023-06-01"), {"capacity": "head", "known": "now"}),
        (("chain", "P1", "2023-01-01", "--to", "2023-06-01"), {"person": "P1"}),
        (("beliefs", "P1", "-e", "2023-06-01"), {"facet": "unit", "subject": "person:P1"}),
        (("rectangles", "P1", "--facet", "unit"), {"facet": "unit", "known_to": None}),
        (("replay", "compare", "P1", "--before-recorded", "1"), {"how": "changed"}),
        (("unit", "U01"), {"subject": "U01", "facet": "unit-name"}),
        (("unit",), {"unit": "U01"}),
        (("series", "headcount", "--from", "2023-04", "--to", "2023-04"), {"key": "total"}),
    ],
)
def test_every_answer_goes_to_a_file_of_each_kind(desk, tmp_path: Path, asked, found) -> None:
    for suffix in ("xlsx", "csv", "jsonl"):
        said = desk.run(*asked, "--out", str(tmp_path / f"a.{suffix}"))
        assert (said.code, said.out) == (0, ""), said

    stated, *rows = map(orjson.loads, (tmp_path / "a.jsonl").read_bytes().splitlines())
    assert (stated["as_of"]["recorded"], stated["private"]) == (desk.entered, False)
    assert any(row.items() >= found.items() for row in rows), rows
    assert len(load_workbook(tmp_path / "a.xlsx").get_sheet_by_index(0).to_python()) == 2 + len(
        rows
    )
    title, *_ = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert f"登记位置 {desk.entered}" in title


@pytest.mark.parametrize("private", [False, True])
def test_what_facts_say_in_private_goes_out_only_when_asked_for(
    desk, tmp_path: Path, private: bool
) -> None:
    out = tmp_path / "a.jsonl"
    asked = ("beliefs", "P1", "--facet", "name", "--out", str(out))
    assert desk.run(*asked, *(["--private"] if private else [])).code == 0
    assert ("张三" in out.read_text("utf-8")) is private
    assert orjson.loads(out.read_bytes().splitlines()[0])["private"] is private


def test_a_roster_that_went_out_is_held_against_a_bundle(desk, tmp_path: Path) -> None:
    """Last of all: to seal is to note the reads in the ledger, one entry more."""
    file, bundle = str(tmp_path / "a.xlsx"), str(tmp_path / "b.zip")
    assert desk.run("roster", "U01", "-e", "2022-06-30", "--out", file, "--private").code == 0
    assert desk.run("seal").code == 0
    made = ("evidence", "export", "-o", bundle, "--all", "--disclose", "identity")
    assert desk.run(*made).code == 0
    nowhere = tmp_path / "nothing"
    checked = run(nowhere, "evidence", "check", bundle, "--report", file)
    assert checked.code == 0, checked
    assert "is what the entries give" in " ".join(checked.err.split())
    assert desk.run("headcount", "--out", str(tmp_path / "c.csv")).code == 0
    other = (tmp_path / "c.csv").read_text("utf-8-sig").replace(",1", ",2")
    (tmp_path / "c.csv").write_text(other, "utf-8-sig")
    wrong = run(nowhere, "evidence", "check", bundle, "--report", str(tmp_path / "c.csv"))
    assert wrong.code == 22
    assert "it says “2”, the entries give “1”" in " ".join(wrong.err.split())
    assert not nowhere.exists()
