// The record of a person, folded in a browser: what replay/refold.py folds in Python.
//
// Invariant: for every pair of times it answers what the same fold there answers.
"use strict";

const FOLD = 2;
const OPEN = "9999-12-31";
const ANNULMENT = "FactAnnulled";
const NOTHING = {};

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function keysAre(value, names) {
  const keys = Object.keys(value);
  return keys.length === names.length && names.every((name) => has(value, name));
}

// A field's value; null where it is absent, as Python's get.
function given(fields, name) {
  const held = has(fields, name) ? fields[name] : null;
  return held === undefined ? null : held;
}

// Days, orders and roots, one after the other.
function beyond(place, other) {
  for (let n = 0; n < 3; n++) {
    if (place[n] !== other[n]) return place[n] > other[n] ? 1 : -1;
  }
  return 0;
}

class Refold {
  constructor(codebook) {
    this.types = own(codebook, "types");
    this.facets = own(codebook, "facets");
    this.chains = new Map();
    this.enders = new Map();
    this.departures = new Map();
    this.into = new Map();
  }

  apply(position, type, data) {
    const said = JSON.parse(text(data));
    const declared = own(this.types, type);
    if ((has(said, "version") ? said.version : 1) !== own(declared, "version")) {
      throw new Error("a schema version that the codebook does not hold");
    }
    const root = given(said, "root");
    let chain = this.chains.get(root || own(said, "id"));
    if (root !== null && !chain) return;
    if (has(said, "annuls") && chain) {
      chain.content = chain.content ? null : chain.last;
    } else {
      const content = {
        entry: position,
        effective: own(said, "effective"),
        until: given(said, "until") || OPEN,
        seq: has(said, "seq") ? integer(said.seq) : 0,
        ends: given(said, "ends"),
        fields: own(said, "fields"),
      };
      if (!chain) {
        chain = { id: said.id, type, root: position, content, last: content };
        this.chains.set(said.id, chain);
      }
      chain.content = chain.last = content;
    }
    if (chain.last.ends !== null) this.note(this.enders, chain.last.ends, chain);
    const kind = own(this.types, chain.type);
    const [leaves, merges] = [own(kind, "leaves"), own(kind, "merges")];
    if (leaves) this.note(this.departures, own(chain.last.fields, leaves), chain);
    if (merges && merges.length) this.join();
  }

  note(held, name, chain) {
    if (!held.has(name)) held.set(name, new Map());
    held.get(name).set(chain.id, chain);
  }

  join() {
    this.into = new Map();
    const chains = Array.from(this.chains.values()).sort((a, b) => a.root - b.root);
    for (const chain of chains) {
      const merges = own(own(this.types, chain.type), "merges");
      if (merges && merges.length && chain.content !== null) {
        const [low, high] = merges.map((name) => this.kept(own(chain.content.fields, name)));
        if (low !== high) this.into.set(low, high);
      }
    }
  }

  kept(person) {
    while (this.into.has(person)) person = this.into.get(person);
    return person;
  }

  family(person) {
    const kept = this.kept(person);
    const others = Array.from(this.into.keys()).filter((one) => this.kept(one) === kept);
    return [kept].concat(others.sort(byPoint));
  }

  record(person, effective, opening) {
    const kept = this.kept(person);
    const facets = this.facetsOf("person", kept, effective);
    return facets.length ? opened({ person, facets, spells: this.spells(kept) }, opening) : null;
  }

  // Every facet of a subject on a day, private fields sealed; none where it is unknown.
  facetsOf(kind, id, effective) {
    const held = this.of(kind, id);
    const names = Object.keys(this.facets).filter((name) => own(this.facets[name], "of") === kind);
    return (held.length ? names.sort(byPoint) : []).map((name) => (
      this.facet(name, held.filter((fact) => fact.facet === name), effective)
    ));
  }

  spells(kept) {
    return spells(this.of("person", kept));
  }

  // The last fact of each single-valued facet that had facts by a day and has none on it.
  ended(kind, id, effective) {
    const past = new Map();
    for (const fact of this.of(kind, id)) {
      if (fact.effective > effective || own(this.facets[fact.facet], "many")) continue;
      past.set(fact.facet, (past.get(fact.facet) || []).concat([fact]));
    }
    const names = Array.from(past.keys()).sort(byPoint);
    return names.filter((name) => past.get(name).every((f) => f.until <= effective)).map((name) => {
      const facts = past.get(name).sort((a, b) => beyond(a.place, b.place));
      return Object.assign({ facet: name }, told(facts[facts.length - 1]));
    });
  }

  of(kind, id) {
    return [].concat.apply([], Array.from(this.chains.values(), (chain) => this.facts(chain, id, kind)));
  }

  // The reviews of one act that had begun by a day, and what came of each.
  reviews(review, effective) {
    const [found, rows] = [[], []];
    for (const chain of this.chains.values()) {
      found.push.apply(found, this.facts(chain, review, "review"));
    }
    const begun = found.filter((fact) => fact.effective <= effective);
    for (const fact of begun.sort((a, b) => beyond(a.place, b.place))) {
      const [day, entry, last] = [fact.effective, fact.entry, rows[rows.length - 1]];
      if (own(fact.value, "state") === "open") {
        const none = { outcome: null, authority: null, note: null, concluded: null, concluded_by: null };
        rows.push(Object.assign(none, fact.value, { review, opened: day, opened_by: entry }));
      } else if (last) {
        Object.assign(last, fact.value, { concluded: day, concluded_by: entry });
      }
    }
    return rows;
  }

  // Every subject of a kind, in order of id, with what answers for these facets on a day.
  standing(kind, facets, effective, opening) {
    const filed = new Map();
    for (const chain of this.chains.values()) {
      for (const id of this.filedUnder(chain, kind, facets)) this.note(filed, id, chain);
    }
    return Array.from(filed.keys()).sort(byPoint).map((id) => {
      const held = [];
      for (const chain of filed.get(id).values()) held.push.apply(held, this.facts(chain, id, kind));
      const answers = {};
      for (const name of facets) {
        const fact = resolved(held.filter((one) => one.facet === name), effective);
        if (fact !== null) answers[name] = Object.assign({}, fact, { value: opened(fact.value, opening) });
      }
      return [id, answers];
    });
  }

  // Whether an entry of a type can change what stands of these facets.
  bearsOn(type, facets) {
    const declared = own(this.types, type);
    const [writes, ends, leaves, merges] = ["writes", "ends", "leaves", "merges"].map((each) => own(declared, each));
    if (type === ANNULMENT || leaves || (merges && merges.length)) return true;
    return writes.map((one) => own(one, "facet")).concat(ends).some((name) => facets.includes(name));
  }

  // All that stands of these facets, by facet and subject; private fields sealed.
  every(facets) {
    const [found, kinds] = [new Map(), new Set(facets.map((name) => own(own(this.facets, name), "of")))];
    for (const chain of this.chains.values()) {
      for (const kind of kinds) {
        for (const id of new Set(this.filedUnder(chain, kind, facets))) {
          for (const fact of this.facts(chain, id, kind)) {
            if (!facets.includes(fact.facet)) continue;
            const key = strand(fact.facet, id);
            if (!found.has(key)) found.set(key, []);
            found.get(key).push(fact);
          }
        }
      }
    }
    return found;
  }

  filedUnder(chain, kind, facets) {
    if (chain.content === null) return [];
    const declared = own(this.types, chain.type);
    const fields = this.renamed(declared, chain.content.fields);
    let found = [];
    for (const writes of own(declared, "writes")) {
      const name = own(writes, "facet");
      if (!facets.includes(name) || own(own(this.facets, name), "of") !== kind) continue;
      found = found.concat(given(fields, own(writes, "key")) || []);
    }
    return found;
  }

  facet(name, facts, day) {
    const [zh, en, many] = ["zh", "en", "many"].map((each) => own(this.facets[name], each));
    const answer = { facet: name, zh, en, many };
    facts = facts.slice().sort((a, b) => beyond(a.place, b.place));
    if (many) {
      answer.facts = facts.filter((f) => f.effective <= day && day < f.until).map(told);
      answer.on_record = facts.filter((f) => f.effective <= day).map(told);
    } else {
      const slots = Array.from(new Set(facts.map((f) => f.slot))).sort(byPoint);
      const stand = slots.map((slot) => resolved(facts, day, slot)).filter((f) => f !== null);
      answer.facts = stand.map(told);
    }
    const none = answer.facts.every((f) => f.value === null);
    answer.state = !answer.facts.length ? "not-recorded" : none ? "none" : "held";
    return answer;
  }

  facts(chain, id, kind = "person") {
    const content = chain.content;
    if (content === null) return [];
    const declared = own(this.types, chain.type);
    const fields = this.renamed(declared, content.fields);
    const [seen, found] = [new Set(), []];
    for (const writes of own(declared, "writes")) {
      const [name, slotted, since, none] =
        ["facet", "slot", "since", "none"].map((each) => own(writes, each));
      const facet = own(this.facets, name);
      const keys = given(fields, own(writes, "key"));
      const mine = typeof keys === "string" ? keys === id : (keys || []).includes(id);
      if (own(facet, "of") !== kind || !mine) continue;
      const value = valueOf(writes, fields);
      if (value === NOTHING) continue;
      const slot = slotted ? String(given(fields, slotted) || "") : "";
      const both = JSON.stringify([name, slot]);
      if (seen.has(both) && fields !== content.fields) continue;
      seen.add(both);
      const effective = (since && given(fields, since)) || content.effective;
      const place = [effective, content.seq - (none ? 1 : 0), chain.root];
      let [until, endedBy] = [content.until, null];
      for (const [day, entry] of this.caps(chain, name, id, place)) {
        if (day < until) [until, endedBy] = [day, entry];
      }
      const facts = { facet: name, slot, effective, until, place, value };
      found.push(Object.assign(facts, { entry: content.entry, endedBy }));
    }
    return found;
  }

  renamed(declared, fields) {
    const now = {};
    const merges = own(declared, "merges");
    for (const [name, kind] of merges && merges.length ? [] : own(declared, "subjects")) {
      const value = given(fields, name);
      if (kind !== "person" || value === null) continue;
      if (typeof value === "string") {
        if (this.kept(value) !== value) now[name] = this.kept(value);
      } else {
        const kept = Array.from(new Set(value.map((one) => this.kept(one))));
        if (kept.length !== value.length || kept.some((one, n) => one !== value[n])) {
          now[name] = kept;
        }
      }
    }
    return Object.keys(now).length ? Object.assign({}, fields, now) : fields;
  }

  caps(chain, facet, person, place) {
    const found = [];
    for (const ender of (this.enders.get(chain.id) || new Map()).values()) {
      const end = ender.content;
      const ends = own(own(this.types, ender.type), "ends");
      if (end !== null && end.ends === chain.id && ends.includes(facet)) {
        found.push([end.effective, end.entry]);
      }
    }
    const declared = own(this.facets, facet);
    if (own(declared, "stays") || own(declared, "of") !== "person") return found;
    for (const alias of this.family(person)) {
      for (const departure of (this.departures.get(alias) || new Map()).values()) {
        const left = departure.content;
        const name = own(own(this.types, departure.type), "leaves");
        if (left === null || own(left.fields, name) !== alias) continue;
        if (beyond([left.effective, left.seq, departure.root], place) > 0) {
          found.push([left.effective, left.entry]);
        }
      }
    }
    return found;
  }
}

function valueOf(writes, fields) {
  const names = own(writes, "value");
  if (own(writes, "none")) return null;
  if (names.length && given(fields, names[0]) === null) return NOTHING;
  const value = {};
  for (const name of names) {
    if (given(fields, name) !== null) value[name] = fields[name];
  }
  return Object.assign(value, own(writes, "fixed"));
}

function resolved(facts, day, slot) {
  let best = null;
  for (const fact of facts) {
    if (!(fact.effective <= day && day < fact.until)) continue;
    if (slot !== undefined && slot !== fact.slot) continue;
    if (best === null || beyond(fact.place, best.place) > 0) best = fact;
  }
  return best;
}

function told(fact) {
  return Object.assign(
    { slot: fact.slot || null, value: fact.value, since: fact.effective },
    endOf(fact.until),
    { entry: fact.entry, root: fact.place[2], ended_by: fact.endedBy },
  );
}

function dayBefore(day) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) throw new Error("no day");
  const at = new Date(day + "T00:00:00Z");
  if (isNaN(at) || at.toISOString().slice(0, 10) !== day) throw new Error("no day");
  return new Date(at - 86400000).toISOString().slice(0, 10);
}

function endOf(until) {
  if (until === OPEN) return { until: null, last_day: null };
  return { until, last_day: dayBefore(until) };
}

function spells(held) {
  const facts = held.filter((fact) => fact.facet === "service");
  if (!facts.length) return [];
  const starts = facts.map((fact) => fact.effective).sort();
  const first = starts[0];
  const days = new Set([first, OPEN].concat(starts, facts.map((fact) => fact.until)));
  const cuts = Array.from(days).filter((day) => first <= day && day <= OPEN).sort();
  const runs = [];
  for (let n = 0; n + 1 < cuts.length; n++) {
    const fact = resolved(facts, cuts[n]);
    const last = runs[runs.length - 1];
    if (last && last.fact === fact) last.end = cuts[n + 1];
    else runs.push({ start: cuts[n], end: cuts[n + 1], fact });
  }
  const found = [];
  runs.forEach(({ start, end, fact }, n) => {
    if (fact === null || !fact.value || own(fact.value, "state") !== "in") return;
    const left = n + 1 < runs.length ? runs[n + 1].fact : null;
    found.push(Object.assign({ since: start }, endOf(end), {
      entry: fact.entry,
      left: left ? left.value : null,
      left_by: left ? left.entry : fact.endedBy,
    }));
  });
  return found;
}

function isSealed(value) {
  return isObject(value) && keysAre(value, ["o", "k", "c", "x"]);
}

function opened(value, opening) {
  if (isSealed(value)) return opening(value);
  if (Array.isArray(value)) return value.map((one) => opened(one, opening));
  if (!isObject(value)) return value;
  const found = {};
  for (const name of Object.keys(value)) found[name] = opened(value[name], opening);
  return found;
}

function* sealedIn(value) {
  if (isObject(value)) {
    for (const name of Object.keys(value)) {
      if (isSealed(value[name])) yield [name, value[name]];
      else yield* sealedIn(value[name]);
    }
  } else if (Array.isArray(value)) {
    for (const one of value) yield* sealedIn(one);
  }
}

// Where two answers differ; null where they do not. What is not disclosed is only noted.
function differing(said, replayed, place, withheld) {
  let pairs;
  if (isObject(replayed) && keysAre(replayed, ["withheld"])) {
    withheld.push(replayed.withheld);
    const gone = (name) => isObject(said) && keysAre(said, [name]) && said[name] === true;
    const alike = isObject(said) && keysAre(said, ["withheld"]) && said.withheld === replayed.withheld;
    return !isObject(said) || gone("erased") || gone("restricted") || alike ? null : place;
  }
  if (isObject(replayed) && isObject(said) && keysAre(said, Object.keys(replayed))) {
    pairs = Object.keys(replayed).map((name) => [said[name], replayed[name], name]);
  } else if (Array.isArray(replayed) && Array.isArray(said) && replayed.length === said.length) {
    pairs = said.map((one, n) => [one, replayed[n], n]);
  } else {
    return said === replayed ? null : place;
  }
  for (const [one, other, name] of pairs) {
    const found = differing(one, other, `${place}/${name}`, withheld);
    if (found !== null) return found;
  }
  return null;
}
