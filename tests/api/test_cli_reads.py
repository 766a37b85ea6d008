"""Reads on the command line: the purpose, who has read, and no answer before its row."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from domain.ledger.reads import READ_DENIED, RECORD_READ, Row
from tests.api.desk import Desk

ASKED = ("record", "P1")


def command(desk: Desk, *arguments: str, purpose: str | None = None) -> subprocess.Popen[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PERSONNEL_LEDGER")}
    env = {**clean, **({"PERSONNEL_LEDGER_PURPOSE": purpose} if purpose else {})}
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli.main", "--data", str(desk.folder), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
    )  # fmt: skip


def said(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


def rows(desk: Desk, after: int) -> list[Row]:
    return [Row.of(stored) for stored in desk.bureau.reads.log.entries(after=after)]


def head(desk: Desk) -> int:
    return desk.bureau.reads.log.head()


def test_private_fields_need_a_purpose_from_the_option_or_the_shell(desk: Desk) -> None:
    before = head(desk)
    code, out, err = said(command(desk, *ASKED))
    assert (code, out) == (1, "")
    assert "--purpose" in err
    assert "张三" in said(command(desk, *ASKED, "--purpose", "案卷核对", "--case", "C-9"))[1]
    assert "张三" in said(command(desk, *ASKED, purpose="月度核对"))[1]
    found = rows(desk, before)
    assert [(row.type, row.said.get("purpose"), row.said.get("case")) for row in found] == [
        (READ_DENIED, None, None), (RECORD_READ, "案卷核对", "C-9"),
        (RECORD_READ, "月度核对", None),
    ]  # fmt: skip
    assert {row.said["via"] for row in found} == {"cli record"}


@pytest.mark.parametrize("arguments", [("headcount",), ("unit",), ("due",), ("pay", "P1")])
def test_what_shows_nothing_private_needs_none(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert said(command(desk, *arguments))[0] == 0


def test_an_export_without_private_columns_needs_none_and_says_where_it_is(
    desk: Desk, tmp_path: Path
) -> None:  # fmt: skip
    out = tmp_path / "a.csv"
    assert said(command(desk, "roster", "--out", str(out)))[0] == 0
    row = rows(desk, 0)[-1]
    assert f"查阅日志 {row.position}" in out.read_text("utf-8-sig").splitlines()[0]
    assert (row.said["via"], row.said.get("classes")) == ("cli roster --out", None)
    private = ("roster", "--out", str(out), "--private")
    assert said(command(desk, *private))[0] == 1
    assert said(command(desk, *private, purpose="报送"))[0] == 0
    assert rows(desk, 0)[-1].said["classes"] == ["identity"]
    assert "张三" in out.read_text("utf-8-sig")


def test_a_copy_of_everything_is_a_read_of_everybody(desk: Desk, tmp_path: Path) -> None:
    before = head(desk)
    file = str(tmp_path / "a.gz")
    out = said(command(desk, "--lang", "en", "archive", "dump", file))[1]
    assert f"log of reads: rows 1 to {before + 1}" in out, "the dump itself is in it"
    assert out.count("root") == 2
    assert (
        said(command(desk, "--lang", "en", "archive", "check", file))[1].split("\n", 1)[1]
        == (out.split("\n", 1)[1])
    )
    assert said(command(desk, "seal"))[0] == 0
    bundle = ("evidence", "export", "-o", str(tmp_path / "b.zip"))
    assert said(command(desk, *bundle, "--all"))[0] == 0
    assert said(command(desk, *bundle, "--entry", "1"))[0] == 0
    found = [row for row in rows(desk, before) if row.type == RECORD_READ]
    assert [row.said["question"] for row in found] == ["archive", "evidence", "evidence"]
    assert "classes" not in found[0].said
    told = said(command(desk, "who-read", "P1", "--json"))[1]
    read = {one["position"]: one for one in json.loads(told)["data"]["reads"]}
    assert [read[row.position]["sure"] for row in found[:2]] == [True, True]
    assert found[2].position not in read, "the first entry is about nobody"


@pytest.mark.parametrize("name", ["张三", "李四"])
@pytest.mark.parametrize("asked", ["import", "mass-list"])
def test_a_sheet_held_against_somebody_is_a_look_at_them(
    desk: Desk, tmp_path: Path, asked: str, name: str
) -> None:
    """Whether the name beside an id is that person's tells of it, whatever the sheet is for."""
    before, sheet = head(desk), tmp_path / "sheet.csv"
    if asked == "import":
        sheet.write_text(f"人员,姓名(供核对),生效日,种类\nP1,{name},2026-01-05,嘉奖\n")
        arguments = ["import", str(sheet), "--mapping", "RewardGranted"]
    else:
        sheet.write_text(f"人员,姓名\nP1,{name}\n")
        arguments = ["mass", "RewardGranted", "-e", "2026-01-05", "--set", "kind=嘉奖"]
        arguments += ["--to", str(sheet)]
    _, out, err = said(command(desk, *arguments))
    assert ("不符" in out + err) is (name == "李四"), out + err
    found = [row for row in rows(desk, before) if row.said["question"] == asked]
    assert [(row.type, "person:P1" in row.tags, row.said["classes"]) for row in found] == [
        (RECORD_READ, True, ["identity"])
    ]


def test_who_read_is_a_table(desk: Desk) -> None:
    said(command(desk, *ASKED, purpose="列名之用"))
    code, out, _ = said(command(desk, "who-read", "P1"))
    assert code == 0
    assert "列名之用" in out
    assert said(command(desk, "who-read", "nobody"))[0] == 1


def test_killed_before_its_row_is_durable_a_read_has_answered_nothing(desk: Desk) -> None:
    before = head(desk)
    with psycopg.connect(desk.bureau.database) as holding:
        holding.execute("LOCK TABLE reads_entries IN ACCESS EXCLUSIVE MODE")
        asking = command(desk, *ASKED, purpose="被杀")
        _until_it_waits_for_the_lock(desk)
        asking.send_signal(signal.SIGKILL)
        assert said(asking) == (-signal.SIGKILL, "", "")
    # its row may have come after all: a read on record that nobody saw is harmless
    assert len(rows(desk, before)) <= 1


def _until_it_waits_for_the_lock(desk: Desk) -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        " AND relation = 'reads_entries'::regclass"
    )
    with psycopg.connect(desk.bureau.database, autocommit=True) as watching:
        for _ in range(600):
            if watching.execute(waiting).fetchone() != (0,):
                return
            time.sleep(0.05)
    raise AssertionError("it does not wait")


def test_killed_with_its_row_durable_a_read_is_on_record_unanswered(desk: Desk) -> None:
    """The process ends itself the moment it learns that its row is durable."""
    before = head(desk)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from api import answers\n"
        "from api.settings import Bureau, Settings\n"
        "with Bureau(Settings(Path(sys.argv[1]))) as bureau:\n"
        "    die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    reader = bureau.reader.stating('自尽', None)._replace(noted=die)\n"
        "    print(answers.record(bureau.read_by(reader), 'P1'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(desk.folder)], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
    found = [row for row in rows(desk, before) if row.said["purpose"] == "自尽"]
    assert [row.type for row in found] == [RECORD_READ]
