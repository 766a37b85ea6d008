"""Entries that an auditor looks at first: corrected, annulled, late, ahead, reviewed, erased.

Owns what is remarked on, and how it is counted; it travels inside the checker of an evidence bundle
and needs Python alone. Invariant: a remark follows from the entry alone, by days counted at the
bureau.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

LATE_DAYS = 30
"""Days between an act's day and its entry, above which it is remarked on."""
OF_TYPES = {
    "ReviewOpened": "review-opened", "ReviewConcluded": "review-concluded",
    "PrivateDataDestroyed": "erased",
}  # fmt: skip
WORDS = {
    "corrected": ("更正", "corrections"), "annulled": ("撤销", "annulments"),
    "late": (f"迟录(逾 {LATE_DAYS} 日)", f"entered more than {LATE_DAYS} days late"),
    "ahead": ("预录", "entered ahead of their day"),
    "review-opened": ("启动复核", "reviews opened"),
    "review-concluded": ("复核结论", "reviews concluded"), "erased": ("销毁", "erasures"),
}  # fmt: skip
_1970 = date(1970, 1, 1).toordinal()
_DAY, _AHEAD = 86_400_000_000, 28_800_000_000  # of the bureau's clock before UTC


def remarked(entry: Any, codebook: Mapping[str, Any]) -> dict[str, Any] | None:
    """The entry with what is remarked on it; None where nothing is."""
    said = json.loads(entry.data)
    recorded = (entry.recorded_at + _AHEAD) // _DAY + _1970
    effective = said.get("effective")
    days = recorded - date.fromisoformat(effective).toordinal() if effective else 0
    remarks = [
        *(["corrected"] if "supersedes" in said else []),
        *(["annulled"] if "annuls" in said else []),
        *(["late"] if days > LATE_DAYS else []),
        *(["ahead"] if days < 0 else []),
        *([OF_TYPES[entry.type]] if entry.type in OF_TYPES else []),
    ]
    if not remarks:
        return None
    declared = codebook["types"].get(entry.type, {})
    return {
        "position": entry.position, "type": entry.type, "zh": declared.get("zh", entry.type),
        "remarks": remarks, "effective": effective,
        "recorded": date.fromordinal(recorded).isoformat(), "days": days, "tags": entry.tags,
        "actor": said.get("actor"), "reason": said.get("reason"),
        **({"fields": said["fields"]} if entry.type in OF_TYPES else {}),
    }  # fmt: skip


def counted(remarks: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """How many of each there are, in a sentence each; None where there are none."""
    every = [name for one in remarks for name in one["remarks"]]
    there = [name for name in WORDS if name in every]
    zh = "、".join(f"{WORDS[name][0]} {every.count(name)} 条" for name in there)
    en = ", ".join(f"{WORDS[name][1]}: {every.count(name)}" for name in there)
    return (f"登记中有{zh}", f"among the entries: {en}") if there else None


BY = ("unit", "actor", "lag")
_LAGS = ((-1, "ahead"), (LATE_DAYS, f"0-{LATE_DAYS}"), (90, f"{LATE_DAYS + 1}-90"), (365, "91-365"))


def grouped(
    remarks: Iterable[Mapping[str, Any]], by: str, units: Mapping[int, Sequence[str]]
) -> list[dict[str, Any]]:
    """How many of each there are in each unit, by each account, or by days from the act to its
    entry; `under-review`: decisions whose review is not concluded. `units`: those that an entry
    is about, by position. An entry about several counts in each, one about none under None.
    """
    every = [*remarks]
    under = _under_review(every)
    groups: dict[str | None, Counter[str]] = {}
    for one in every:
        for name in _groups(one, by, units):
            counts = groups.setdefault(name, Counter())
            counts.update(["entries", *one["remarks"]])
            counts["under-review"] += one["position"] in under
    order = [name for _, name in _LAGS] + ["366-"] if by == "lag" else sorted(filter(None, groups))
    return [
        {by: name, **{what: groups[name][what] for what in ("entries", *WORDS, "under-review")}}
        for name in (*order, None)
        if name in groups
    ]


def _groups(
    one: Mapping[str, Any], by: str, units: Mapping[int, Sequence[str]]
) -> Sequence[str | None]:
    if by == "actor":
        actor = one["actor"] or {}
        return [f"{actor.get('issuer')}|{actor.get('subject')}" if actor else None]
    if by == "lag":
        return [next((name for most, name in _LAGS if one["days"] <= most), "366-")]
    return units.get(one["position"]) or [None]


def _under_review(remarks: Iterable[Mapping[str, Any]]) -> set[int]:
    """The entries that opened a review which no later one concluded."""
    last: dict[str, int] = {}
    for one in remarks:
        for tag in one["tags"]:
            if tag.startswith("review:") and "review-opened" in one["remarks"]:
                last[tag] = one["position"]
            elif tag.startswith("review:") and "review-concluded" in one["remarks"]:
                last.pop(tag, None)
    return {*last.values()}
