"""Every packaged rule against its table of cases (`cases_<code>.toml`)."""

import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain import rules as kinds
from domain.law import Breach, Law, Rules, load_packs
from domain.workdays import begun_months, whole_months

TABLES = sorted(Path(__file__).parent.glob("cases_*.toml"))


def _cases() -> list[Any]:
    cases = []
    for path in TABLES:
        table = tomllib.loads(path.read_text())
        for case in table["case"]:
            merged = {"place": table["place"], "on": table["on"], **case}
            cases.append(pytest.param(merged, id=f"{table['place']}: {case['name']}"))
    return cases


def _judge(rules: Rules, case: dict[str, Any]) -> Breach | None:
    rule = rules.find(case["rule"])
    inputs = {
        key: value
        for key, value in case.items()
        if key not in {"name", "place", "on", "rule", "expect", "article", "due", "counted"}
    }
    if "begun" in inputs:
        inputs["value"] = begun_months(*inputs.pop("begun"))
        inputs["measure"] = whole_months(*inputs.pop("term"))
    if "kin_place" in inputs:
        inputs["place"] = inputs.pop("kin_place")
    by_input: dict[str, Callable[..., Breach | None]] = {
        "start": partial(kinds.clock, workdays=rules.workdays),
        "already": kinds.exclusivity,
        "met": kinds.eligibility,
        "code": partial(
            kinds.closed_list,
            members=rules.members(rule.values["list"]) if rule and "code" in inputs else None,
        ),
        "relation": kinds.kinship,
        "taken": kinds.steps_in_order,
        "value": kinds.floor if rule and rule.kind == "floor" else kinds.ceiling,
    }
    judge = next(by_input[key] for key in by_input if key in inputs)
    return judge(rule, **inputs, field="field")


@pytest.mark.parametrize("case", _cases())
def test_a_case_of_the_table(law: Law, case: dict[str, Any]) -> None:
    rules = law.at(case["place"], case["on"])
    rule = rules.find(case["rule"])
    breach = _judge(rules, case)
    outcome = "met" if breach is None else "refused" if breach.blocks else "found"
    assert (outcome if rule else "absent") == case["expect"]
    if rule is not None and "article" in case:
        assert rule.article == case["article"]
    if rule is not None and "due" in case:
        end = kinds.deadline(rule, case["start"], rules.workdays)
        assert (end.due, end.counted) == (case["due"], case.get("counted", case["due"]))
    if breach is not None:
        assert breach.field == "field"
        assert breach.zh.startswith(breach.rule.zh)
        assert breach.en.startswith(breach.rule.en)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_rule_of_a_pack_is_seen_unmet(path: Path) -> None:
    pack = load_packs()[path.stem.removeprefix("cases_")]
    unmet = {
        case["rule"]
        for case in tomllib.loads(path.read_text())["case"]
        if case["expect"] in {"refused", "found"}
    }
    assert {rule.id for rule in pack.rules} <= unmet


def test_every_packaged_pack_has_its_table() -> None:
    assert {path.stem.removeprefix("cases_") for path in TABLES} == set(load_packs())
