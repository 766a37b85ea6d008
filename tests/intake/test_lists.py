"""A list of persons names each by all that stands in its row, or the row is refused."""

from pathlib import Path

import pytest

from api.intake.matching import Matcher, persons_listed
from api.settings import Bureau
from domain.bitemporal import AsOf
from domain.refusals import BadInput
from tests.intake.test_template import ID_NUMBER, staffed


def listed(bureau: Bureau, folder: Path, *rows: str) -> list[str]:
    path = folder / "list.csv"
    path.write_text("\n".join(["编号,身份证号,姓名", *rows]), "utf-8")
    now = AsOf(bureau.ledger.today(), bureau.ledger.log.head())
    return persons_listed(path, Matcher(bureau.ledger, bureau.records, now))


def test_identifiers_that_agree_name_one_person(bureau: Bureau, tmp_path: Path) -> None:
    staffed(bureau)

    assert listed(bureau, tmp_path, f"Fa,{ID_NUMBER},a", "Fb,,b") == (["a", "b"], [])
    assert listed(bureau, tmp_path, f",{ID_NUMBER},") == (["a"], [])


@pytest.mark.parametrize(
    ("row", "heading"),
    [
        ("Fa,,王五", "姓名"),
        ("Fa,320500199001010036,a", "身份证号"),
        (f"F9,{ID_NUMBER},a", "编号"),
    ],
)
def test_one_identifier_of_somebody_else_refuses_the_row(
    bureau: Bureau, tmp_path: Path, row: str, heading: str
) -> None:
    staffed(bureau)

    with pytest.raises(BadInput) as refused:
        listed(bureau, tmp_path, "Fb,,b", row)

    said = f"{refused.value.detail_zh} {refused.value.detail}"
    assert "第 3 行" in said
    assert heading in said
    assert not any(value in said for value in ("王五", "3205"))


def test_every_row_at_fault_is_named_at_once(bureau: Bureau, tmp_path: Path) -> None:
    staffed(bureau)

    with pytest.raises(BadInput) as refused:
        listed(
            bureau, tmp_path, "Fa,,a", "F9,,x", "Fb,,b", "Fa,,a", *[f"G{n},," for n in range(30)]
        )

    said = f"{refused.value.detail_zh}"
    assert "第 3 行:账本中找不到此人;第 5 行:与第 2 行为同一人;第 6 行" in said
    assert said.endswith(";另有 12 行")

    with pytest.raises(BadInput) as refused:
        listed(bureau, tmp_path, "Fa,,王五", "Fb,,李四")
    assert f"{refused.value.detail_zh}".count("“姓名”") == 2
