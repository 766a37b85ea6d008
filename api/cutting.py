"""What rests on reads: those that may not go although their term is over.

Owns that question. Invariant: no read goes whose term is not over by the law as it stands now, that
names a person under a legal hold, or was made for a case that is neither disclosed nor closed.
"""

from datetime import date

from api.settings import Bureau
from api.times import NOW, as_of
from domain.acts.privacy import HOLDS
from domain.acts.seals import too_young
from domain.events import CASE
from domain.law import NATION
from domain.refusals import HeldBack
from projections.cases import sealed_cases
from projections.sight import Sight


def require_free(bureau: Bureau, rows: int, before: date) -> None:
    """Raises HeldBack where something rests on one of the first so many reads, recorded before a
    day: asked of every order, for whoever may append can enter one undecided.
    """
    log, ledger = bureau.reads.log, bureau.ledger
    today = ledger.today()
    if (young := too_young(ledger.law().at(NATION, today), before, today)) is not None:
        raise young
    pair, _ = as_of(bureau, NOW)
    named = {tag.partition(":")[2] for tag in log.tags_from(f"{CASE}:", rows)}
    seen = bureau.records.seen_by(Sight(today))
    if open_ := sorted(sealed_cases(seen, named)):
        case = open_[0]
        raise HeldBack(
            f"the case {case} is open, and reads were made for it",
            zh=f"案件 {case} 未了结,其间有为该案作出的查阅", field="before",
        )  # fmt: skip
    held = {
        fact.subject.partition(":")[2]: fact
        for fact in bureau.records.in_force(HOLDS, pair)
        if fact.value["kind"] == "legal"
    }
    forest = ledger.forest(pair.recorded)
    read = {tag.partition(":")[2] for tag in log.tags_from("person:", rows)} if held else set()
    for person in sorted(held):
        if not read.isdisjoint(forest.family(person)):
            hold = held[person]
            raise HeldBack(
                f"a legal hold stands on {person}, whom these reads name",
                zh=f"{person} 处于法律保全中,其间有对其的查阅", field="before",
                article=hold.value["ground"], position=hold.root,
            )  # fmt: skip
