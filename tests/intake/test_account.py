"""The report of an import is a page that stands for itself."""

import hashlib
import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from api.intake import Importer
from api.intake.account import Account, write_account
from domain.events import Actor, Document
from tests.intake.paths import ROSTERS

CITY = ROSTERS / "roster_city.xlsx"
AT = datetime(2024, 1, 4, 8, tzinfo=UTC)


@pytest.mark.parametrize("entered", [True, False])
def test_a_page_names_the_file_by_its_hash_and_every_row_that_has_a_fault(
    bureau, tmp_path, entered
):
    importer = Importer(bureau.ledger)
    plan = importer.plan([CITY], "roster-city")
    report = importer.enter(plan) if entered else None
    out = tmp_path / "report.html"

    write_account(Account(plan, report, Actor(), AT, Document(number="政治部1号")), out, "zh")

    page = out.read_text("utf-8")
    assert hashlib.sha256(CITY.read_bytes()).hexdigest() in page
    assert str(plan.batch) in page
    assert ("导入报告" in page, "未登记" in page) == (entered, not entered)
    for part, faults in zip(page.split("提示的行"), (plan.rejected, plan.warnings), strict=True):
        rows = Counter(re.findall(r"<td>roster_city\.xlsx</td><td>(\d+)</td>", part))
        assert rows == Counter(str(fault.row) for fault in faults)
    told = (*plan.rejected, *plan.warnings)
    private = [f.cell.strip() for f in told if f.private and f.cell.strip()]
    assert private
    assert not [cell for cell in private if cell in page]
    assert "政治部1号" in page
    assert "http" not in page
