from datetime import date

import pytest

from domain import rules as kinds
from domain.law import Law
from domain.rules import Rule

ON = date(2021, 9, 28)


def test_every_kind_is_silent_where_the_law_is_silent(law: Law) -> None:
    silent = law.at("none", ON).find("anything")
    days = law.workdays
    assert silent is None
    assert kinds.clock(silent, ON, date.max, days) is None
    assert kinds.ceiling(silent, 99) is None
    assert kinds.floor(silent, -99) is None
    assert kinds.closed_list(silent, {}, "x") is None
    assert kinds.exclusivity(silent, 99) is None
    assert kinds.eligibility(silent, ()) is None
    assert kinds.kinship(silent, "spouse", "same-unit") is None
    assert kinds.steps_in_order(silent, {}) is None
    assert kinds.closed_period(silent, {"grade": date.min}, ON) is None


def test_an_open_list_takes_every_code(law: Law) -> None:
    national = law.at("000000", ON)
    closed = national.find("exit-ground-list")
    assert kinds.closed_list(closed, None, "anything") is None
    assert kinds.closed_list(closed, (), "anything") is not None


def test_a_provisional_deadline_says_so(law: Law) -> None:
    filing = law.at("330200", ON).find("hire-list-filing")
    late = kinds.clock(filing, date(2026, 12, 30), date(2027, 2, 1), law.workdays)
    assert late is not None
    assert late.en.endswith("(due by 2027-01-06, provisional)")
    assert late.zh.endswith("（应于2027-01-06前（含当日），日历未公布，暂计）")


def test_a_limit_the_caller_brings_goes_before_the_rules_own(law: Law) -> None:
    leave = law.at("000000", ON).find("injury-leave")
    assert kinds.ceiling(leave, 13) is not None
    assert kinds.ceiling(leave, 13, most=13) is None


def test_a_private_condition_is_not_named(law: Law) -> None:
    ningbo = law.at("330200", ON)
    hire = kinds.eligibility(ningbo.find("hire-disqualification"), ())
    contract = kinds.eligibility(ningbo.find("contract-clauses"), ())
    assert hire is not None
    assert contract is not None
    assert "no-criminal-matter" not in hire.zh + hire.en
    assert "insurance" in contract.en


def test_a_step_out_of_order_is_named(law: Law) -> None:
    plan = law.at("330200", ON).find("recruitment-plan")
    taken = {"plan-drafted": date(2021, 8, 3), "plan-approved": date(2021, 8, 2)}
    breach = kinds.steps_in_order(plan, taken, before="announced", field="recruitment")
    assert breach is not None
    assert breach.field == "recruitment"
    assert breach.en.endswith("(step out of order: plan-approved)")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("clock", {"within": 5, "unit": "weeks"}),
        ("clock", {"within": -1, "unit": "days"}),
        ("ceiling", {"limit": 5}),
        ("floor", {"unit": "days", "bands": [{"from": 3, "limit": 1}, {"from": 0, "limit": 2}]}),
        ("closed_list", {}),
        ("exclusivity", {"at_most": "1"}),
        ("eligibility", {"conditions": []}),
        ("kinship", {"relations": ["spouse"]}),
        ("steps_in_order", {"steps": ["only"]}),
        ("steps_in_order", {"steps": ["a", "b"], "stages": []}),
        ("closed_period", {"facets": "all"}),
        ("closed_period", {"facets": [], "months": 3}),
        ("closed_period", {"facets": "some", "months": 3}),
        ("closed_period", {"facets": "all", "months": 3, "before": date(2024, 1, 1)}),
    ],
)
def test_values_that_do_not_fit_the_kind_are_refused(kind: str, values: dict[str, object]) -> None:
    fields = {
        "id": "r", "since": ON, "article": "1", "source": "x", "status": "in-force",
        "strength": "block", "zh": "规则", "en": "Rule", "kind": kind, "values": values,
        "clock": "recorded",
    }  # fmt: skip
    with pytest.raises(ValueError, match="validation error"):
        Rule.model_validate(fields)


@pytest.mark.parametrize("more", [{"strength": "warn"}, {"clock": "effective"}])
def test_a_closed_period_blocks_and_is_judged_on_the_day_of_entry(more: dict[str, str]) -> None:
    fields = {
        "id": "r", "since": ON, "article": "1", "source": "x", "status": "in-force",
        "strength": "block", "zh": "规则", "en": "Rule", "kind": "closed_period",
        "clock": "recorded", "values": {"facets": "all", "months": 3},
    }  # fmt: skip
    assert kinds.closed_before(Rule.model_validate(fields), date(2024, 5, 31)) == date(2024, 2, 29)
    with pytest.raises(ValueError, match="a closed period blocks"):
        Rule.model_validate(fields | more)
