"""Entries that an auditor looks at first: corrected, annulled, late, ahead, reviewed, erased.

Owns what is remarked on; it travels inside the checker of an evidence bundle and needs Python
alone. Invariant: a remark follows from the entry alone, by days counted at the bureau.
"""

import json
from collections.abc import Iterable, Mapping
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
    }  # fmt: skip


def counted(remarks: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """How many of each there are, in a sentence each; None where there are none."""
    every = [name for one in remarks for name in one["remarks"]]
    there = [name for name in WORDS if name in every]
    zh = "、".join(f"{WORDS[name][0]} {every.count(name)} 条" for name in there)
    en = ", ".join(f"{WORDS[name][1]}: {every.count(name)}" for name in there)
    return (f"登记中有{zh}", f"among the entries: {en}") if there else None
