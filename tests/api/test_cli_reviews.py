"""The command, where a bureau's own pack gives reviews a term: what is undermined comes due."""

import json
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.api.desk import ATTESTED, Desk, act

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
PACK = """
code = "330203"
zh = "某区"
en = "A district"
version = "1"
status = "in-force"

"""


def documented_rule(id_: str) -> str:
    """The rule as the operations manual prints it, in force since long ago."""
    blocks = OPERATIONS.read_text("utf-8").split("```toml\n")[1:]
    [block] = [b.partition("```")[0] for b in blocks if f'id = "{id_}"' in b]
    return block.replace("since = 2027-01-01", "since = 2020-01-01")


def reviews(desk: Desk, *arguments: str) -> list[dict[str, Any]]:
    said = desk.run("due", "--json", *arguments)
    assert said.code == 0, said.err
    items = json.loads(said.out)["data"]["items"]
    return [item for item in items if item["rule"] == "review-term"]


def test_a_review_is_due_by_the_term_of_the_bureaus_own_pack(desk: Desk) -> None:
    text = PACK + documented_rule("review-term")
    published = act("PackPublished", "2020-01-01", code="330203", version="1", text=text,
                    digest=sha256(text.encode()).hexdigest())  # fmt: skip
    career = [
        act("UnitEstablished", "2020-01-01", unit="D1", name="某区分局", division="330203"),
        act("PersonRegistered", "2022-01-04", person="R1"),
        act("AuxiliaryHired", "2022-01-04", person="R1", unit="D1", category="field"),
        act("PostAssigned", "2023-01-09", person="R1", post="patrol"),
    ]
    assert desk.enter([published]).code == 0
    assert desk.enter(career, **ATTESTED).code == 0
    assert reviews(desk) == []
    position = desk.head()
    left = [act("AuxiliaryResigned", "2022-06-01", person="R1")]
    known = [{"position": position, "reason": "劳动仲裁裁决"}]
    assert desk.enter(left, acknowledge=known).code == 0

    [open_] = reviews(desk)
    last = date.fromisoformat(open_["started_on"]) + timedelta(days=30)
    assert (open_["state"], open_["unit"], open_["article"]) == ("open", "D1", "本局〔2026〕8号 4")
    assert open_["deadline"]["due"] == last.isoformat()

    day_after = str(last + timedelta(days=1))
    [overdue] = reviews(desk, "--state", "overdue", "--effective", day_after)
    assert overdue["late"] == 1
    assert "复核应在" in desk.run("due", "--effective", day_after).out

    concluded = act("ReviewConcluded", open_["started_on"], outcome="confirmed",
                    authority="政治部", review=open_["subject"].removeprefix("review:"))  # fmt: skip
    assert desk.enter([concluded]).code == 0
    assert [item["state"] for item in reviews(desk)] == ["kept"]
    assert reviews(desk, "--state", "overdue", "--effective", day_after) == []
