"""The command as a process of its own, and a folder in which a short story is entered."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from api.settings import Bureau

ROSTER = Path(__file__).parents[1] / "data" / "rosters" / "roster_city.xlsx"
ATTESTED = {
    "mood": "attested",
    "attested_by": "政治部",
    "document": {"number": "甬公人〔2022〕7号", "dated": "2022-01-04"},
}


def act(type_: str, effective: str, **fields: object) -> dict[str, object]:
    return {"type": type_, "effective": effective, **fields}


STORY = [
    act("UnitEstablished", "2019-01-01", unit="U00", name="某市公安局", kind="bureau",
        division="330200"),
    act("UnitEstablished", "2020-01-01", unit="U01", name="城东派出所", kind="station", parent="U00"),
    *(act("PersonRegistered", "2020-01-01", person=o, name=n)
      for o, n in (("O1", "王所长"), ("O2", "李副所长"), ("O3", "赵警官"))),
    *(act("OfficerAppointed", "2020-01-01", person=o, unit="U01") for o in ("O1", "O2", "O3")),
    act("UnitHeadAppointed", "2020-01-01", unit="U01", officer="O1"),
    act("DeputyHeadAppointed", "2020-01-01", unit="U01", officer="O2"),
    act("PersonRegistered", "2022-01-04", person="P1", name="张三"),
    act("AuxiliaryHired", "2022-01-04", person="P1", unit="U01", category="field"),
    act("AuxiliaryNumberAssigned", "2022-01-04", person="P1", number="F0001"),
    act("SupervisingOfficerAssigned", "2022-01-04", person="P1", officer="O3"),
    act("UnitHeadRelieved", "2023-05-01", unit="U01", officer="O1"),
]  # fmt: skip


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Desk(NamedTuple):
    """A ledger's folder, and the command run on it."""

    folder: Path
    bureau: Bureau
    entered: int

    def run(self, *arguments: str, stdin: bytes = b"") -> Said:
        return run(self.folder, *arguments, stdin=stdin)

    def enter(self, events: object, *arguments: str, **shared: object) -> Said:
        body = json.dumps({"events": events, **shared}).encode()
        return self.run("enter", "-", *arguments, stdin=body)

    def head(self) -> int:
        return self.bureau.ledger.log.head()


def run(folder: Path, *arguments: str, stdin: bytes = b"", purpose: str | None = "测试") -> Said:
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), *arguments]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PERSONNEL_LEDGER")}
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        check=False,
        env=clean | {"COLUMNS": "100"} | ({"PERSONNEL_LEDGER_PURPOSE": purpose} if purpose else {}),
    )
    said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in said.err
    return said
