// The record of a person or a unit as its file has it: what replay/facets.py makes.
//
// Invariant: as there, line by line in the same order.
"use strict";

const SPELLS = new Both("历次任职", "spells of service");
const REVIEWS = new Both("复核", "reviews");
const BELOW = new Both("直接下级", "directly below");

function* record(basis, asked) {
  const [person, { told, recorded }] = [own(asked, "person"), basis];
  const kept = told.family(person, recorded)[0];
  const found = Array.from(ofFacets(basis, "person", kept)).concat(Array.from(spellsAndReviews(basis, kept)));
  const cited = basis.cited(found.map((line) => line.entry));
  for (const line of found) {
    const subjects = given(cited.get(line.entry) || {}, "subjects");
    yield Object.assign({}, line, { subject: person, value: told.wrapped(line.value), subjects });
  }
}

function* unit(basis, asked) {
  const subject = own(asked, "unit");
  for (const line of ofFacets(basis, "unit", subject)) {
    yield Object.assign({}, line, { subject, value: basis.told.wrapped(line.value) });
  }
  for (const one of basis.everyUnit().values()) {
    if (one.parent === subject) yield { subject, facet: "below", what: BELOW, value: one.unit };
  }
}

function* spellsAndReviews(basis, kept) {
  const { told, effective, recorded } = basis;
  for (const one of told.folded(kept, recorded).spells(kept)) {
    yield {
      facet: "spells", what: SPELLS, since: one.since, last_day: one.last_day, value: one.left,
      entry: one.entry, ended_by: one.left_by,
    };
  }
  for (const one of told.reviews(kept, effective, recorded) || []) {
    yield {
      facet: "reviews", what: REVIEWS, state: one.state, since: one.opened, last_day: one.concluded,
      value: picked(one, ["position", "reason", "outcome", "authority"]), entry: one.opened_by,
      ended_by: one.concluded_by,
    };
  }
}

// What holds of each facet, and what is over; of one of which nothing is recorded, that.
function* ofFacets(basis, kind, id) {
  const { told, effective, recorded } = basis;
  const fold = told.folded(id, recorded, kind);
  const over = new Map(fold.ended(kind, id, effective).map((one) => [one.facet, [one]]));
  const answering = basis.at(recorded);
  for (const facet of fold.facetsOf(kind, id, effective)) {
    const [name, held] = [facet.facet, facet.facts];
    const lapsed = ANSWERING.includes(name) ? answering.lapses(name, id, effective) : new Map();
    const stands = (fact) => held.some((one) => JSON.stringify(one) === JSON.stringify(fact));
    const begun = [facet.on_record || [], held, over.get(name) || [], [{}]].find((facts) => facts.length);
    for (const fact of begun) {
      const gone = stands(fact) && lapsed.has(fact.slot) ? lapsed.get(fact.slot) : null;
      const state = stands(fact) || !has(fact, "entry") ? facet.state : "ended";
      const line = { facet: name, what: new Both(facet.zh, facet.en), state: gone ? "lapsed" : state };
      for (const one of ["slot", "value", "since", "last_day", "entry", "ended_by"]) line[one] = given(fact, one);
      yield Object.assign(line, { lapsed_on: gone && gone.day, cause: gone && gone.cause });
    }
  }
}
