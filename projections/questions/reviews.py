"""Reviews 复核: which acts a later entry undermined, why it was entered still, what came of it.

Owns no table: the entries about a review are read from the log. Invariant: a review is told as it
stood as of the pair.
"""

from typing import Any

from domain.acts.reviews import REVIEW
from domain.bitemporal import AsOf, on_record
from domain.ledger import Ledger
from domain.record import Record


def reviews(ledger: Ledger, tag: str, as_of: AsOf) -> list[dict[str, Any]]:
    """The reviews of acts about a subject (`person:…`), or of one act (`review:<event id>`).

    Each with the `position` of the act, the `reason` given, `opened` and `concluded` (days) with
    the entries that say so, `state`, and the `outcome` and `authority` of a conclusion.
    """
    if not as_of.recorded:
        return []
    opening = ledger.entries([tag], ["ReviewOpened"], until=as_of.recorded)
    found: list[dict[str, Any]] = []
    for review in dict.fromkeys(entry.fields["review"] for entry in opening):
        subject = f"review:{review}"
        record = Record.fold(ledger.entries([subject], until=as_of.recorded))
        rows: list[dict[str, Any]] = []
        for fact in on_record(record.versions(REVIEW, subject), as_of):
            told = fact.value
            if told["state"] == "open":
                rows.append({**_OPEN, **told, "review": review, "opened": fact.effective,
                             "opened_by": fact.entry})  # fmt: skip
            elif rows:
                rows[-1] |= {**told, "concluded": fact.effective, "concluded_by": fact.entry}
        found += rows
    return sorted(found, key=lambda row: row["opened_by"])


_OPEN = dict.fromkeys(("outcome", "authority", "note", "concluded", "concluded_by"))
