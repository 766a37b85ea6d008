// What the reports of a ledger give, made of the entries of a bundle: what replay/lines.py makes.
//
// Invariant: as there, line by line in the same order.
"use strict";

const OF_PERSONS = {
  number: ["number", "number"], name: ["name", "name"], id_number: ["id-number", "id_number"],
  category: ["category", "category"], grade: ["grade", "grade"], ladder: ["grade", "ladder"],
  post: ["post", "post"], unit: ["unit", "unit"], host: ["host", "unit"], service: ["service", "state"],
};
const OF_UNITS = {
  name: ["unit-name", "name"], state: ["unit-state", "state"], parent: ["unit-parent", "parent"],
};
const SEAT = [
  "capacity", "unit", "seat", "above", "status", "officer", "name", "acting", "state",
  "holds_since", "holds_to", "vacant_since", "cause", "entries",
];

class NoSuchUnit extends Error {}

// What is said in the language of its reader.
class Both {
  constructor(zh, en) {
    this.words = [zh, en];
  }
}

function facetsOf(columns) {
  return Array.from(new Set(Object.keys(columns).map((name) => columns[name][0])));
}

function valuesOf(held, columns) {
  const line = {};
  for (const name of Object.keys(columns)) {
    const [facet, field] = columns[name];
    const value = has(held, facet) ? held[facet].value : null;
    line[name] = value === null ? null : given(value, field);
  }
  return line;
}

function several(said) {
  if (typeof said === "string") return said.split(/\s+/).filter((one) => one);
  return said || [];
}

function picked(held, names) {
  const found = {};
  for (const name of names) found[name] = own(held, name);
  return found;
}

function lastDay(until) {
  return until === OPEN ? null : nextDay(until, -1);
}

// A time of entry as an answer writes it.
function entryTime(microseconds) {
  const [seconds, rest] = [Math.floor(microseconds / 1e6), ((microseconds % 1e6) + 1e6) % 1e6];
  const fraction = rest ? `.${String(rest).padStart(6, "0")}` : "";
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}+00:00`;
}

// What the entries give as of one pair.
class Basis {
  constructor(told, effective, recorded) {
    Object.assign(this, { told, effective, recorded, answering: new Map(), names: null });
    this.declared = told.codebook();
  }

  *roster(asked) {
    const units = this.everyUnit();
    const within = this.within(units, asked);
    for (const [person, held] of this.told.everybody(this.effective, this.recorded, facetsOf(OF_PERSONS))) {
      const line = Object.assign({ person }, valuesOf(held, OF_PERSONS));
      if (line.service !== "in") continue;
      delete line.service;
      line.hired_on = held.service.effective;
      line.since = line.unit ? held.unit.effective : null;
      line.unit_name = units.has(line.unit || "") ? units.get(line.unit || "").name : null;
      const here = within === null || within.has(line.unit) || within.has(line.host);
      const met = (name) => given(asked, name) === null || asked[name] === line[name];
      if (here && ["grade", "post", "category"].every(met)) yield line;
    }
  }

  *headcount(asked) {
    const [by, counts] = [own(asked, "by"), new Map()];
    for (const line of this.roster(asked)) counts.set(line[by], (counts.get(line[by]) || 0) + 1);
    const units = by === "unit" ? this.everyUnit() : new Map();
    for (const [key, count] of counts) {
      yield { by, key, name: units.has(key || "") ? units.get(key || "").name : null, count };
    }
  }

  *units() {
    for (const line of this.everyUnit().values()) if (line.state !== null) yield line;
  }

  everyUnit() {
    const held = this.told.units(this.effective, this.recorded, facetsOf(OF_UNITS));
    return new Map(held.map(([unit, said]) => [unit, Object.assign({ unit }, valuesOf(said, OF_UNITS))]));
  }

  within(units, asked) {
    const unit = given(asked, "unit");
    if (unit === null) return null;
    if (!units.has(unit) || units.get(unit).state === null) throw new NoSuchUnit(unit);
    const [found, waiting] = [new Set([unit]), given(asked, "below") === false ? [] : [unit]];
    while (waiting.length) {
      const above = waiting.pop();
      for (const [below, said] of units) {
        if (said.parent === above && !found.has(below)) {
          found.add(below);
          waiting.push(below);
        }
      }
    }
    return found;
  }

  *journal(asked) {
    const [types, tags] = [several(given(asked, "types")), several(given(asked, "tags"))];
    const [after_, late] = [integer(given(asked, "after") || 0), given(asked, "late")];
    const until = Math.min(integer(given(asked, "until") || this.recorded), this.recorded);
    for (const entry of this.told.until(until)) {
      if (entry.position <= after_ || !tags.every((tag) => entry.tags.includes(tag))) continue;
      if (types.length && !types.includes(entry.type)) continue;
      const line = this.entered(entry);
      if (given(asked, "corrections") && !has(json(entry.data), "root")) continue;
      if (late === null || line.lag_days >= integer(late)) yield line;
    }
  }

  *history(asked) {
    const about = this.told.family(own(asked, "person"), this.recorded).map((one) => `person:${one}`);
    const entries = [];
    for (const entry of this.told.until(this.recorded)) {
      if (entry.tags.some((tag) => about.includes(tag))) entries.push(entry);
    }
    const became = standings(entries);
    for (const entry of entries) {
      const [standing, standing_by] = became.get(entry.position);
      yield Object.assign(this.entered(entry), { standing, standing_by });
    }
  }

  // An entry as it was entered.
  entered(entry) {
    const [said, at] = [json(entry.data), Number(entry.recordedAt)];
    const [paper, declared] = [given(said, "document") || {}, own(own(this.declared, "types"), entry.type)];
    const effective = own(said, "effective");
    const day = new Date(`${nextDay(effective, 0)}T00:00:00Z`).getTime() / 86400000;
    return {
      position: entry.position, recorded_at: entryTime(at), effective,
      last_day: lastDay(given(said, "until") || OPEN), lag_days: Math.floor((at + AHEAD) / DAY) - day,
      type: entry.type, event: new Both(own(declared, "zh"), own(declared, "en")),
      subjects: entry.tags.join(" "), mood: own(said, "mood"),
      paper: given(paper, "number") || given(paper, "none_because"), reason: given(said, "reason"),
      by: own(own(said, "actor"), "subject"), event_id: own(said, "id"),
    };
  }

  // What rows say of the entries that made them so, by position; which subjects besides.
  cited(positions) {
    const [wanted, found] = [new Set(positions), new Map()];
    for (const entry of this.told.until(this.recorded)) {
      if (!wanted.has(entry.position)) continue;
      const of = picked(this.entered(entry), ["recorded_at", "event", "by", "reason", "subjects"]);
      found.set(entry.position, Object.assign({ entry: entry.position }, of));
    }
    return found;
  }

  // What entries are called, by position.
  events(positions) {
    const [wanted, found] = [new Set(positions), new Map()];
    for (const entry of this.told.until(this.recorded)) {
      if (!wanted.has(entry.position)) continue;
      const declared = own(own(this.declared, "types"), entry.type);
      found.set(entry.position, new Both(own(declared, "zh"), own(declared, "en")));
    }
    return found;
  }

  *timeline(asked) {
    const subject = own(asked, "subject");
    const [kind, rest] = partition(subject, ":");
    const id = kind === "person" ? this.told.family(rest, this.recorded)[0] : rest;
    const declared = own(this.declared, "facets");
    const only = given(asked, "facet");
    const facets = Object.keys(declared).filter((name) => (
      own(declared[name], "of") === kind && (only === null || only === name)
    ));
    const parts = Array.from(this.parts(id, facets));
    const cited = this.cited(parts.map(([, , part]) => part.entry));
    for (const [facet, slot, part] of parts) {
      const line = {
        subject, facet, what: new Both(own(declared[facet], "zh"), own(declared[facet], "en")),
        slot: slot || null, state: part.state, value: this.told.wrapped(part.value),
        since: part.start, last_day: lastDay(part.end), entry: null, recorded_at: null, event: null,
        by: null, reason: null,
      };
      if (part.entry !== null) Object.assign(line, cited.get(part.entry));
      yield line;
    }
  }

  *parts(id, facets) {
    const standing = this.told.every(this.recorded, Array.from(new Set(facets.concat(BEARING))));
    const answering = new Answering(standing);
    for (const facet of facets.slice().sort(byPoint)) {
      const facts = standing.get(strand(facet, id)) || [];
      const many = own(own(this.declared, "facets")[facet], "many");
      const slots = Array.from(new Set(facts.map((fact) => (many ? "" : fact.slot)))).sort(byPoint);
      for (const slot of slots) {
        const mine = many ? facts : facts.filter((fact) => fact.slot === slot);
        for (const part of many ? eachFact(mine) : oneAfterAnother(mine)) {
          const lapses = ANSWERING.includes(facet) && part.value !== null && part.fact !== null;
          const over = lapses ? answering.lapse(id, part.fact, nextDay(part.end, -1)) : null;
          for (const one of lapsing(part, over)) yield [facet, slot, one];
        }
      }
    }
  }

  *chain(asked) {
    const person = this.told.family(own(asked, "person"), this.recorded)[0];
    const [day, then] = [this.effective, Math.min(integer(own(asked, "then")), this.recorded)];
    for (const [known, position] of [["now", this.recorded], ["then", then]]) {
      const of = { known, position, start: day, last_day: day };
      for (const seat of this.seats(this.at(position).answer(person, day))) {
        yield Object.assign({}, of, seat);
      }
    }
  }

  *chainOver(asked) {
    const person = this.told.family(own(asked, "person"), this.recorded)[0];
    const [first, end] = [own(asked, "first_day"), nextDay(own(asked, "last_day"))];
    for (const part of this.at(this.recorded).over(person, first, end)) {
      const of = { start: part.start, last_day: nextDay(part.end, -1) };
      for (const seat of this.seats(part.answer)) yield Object.assign({}, of, seat);
    }
  }

  *chainUnit(asked) {
    const within = this.within(this.everyUnit(), asked);
    const answering = this.at(this.recorded);
    for (const person of answering.persons()) {
      const answer = answering.answer(person, this.effective);
      if ((within !== null && !within.has(answer.unit)) || answer.service !== "in") continue;
      const of = { day: this.effective, auxiliary: this.name(person) };
      for (const seat of this.seats(answer)) yield Object.assign({}, of, seat);
    }
  }

  *chainOfficer(asked) {
    const officer = this.told.family(own(asked, "officer"), this.recorded)[0];
    const [first, end] = [own(asked, "first_day"), nextDay(own(asked, "last_day"))];
    for (const one of this.at(this.recorded).heldBy(officer, first, end)) {
      yield Object.assign(
        picked(one.holder, ["officer", "capacity", "unit", "seat", "acting", "state"]),
        { entries: one.holder.entries.join(" "), person: one.person, name: this.name(one.person) },
        { start: one.start, last_day: nextDay(one.end, -1) },
      );
    }
  }

  at(recorded) {
    if (!this.answering.has(recorded)) {
      this.answering.set(recorded, new Answering(this.told.every(recorded, BEARING)));
    }
    return this.answering.get(recorded);
  }

  // A row a holder, one for a seat that nobody holds, and the seats above an empty one.
  *seats(answer) {
    const of = {};
    for (const name of SEAT) of[name] = null;
    Object.assign(of, { person: answer.person, service: answer.service, using_unit: answer.unit });
    if (!answer.lines.length) yield of;
    for (const line of answer.lines) {
      for (const seat of [line].concat(line.beside)) {
        const said = Object.assign(
          {}, of, picked(seat, ["capacity", "unit", "seat", "status", "cause"]),
          { above: seat !== line, vacant_since: seat.since, entries: seat.entries.join(" ") },
        );
        if (!seat.holders.length) yield said;
        for (const holder of seat.holders) yield Object.assign({}, said, this.holding(holder));
      }
    }
    for (const holder of answer.outgoing) {
      const seat = picked(holder, ["capacity", "unit", "seat"]);
      yield Object.assign({}, of, seat, { status: "outgoing" }, this.holding(holder));
    }
  }

  holding(holder) {
    return {
      officer: holder.officer, name: this.name(holder.officer), acting: holder.acting,
      state: holder.state, holds_since: holder.place[0], holds_to: lastDay(holder.until),
      entries: holder.entries.join(" "),
    };
  }

  name(person) {
    if (this.names === null) {
      this.names = new Map();
      for (const [one, said] of this.told.everybody(this.effective, this.recorded, ["name"])) {
        const value = has(said, "name") ? said.name.value : null;
        this.names.set(one, value === null ? null : given(value, "name"));
      }
    }
    return this.names.has(person) ? this.names.get(person) : null;
  }
}

function eachFact(facts) {
  return facts.filter((fact) => fact.effective < fact.until)
    .map((fact) => strandPart(fact.effective, fact.until, fact, null));
}

// What answers from the first fact on; a gap is told with what ended the fact before it.
function oneAfterAnother(facts) {
  const held = facts.filter((fact) => fact.effective < fact.until);
  const turns = [].concat.apply([OPEN], held.map((fact) => [fact.effective, fact.until]));
  const days = Array.from(new Set(turns)).sort();
  const runs = [];
  for (const day of days.slice(0, -1)) {
    const best = resolved(held, day);
    if (!runs.length || runs[runs.length - 1][1] !== best) runs.push([day, best]);
  }
  return runs.map(([start, fact], n) => {
    const end = n + 1 < runs.length ? runs[n + 1][0] : OPEN;
    return strandPart(start, end, fact, n ? runs[n - 1][1] : null);
  });
}

function strandPart(start, end, fact, before) {
  if (fact === null) {
    return { start, end, state: "ended", value: null, entry: before && before.endedBy, fact };
  }
  const state = fact.value === null ? "none" : "held";
  return { start, end, state, value: fact.value, entry: fact.entry, fact };
}

function lapsing(part, over) {
  if (over === null) return [part];
  const before = part.start < over.day ? [Object.assign({}, part, { end: over.day })] : [];
  const start = part.start < over.day ? over.day : part.start;
  const entry = over.entries.length ? over.entries[over.entries.length - 1] : null;
  return before.concat([{ start, end: part.end, state: "lapsed", value: null, entry, fact: null }]);
}

// What became of each entry, and by which.
function standings(entries) {
  const [chains, found] = [new Map(), new Map()];
  for (const entry of entries) {
    const said = json(entry.data);
    const root = given(said, "root") || own(said, "id");
    if (!chains.has(root)) chains.set(root, []);
    chains.get(root).push([entry.position, has(said, "annuls")]);
  }
  for (const chain of chains.values()) {
    const since = chain.map((_, n) => n).filter((n) => !chain[n][1]).concat([chain.length]);
    for (let n = 0; n + 1 < since.length; n++) {
      const [content, ...undone] = chain.slice(since[n], since[n + 1]).map(([position]) => position);
      const [last, stands] = [undone[undone.length - 1], undone.length % 2 === 0];
      found.set(content, stands ? ["stands", null] : ["annulled", last]);
      undone.forEach((position, at) => {
        let by = at % 2 && !stands ? last : null;
        if (at % 2 === 0 && at + 1 < undone.length) by = undone[at + 1];
        found.set(position, by === null ? ["stands", null] : ["annulled", by]);
      });
      if (since[n + 1] < chain.length) found.set(content, ["superseded", chain[since[n + 1]][0]]);
    }
  }
  return found;
}
