"""An import killed at any moment and taken up again ends in the ledger of an undisturbed run."""

import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import rmtree

import pytest

from api.settings import Bureau, Settings
from tests.api.desk import run
from tests.benchmarks import intake as roster
from tests.intake.test_histories import needs_chicago, slice_of_chicago

__all__ = ["slice_of_chicago"]  # a fixture

ROWS = 2_500
OPENING = '{ person = "{person}", unit = "u", number = "{number}", hired_on = "{hire-date}" }'
KEYS = 'person = "{number}"\nkey = "{number}"\nunique = ["number", "id-number"]'
MAPPING = """
format = 1
name = "own"
version = "1"
zh = "试"
en = "Trial"
system = "own"
attested_by = "原花名册"
dated = 2023-08-01

[[unit]]
unit = "u"
name = "某局"
kind = "bureau"
division = "none"

[[sheet]]
name = "roster"
files = ["*.csv"]
{KEYS}

[sheet.columns]
number = { heading = "辅警编号", kind = "identifier", blank = "reject" }
name = { heading = "姓名", kind = "name", private = true }
id-number = { heading = "身份证号码", kind = "id-number", private = true }
hire-date = { heading = "入职时间", kind = "date" }

[sheet.unused]
""".replace("{KEYS}", KEYS)


@pytest.fixture(params=["numbered", "to be numbered"])
def roster_of_thousands(tmp_path, request):
    """A roster in several appends, and its mapping: with a column of numbers, and without."""
    written, wanted = MAPPING, ["辅警编号", "姓名", "身份证号码", "入职时间"]
    if request.param == "to be numbered":
        written = written.replace(KEYS, 'numbering = { prefix = "N" }')
        written = re.sub("number = .*reject.*\n", "", written)
        wanted.remove("辅警编号")
    unused = "".join(f'"{h}" = "not asked"\n' for h in (*roster.HEADINGS, *roster.MORE)
                     if h not in wanted)  # fmt: skip
    acts = "".join(
        f'[[sheet.act]]\nevent = "{event}"\neffective = "{{sheet-date}}"\nfields = {fields}\n'
        for event, fields in (
            ("PersonRegistered", '{ person = "{person}", name = "{name}", id_number = "{id-number}" }'),
            ("RecordOpened", OPENING),
        )
    )  # fmt: skip
    mapping = tmp_path / "own.toml"
    mapping.write_text(f"{written}{unused}{acts}", "utf-8")
    sheet = tmp_path / "roster.csv"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*roster.HEADINGS, *roster.MORE], *roster.rows(ROWS)])
    return sheet, mapping


def undisturbed(folder, what, mapping):
    with Bureau(Settings(folder)) as bureau:
        said = run(folder, "import", str(what), "--mapping", str(mapping), "--enter")
        assert said.code == 0, said
        return told(bureau)


def killed_twice(folder, what, mapping):
    """Killed right when the batch has begun, then in its middle; then left alone."""
    with Bureau(Settings(folder)) as bureau:
        for least in (1, 100):
            _kill_beyond(bureau, folder, what, mapping, least)
        half = bureau.ledger.log.head()
        said = run(folder, "import", str(what), "--mapping", str(mapping), "--enter")
        assert said.code == 0, said
        assert half < bureau.ledger.log.head()
        again = run(folder, "import", str(what), "--mapping", str(mapping), "--enter")
        assert again.code == 0, again
        return told(bureau)


def _kill_beyond(bureau, folder, what, mapping, least):
    """Kill the import once it has entered more than it had, and at least so much in all."""
    before = bureau.ledger.log.head()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PERSONNEL_LEDGER")}
    command = [sys.executable, "-m", "api.cli.main", "--data", str(folder), "import", str(what),
               "--mapping", str(mapping), "--enter"]  # fmt: skip
    with subprocess.Popen(
        command, env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as importing:
        while importing.poll() is None:
            if bureau.ledger.log.head() > max(before, least - 1):
                importing.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
    assert importing.returncode == -signal.SIGKILL


def told(bureau):
    """Everything that is entered, in order, private values open; but for when, and what was read."""
    found = []
    for entry in bureau.ledger.entries():
        envelope = {k: v for k, v in entry.envelope.items() if k not in ("fields", "premise")}
        fields = bureau.ledger.vault.reveal(entry.fields)
        found.append((entry.position, entry.type, entry.tags, envelope, fields))
    return found


def both(what, mapping):
    folders = [Path(tempfile.mkdtemp(prefix="ledger-killed-")) for _ in range(2)]
    try:
        for folder in folders:
            folder.chmod(0o755)
        return undisturbed(folders[0], what, mapping), killed_twice(folders[1], what, mapping)
    finally:
        for folder in folders:
            rmtree(folder, ignore_errors=True)


def test_a_roster_killed_twice_is_the_roster_of_an_undisturbed_run(roster_of_thousands):
    whole, killed = both(*roster_of_thousands)

    assert len(whole) > 3 * ROWS
    assert killed == whole


@needs_chicago
def test_a_history_killed_twice_is_the_history_of_an_undisturbed_run(slice_of_chicago):
    folder, _ = slice_of_chicago

    whole, killed = both(folder, "chicago")

    assert killed == whole
