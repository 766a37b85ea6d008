"""The register of cases from the command line, where this machine's user sees every case."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from api.settings import Bureau, Settings
from replay.check import check
from replay.findings import Asked
from tests.api.conftest import person
from tests.api.desk import Said, act, run


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-cases-"))
    folder.chmod(0o755)
    try:
        assert run(folder, "init").code == 0
        with Bureau(Settings(folder)):  # its server runs meanwhile
            yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def test_a_case_is_entered_and_listed(folder: Path) -> None:
    def told(*arguments: str, events: object = None) -> Said:
        said = run(folder, *arguments, stdin=json.dumps({"events": events}).encode())
        assert said.code == 0, said
        return said

    of = {"case": "c1", "person": "p1"}
    told("enter", "-", events=[
        person("p1", name="褚强飞"),
        act("ComplaintReceived", "2022-05-10", **of, channel="12345", complainant="某甲"),
        act("InvestigationConcluded", "2022-06-01", **of, outcome="partly-upheld"),
        act("ComplaintResultNotTold", "2022-06-02", **of, because="anonymous"),
    ])  # fmt: skip
    listed = told("cases").out
    for word in ("c1", "保密", "2022-05-10", "部分属实", "2022-06-01", "无法告知", "2022-06-02"):
        assert word in listed
    assert "某甲" not in listed
    history = told("history", "p1").out
    assert "接到投诉举报" in history
    told("enter", "-", events=[act("CaseClosed", "2022-07-01", case="c1", result="concluded")])
    assert "已结案" in told("cases").out
    assert "upheld in part" in told("--lang", "en", "cases").out
    before = json.loads(told("cases", "--effective", "2022-05-31", "--json").out)
    assert [m["outcome"] for m in before["data"]["matters"]] == [None]
    out = folder / "cases.csv"
    told("cases", "--out", str(out))
    title, headings, row = out.read_text("utf-8-sig").splitlines()
    assert "登记位置" in title
    assert headings.startswith("案件,人员,状态")
    assert row.startswith("c1,p1,已结案")
    # what a later act undermines is said here, and nowhere else
    annulled = told("enter", "-", events=[{"type": "FactAnnulled", "annuls": _registered(folder)}])
    assert annulled.code == 0
    assert "没有人员 p1" in told("cases").out
    told("cases", "--out", str(out))
    assert "没有人员 p1" in out.read_text("utf-8-sig").splitlines()[-1]


def _registered(folder: Path) -> int:
    said = run(folder, "history", "p1", "--json")
    entries = json.loads(said.out)["data"]["entries"]
    return next(e["position"] for e in entries if e["type"] == "PersonRegistered")


def test_what_tells_of_a_case_on_this_machine_is_read_for_it(folder: Path, tmp_path: Path) -> None:
    def told(*arguments: object, events: object = None) -> Said:
        stdin = json.dumps({"events": events}).encode()
        said = run(folder, *map(str, arguments), stdin=stdin)
        assert said.code == 0, said
        return said

    def read(name: str) -> list[str]:
        """The questions that were asked about the person, for one who knows of no case."""
        told("seal")
        bundle = tmp_path / f"{name}.zip"
        told("evidence", "export", "-o", bundle, "--person", "p2", "--reads")
        return [row["question"] for row in check(bundle, Asked()).reads]

    told("enter", "-", events=[
        person("p2"),
        act("InvestigationOpened", "2022-05-10", case="c2", person="p2", organ="督察大队"),
    ])  # fmt: skip
    told("pay", "p2")
    told("seal")
    assert read("before") == ["pay"]
    entries = json.loads(told("history", "p2", "--json").out)["data"]["entries"]
    last = max(entry["position"] for entry in entries)
    told("evidence", "export", "-o", tmp_path / "c.zip", "--person", "p2", "--cases")
    told("evidence", "export", "-o", tmp_path / "a.zip", "--all", "--cases")
    told("evidence", "proof", last, "-o", tmp_path / "p.txt", "--cases")
    assert read("sealed") == ["pay", "evidence"]  # the bundle made before, without the case
    told("enter", "-", events=[act("CaseDisclosed", "2022-07-01", case="c2")])
    assert read("closed") == [
        "pay", "evidence", "history", "evidence", "evidence", "evidence", "evidence",
    ]  # fmt: skip
