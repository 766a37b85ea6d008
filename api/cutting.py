"""What rests on reads: those that may not go although their term is over.

Owns that question. Invariant: no read goes whose term is not over by the law as it stands now, that
was made for a case neither disclosed nor closed, or in whose answer somebody under a legal hold
was, or may have been.
"""

from collections.abc import Mapping
from datetime import date

from api.looked import evident
from api.settings import Bureau
from api.times import NOW, as_of
from domain.acts.privacy import HOLDS
from domain.acts.seals import too_young
from domain.bitemporal import Fact
from domain.events import CASE
from domain.law import NATION
from domain.ledger.reads import digest_of
from domain.refusals import HeldBack
from projections.cases import sealed_cases
from projections.sight import Sight


def require_free(bureau: Bureau, rows: int, before: date) -> None:
    """Raises HeldBack where something rests on one of the first so many reads, recorded before a
    day: asked of every order, for whoever may append can enter one undecided. While somebody is
    held, every list among them is put again, which takes as long as asking them did.
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
    if not held:
        return
    forest = ledger.forest(pair.recorded)
    families = {person: {*forest.family(person)} for person in sorted(held)}
    read = {tag.partition(":")[2] for tag in log.tags_from("person:", rows)}
    for person, family in families.items():
        if not read.isdisjoint(family):
            raise _held(held[person], "whom these reads name", "其间有对其的查阅")
    _require_no_list(bureau, rows, held, families)


def _require_no_list(
    bureau: Bureau, rows: int, held: Mapping[str, Fact], families: Mapping[str, set[str]]
) -> None:
    """A list names nobody: its question is put again, each once. Where that gives others than it
    gave then, anybody who is held may have been in it.
    """
    looks = evident(bureau, cases=True)
    seen: set[str] = set()
    for row in bureau.reads.lists(0, rows):
        if (digest := row.said["digest"]) in seen:
            continue
        seen.add(digest)
        persons = looks.held(row)
        sure = persons is not None and digest_of(persons) == digest
        for person, family in families.items():
            if not sure or persons is None:
                en, zh = f"who may have been in the list read at {row.position}", "可能"
            elif family.isdisjoint(persons):
                continue
            else:
                en, zh = f"who was in the list read at {row.position}", ""
            raise _held(held[person], en, f"查阅日志第 {row.position} 条所查名单{zh}含有其人")


def _held(hold: Fact, en: str, zh: str) -> HeldBack:
    person = hold.subject.partition(":")[2]
    return HeldBack(
        f"a legal hold stands on {person}, {en}", zh=f"{person} 处于法律保全中,{zh}",
        field="before", article=hold.value["ground"], position=hold.root,
    )  # fmt: skip
