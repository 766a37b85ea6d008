"""Files in and out by the command: exports, the archive."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from python_calamine import load_workbook
from typer.testing import CliRunner

from api import answers
from api.cli.main import app
from domain.events import FACETS, REGISTRY
from tests.api.desk import STORY, run

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


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("find", "--number", "F0001"), {"person": "P1", "number": "F0001", "unit": "U01"}),
        (
            ("record", "P1", "-e", "2023-06-01"),
            {"facet": "unit", "state": "held", "value": {"unit": "U01"}, "since": "2022-01-04"},
        ),
        (("record", "P1"), {"facet": "spells", "what": "历次任职", "last_day": None}),
        (("record", "P1"), {"facet": "grade", "state": "not-recorded", "entry": None}),
        (("entry", "first"), {"part": "fields", "field": "division", "value": "330200"}),
        (("entry", "first"), {"part": "envelope", "field": "attested_by", "value": "政治部"}),
        (("who-read", "P1"), {"question": "record", "outcome": "allowed", "sure": True}),
    ],
)
def test_what_is_no_list_goes_to_a_file_as_rows(desk, tmp_path: Path, asked, found) -> None:
    assert desk.run("record", "P1").code == 0
    first = str(desk.entered - len(STORY) + 1)
    asked = [first if word == "first" else word for word in asked]
    for suffix in ("xlsx", "csv", "jsonl"):
        said = desk.run(*asked, "--out", str(tmp_path / f"a.{suffix}"))
        assert (said.code, said.out) == (0, ""), said

    stated, *rows = map(orjson.loads, (tmp_path / "a.jsonl").read_bytes().splitlines())
    assert (stated["as_of"]["recorded"], stated["count"]) == (desk.entered, len(rows))
    assert stated["read"] > 0
    assert any(row.items() >= found.items() for row in rows), rows
    book = load_workbook(tmp_path / "a.xlsx").get_sheet_by_index(0).to_python()
    assert f"登记位置 {desk.entered}" in book[0][0]
    if asked[0] != "who-read":  # the reads of the other two files are in it
        assert len(book) == 2 + len(rows)


@pytest.mark.parametrize("private", [False, True])
def test_a_record_and_an_entry_keep_what_is_private_until_asked(
    desk, tmp_path: Path, private: bool
) -> None:
    history = orjson.loads(desk.run("history", "P1", "--json").out)["data"]["entries"]
    registered = next(e["position"] for e in history if e["type"] == "PersonRegistered")
    for asked in (("record", "P1"), ("entry", str(registered)), ("find", "--number", "F0001")):
        out = tmp_path / f"{asked[0]}.csv"
        said = desk.run(*asked, "--out", str(out), *(["--private"] if private else []))
        assert said.code == 0, said
        assert ("张三" in out.read_text("utf-8-sig")) is private
        if not private and asked[0] != "find":
            assert "未予显示" in out.read_text("utf-8-sig")


def test_a_file_in_english_has_no_word_of_chinese_of_ours(desk, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    last = str(desk.entered)
    for asked in (("history", "P1"), ("record", "P1"), ("entry", last), ("journal",)):
        assert desk.run("--lang", "en", *asked, "--out", str(out)).code == 0
        text = out.read_text("utf-8-sig")
        ours = {one.zh for one in (*FACETS.values(), *REGISTRY.values())}
        # the seat that the story's heads hold is called so
        assert {word for word in ours if word in text} <= {"主要领导"}, asked


def test_a_journal_goes_to_a_file_whole_though_a_screen_and_a_page_are_shorter(
    desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_ROWS", 5)
    monkeypatch.setenv("COLUMNS", "100")

    def told(*more: str) -> tuple[str, dict, list[int]]:
        asked = ["--data", str(desk.folder), "journal", "--out", str(tmp_path / "a.jsonl"), *more]
        said = CliRunner().invoke(app, asked)
        assert said.exit_code == 0, said.output
        stated, *rows = map(orjson.loads, (tmp_path / "a.jsonl").read_bytes().splitlines())
        return said.stderr, stated, [row["position"] for row in rows]

    said, stated, whole = told()
    assert whole == list(range(1, desk.entered + 1))
    assert "next" not in stated
    assert "--after" not in said
    said, stated, part = told("--limit", "12")
    assert (part, stated["next"], "--after 12" in said) == (whole[:12], 12, True)
    assert told("--after", "12")[2] == whole[12:]
    assert desk.run("journal", "--limit", "3", "--out", str(tmp_path / "a.xlsx")).code == 0
    notes = dict(load_workbook(tmp_path / "a.xlsx").get_sheet_by_index(1).to_python())
    assert notes["未完,续自登记"] == 3


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
