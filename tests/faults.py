"""How much the random histories would notice: known faults are put in, one at a time, and judged.

Each fault is a change of the code that keeps the two times, that says who answered for whom, or
that finds what a change undermines.
It is made in a copy of the project, and the state machine, or whole histories decided again, run on
the copy: with the budget of `make test`, then, where that notices nothing, with random seeds until
the time given is over. `python -m tests.faults [--seconds 120] [NAME …]`
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

HOUSE = Path(__file__).parents[1]
JUDGE = "tests/projections/test_oracle.py"
OF_IMPACT = "tests/ledger/test_impact_whole.py"


class Fault(NamedTuple):
    name: str
    file: str
    right: str
    wrong: str
    judge: str = JUDGE


FAULTS = [
    Fault("an end counts as a day in force", "domain/bitemporal.py",
          "fact.effective <= day < fact.until\n", "fact.effective <= day <= fact.until\n"),
    Fault("what was closed is known one position longer", "domain/bitemporal.py",
          "fact.known_from <= recorded < fact.known_to\n",
          "fact.known_from <= recorded <= fact.known_to\n"),
    Fault("the latest entry prevails, not the latest place", "domain/bitemporal.py",
          "fact.place > best.place", "fact.root > best.root"),
    Fault("the latest cap wins", "domain/bitemporal.py",
          "if cap.place.effective < until:", "if until == OPEN or cap.place.effective > until:"),
    Fault("leaving caps what begins after it", "domain/record.py", "if out > place:", "if True:"),
    Fault("leaving caps only what was entered before it", "domain/record.py",
          "if out > place:", "if out > place and departure.root > chain.root:"),
    Fault("an annulment undone stays annulled", "domain/record.py",
          "chain.content = None if chain.content is not None else chain.last",
          "chain.content = None"),
    Fault("a correction takes effect at its root's content day", "domain/record.py",
          "chain.content = chain.last = content_of(entry)",
          "chain.content = chain.last = content_of(entry)._replace(effective=chain.last.effective)"),
    Fault("leaving does not touch what is on record", "domain/record.py",
          "touched.update(self._naming[alias])", "pass"),
    Fault("a corrected ending still ends its first fact", "domain/record.py",
          "end is not None and end.ends == chain.id and", "end is not None and"),
    Fault("an ending that is undone stays", "domain/record.py",
          "touched.update((ended, self.chains[ended]) for ended in chain.ended"
          " if ended in self.chains)",
          "touched.update((ended, self.chains[ended]) for ended in chain.ended"
          " if ended in self.chains and chain.content is not None)"),
    Fault("a leaving under one id spares the other's facts", "domain/record.py",
          "for alias in self.forest.family(spec.subject[7:]):", "for alias in [spec.subject[7:]]:"),
    Fault("a split leaves the facts where the merge put them", "domain/record.py",
          "for c in self._merges.values() if c.content)", "for c in self._merges.values())"),
    Fault("the table follows a merge only in what is entered later", "projections/runner.py",
          "if root.cls.merges:", "if False:"),
    Fault("a none has no place of its own", "domain/record.py",
          "content.seq + spec.seq, chain.root", "content.seq, chain.root"),
    Fault("a decision sees the whole of its day", "domain/bitemporal.py",
          "fact.place <= before)", "fact.effective <= before[0])"),
    Fault("the table forgets the order of a day", "projections/records_statements.py",
          "effective DESC, seq DESC, root DESC", "effective DESC, root DESC"),
    Fault("the table counts the end as in force", "projections/records_statements.py",
          "%(v)s < r.until AND", "%(v)s <= r.until AND"),
    Fault("the table knows one position too long", "projections/records_statements.py",
          '%(k)s < r.known_to"', '%(k)s <= r.known_to"'),
    Fault("the table closes every version of a slot", "projections/records_statements.py",
          "  AND {table}.root = c.root AND {table}.known_from = c.known_from\n", ""),
    Fault("a merge spares whoever sits in a unit's seat", "domain/events.py",
          'if kind != "person" or value is None:',
          'if kind != "person" or value is None or name == "officer":'),
    Fault("a seat outlives the officer's leaving the unit", "projections/charges.py",
          'return "officer-left-unit" if was and role["unit"] != was["unit"] else None',
          "return None"),
    Fault("a unit is looked for above itself on one day alone", "domain/acts/units.py",
          "days = {case.effective, *_turns(case, unit)}", "days = {case.effective}"),
    Fault("who holds another seat holds this one", "domain/acts/responsibility.py",
          "        if fact.slot == slot\n        and", "        if True\n        and"),
    Fault("the end of a deputy leaves the portfolio", "domain/acts/responsibility.py",
          'writes = (Writes(PORTFOLIO, key="unit", slot="officer", none=True),)', "writes = ()"),
    Fault("the table knows no seats", "projections/records_statements.py",
          'SINGLE_AT = (\n    "SELECT DISTINCT ON (subject, facet, slot) "',
          'SINGLE_AT = (\n    "SELECT DISTINCT ON (subject, facet) "'),
    Fault("who refers is found beneath what prevails", "projections/records_statements.py",
          "    + HOLDS + PREVAILS\n", "    + HOLDS\n"),
    Fault("a split keeps the old unit open", "domain/acts/units.py",
          'fixed={"state": "split"}', 'fixed={"state": "active"}'),
    Fault("a merge spares whom a portfolio names", "domain/events.py",
          "kept = list(dict.fromkeys(forest.kept(one) for one in value))", "kept = value"),
    Fault("a portfolio names units of anywhere", "domain/acts/responsibility.py",
          "if not _stands_under(case, unit, self.unit):", "if False:"),
    Fault("a portfolio's post is ignored", "projections/charges.py",
          'if post in portfolio.get("posts", ()):', "if False:"),
    Fault("a portfolio's person comes after its post", "projections/charges.py",
          "        return 0\n", "        return 2\n"),
    Fault("a portfolio's sub-unit is ignored", "projections/charges.py",
          "if any(unit in units for unit in line[:-1]):", "if False:"),
    Fault("a deputy without a portfolio answers for the units below", "projections/charges.py",
          "rank = WHOLE_UNIT if distance == 0 else None", "rank = WHOLE_UNIT"),
    Fault("a portfolio outlives the term it was given in", "projections/charges.py",
          " and portfolio.effective >= fact.effective:", ":"),
    Fault("the home unit answers during a secondment", "projections/charges.py",
          "for facet in (HOST, UNIT):", "for facet in (UNIT, HOST):"),
    Fault("a pairing outlives the auxiliary's transfer", "projections/charges.py",
          "ends += [_suspended(view, officer, since, day), _left_unit(view, person, since, day)]",
          "ends += [_suspended(view, officer, since, day)]"),
    Fault("a pairing outlives the officer's suspension", "projections/charges.py",
          "ends += [_suspended(view, officer, since, day), _left_unit(view, person, since, day)]",
          "ends += [_left_unit(view, person, since, day)]"),
    Fault("a pairing comes back when its ground does", "projections/charges.py",
          "if since < d <= day}", "if d == day}"),
    Fault("a leave is not shown", "projections/accountability.py",
          '((LEAVE, "on-leave"), (SUSPENSION, "suspended"))', '((SUSPENSION, "suspended"),)'),
    Fault("an acting head beside the head is an overlap", "projections/accountability.py",
          "len(kinds) > len(set(kinds))", "len(kinds) > 1"),
    Fault("who answered the day before is not named", "projections/accountability.py",
          "of_day = charges(view, person, day - DAY) + passed", "of_day = passed"),
    Fault("a deputy is not looked for in the units below", "projections/accountability.py",
          "below = below_units(source, {_id(fact) for fact in deputised})",
          "below = {_id(fact) for fact in deputised}"),
    Fault("a roster lacks whoever is seconded to the unit", "projections/roster.py",
          "(row[home] in units or row[host] in units)", "row[home] in units"),
    Fault("a roster ends with the units right below", "projections/roster.py",
          "level = sorted(children - found)\n", "level = sorted(children - found) * (len(found) < 2)\n"),
    Fault("who is hired again inherits a gap", "projections/accountability.py",
          "(floor is not None and first <= floor)", "False"),
    Fault("what is asked of any day counts only by its days", "domain/ledger/impact.py",
          "if (facet.ever or entry.cls.merges) and change.root < chain.root:", "if False:", OF_IMPACT),
    Fault("an act decided again answers for what was decided on it", "domain/case.py",
          "if not self._again:", "if True:", OF_IMPACT),
    Fault("units are not searched for acts entered ahead", "domain/ledger/impact.py",
          "    reading.extend({Strand(None, change.strand.subject) for change in changes})\n", "",
          OF_IMPACT),
    Fault("an annulled ending does not read what it ended", "domain/ledger/deciding.py",
          "reading.extend(strands_of(root))",
          "reading.extend(s for s in strands_of(root) if root.cls.writes)",
          "tests/ledger/test_impact.py"),
    Fault("what only a correction leads to is not read", "domain/ledger/reading.py",
          "roots.add(entry.root)", "pass", OF_IMPACT),
    Fault("an ending changes no order of its day", "domain/ledger/impact.py",
          "if fact.root not in changed and fact.until < OPEN:", "if False:", OF_IMPACT),
    Fault("a fact of one day changes nothing", "domain/ledger/impact.py",
          "max(max(f.until, f.effective + timedelta(1)) for f in facts)",
          "max(f.until for f in facts)", OF_IMPACT),
]  # fmt: skip


def noticed(fault: Fault, seconds: float) -> str:
    """Where the fault was noticed, and after how long."""
    with tempfile.TemporaryDirectory(prefix="ledger-fault-") as folder:
        house = Path(folder) / "house"
        shutil.copytree(HOUSE, house, ignore=shutil.ignore_patterns(".*", "var", "*.egg-info"))
        path = house / fault.file
        text = path.read_text()
        if fault.right not in text:
            return "NOT APPLICABLE: the code has changed"
        path.write_text(text.replace(fault.right, fault.wrong))
        started = time.monotonic()
        if not _passes(house, fault.judge, "faults", 600):
            return f"make test, {time.monotonic() - started:.0f} s"
        started = time.monotonic()
        if not _passes(house, fault.judge, "faults-soak", seconds):
            return f"soak, {time.monotonic() - started:.0f} s"
    return "NOT NOTICED"


def _passes(house: Path, judge: str, profile: str, seconds: float) -> bool:
    judging = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", judge],
        cwd=house, env=os.environ | {"PYTHONPATH": str(house), "HYPOTHESIS_PROFILE": profile},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return judging.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        _stop(judging)
        return True


def _stop(judging: "subprocess.Popen[bytes]") -> None:
    """By an interrupt, so that it stops its server; again where that went unheard."""
    while judging.poll() is None:
        judging.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            judging.wait(30)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    chosen = [f for f in FAULTS if not arguments.names or f.name in arguments.names]
    table = Table("fault", "in", "noticed by")
    missed = 0
    for fault in chosen:
        verdict = noticed(fault, arguments.seconds)
        missed += verdict.startswith("NOT")
        print(f"{fault.name}: {verdict}", file=sys.stderr, flush=True)
        table.add_row(fault.name, fault.file, verdict)
    Console(width=110).print(table)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
