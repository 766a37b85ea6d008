// Who answered for an auxiliary on a day: what replay/answered.py tells in Python.
//
// Invariant: of every person, day and position it says what the same telling there says.
"use strict";

const OWN_SEAT = "主要领导"; // the head seat of a unit that declares none
const SUPERVISING = "supervising-officer";
const TIERS = { head: ["unit-head", "acting-head"], deputy: ["deputy-head", "acting-deputy"] };
const AWAY = [["officer-leave", "on-leave"], ["officer-suspension", "suspended"]];
const ANSWERING = [SUPERVISING].concat(TIERS.head, TIERS.deputy);
const BEARING = ANSWERING.concat(
  ["service", "unit", "host", "post", "officer", "portfolio", "head-seats", "unit-parent"],
  AWAY.map(([facet]) => facet),
);
const WHOLE_UNIT = 3;

function strand(facet, id) {
  return JSON.stringify([facet, id]);
}

// What facts that stand at one position say; `days` are those on which what was read turns.
class Answering {
  constructor(strands) {
    this.strands = strands;
    this.days = new Set();
  }

  // Everybody for whom anyone may ever have answered.
  persons() {
    const found = new Set();
    for (const key of this.strands.keys()) {
      const [facet, id] = JSON.parse(key);
      if (["service", "unit", "host", SUPERVISING].includes(facet)) found.add(id);
    }
    return Array.from(found).sort(byPoint);
  }

  units() {
    const found = new Set();
    for (const key of this.strands.keys()) {
      const [facet, id] = JSON.parse(key);
      if (["unit-state", "unit-parent"].includes(facet)) found.add(id);
    }
    return Array.from(found).sort(byPoint);
  }

  answer(person, day) {
    this.days = new Set();
    const root = (charge) => JSON.stringify([charge.fact.facet, charge.fact.place[2]]);
    const today = new Set(this.charges(person, day).map(root));
    const gone = new Map();
    const before = this.charges(person, nextDay(day, -1)).concat(this.passed(person, day));
    for (const charge of before) if (!today.has(root(charge))) gone.set(root(charge), charge);
    const leaving = Array.from(gone.values()).sort((a, b) => beyond(a.fact.place, b.fact.place));
    const outgoing = leaving.map((charge) => this.holder(charge, day));
    return Object.assign(this.state(person, day), { outgoing });
  }

  // Who answers on the days [start, end), in as few stretches as can be.
  over(person, start, end) {
    this.days = new Set();
    const found = [];
    for (const [day, following, answer] of this.stretches(start, end, (on) => this.state(person, on))) {
      const last = found[found.length - 1];
      if (last && JSON.stringify(last.answer) === JSON.stringify(answer)) last.end = following;
      else found.push({ start: day, end: following, answer });
    }
    return found;
  }

  // For whom an officer answers on the days [start, end).
  *heldBy(officer, start, end) {
    for (const person of this.persons()) {
      this.days = new Set();
      let running = new Map();
      const held = (day) => this.charges(person, day)
        .filter((charge) => own(charge.fact.value, "officer") === officer)
        .map((charge) => this.holder(charge, day));
      for (const [day, following, holders] of this.stretches(start, end, held)) {
        const now = new Map(holders.map((holder) => [JSON.stringify(holder), holder]));
        for (const [key, one] of running) if (!now.has(key)) yield one;
        running = new Map(Array.from(now, ([key, holder]) => [
          key, Object.assign(running.get(key) || { person, start: day, holder }, { end: following }),
        ]));
      }
      yield* running.values();
    }
  }

  // How a fact by which somebody answers had come to an end by a day.
  lapse(id, fact, day) {
    this.days = new Set();
    return this.ending(id, fact, day);
  }

  // The pairing in force on a day by which nobody answers any more, since when and why.
  lapsed(person, day) {
    return Array.from(this.lapses(SUPERVISING, person, day), ([slot, over]) => (
      Object.assign({ facet: SUPERVISING, slot }, over)
    ));
  }

  // How what is in force of a facet on a day had come to an end all the same, by slot.
  lapses(facet, id, day) {
    this.days = new Set();
    const on = this.facts(facet, id).filter((fact) => fact.effective <= day && day < fact.until);
    const held = on.sort((a, b) => beyond(a.place, b.place));
    const overs = new Map();
    for (const fact of facet === SUPERVISING ? held.slice(-1) : held) {
      if (fact.value !== null) overs.set(fact.slot || null, this.ending(id, fact, day));
    }
    return new Map(Array.from(overs).filter(([, over]) => over !== null));
  }

  // The using unit, and in which capacities nobody answers for somebody in service.
  vacant(person, day) {
    if (this.service(person, day) !== "in") return [null, new Set()];
    const said = this.state(person, day);
    const empty = said.lines.filter((one) => one.status === "vacant");
    return [said.unit, new Set(empty.map((one) => one.capacity))];
  }

  // The head seats of a unit that stands, and one for its deputies.
  seats(unit, day) {
    const standing = this.value("unit-state", unit, day);
    if (standing === null || own(standing, "state") !== "active") return [];
    const deputies = (on) => this.sitting("deputy", unit, on);
    return this.headSeats(unit, day).concat([this.filled(emptySeat("deputy", unit), day, deputies, null)]);
  }

  // What is said of each of these days, asked anew where anything that was read turns.
  *each(days, ask) {
    this.days = new Set();
    let [before, said] = [null, null];
    for (const day of days) {
      if (before === null || Array.from(this.days).some((turn) => before < turn && turn <= day)) said = ask(day);
      before = day;
      yield said;
    }
  }

  facts(facet, id) {
    const facts = this.strands.get(strand(facet, id)) || [];
    for (const fact of facts) {
      this.days.add(fact.effective);
      this.days.add(fact.until);
    }
    return facts;
  }

  at(facet, id, day, slot = "") {
    return resolved(this.facts(facet, id), day, slot);
  }

  value(facet, id, day) {
    const fact = this.at(facet, id, day);
    return fact === null ? null : fact.value;
  }

  service(person, day) {
    const fact = this.at("service", person, day);
    if (fact === null) return "not-recorded";
    return fact.value !== null && own(fact.value, "state") === "in" ? "in" : "out";
  }

  // What places a person: as a guest, else at home.
  using(person, day) {
    const placed = ["host", "unit"].map((facet) => this.at(facet, person, day));
    return placed.find((fact) => fact !== null && fact.value !== null) || null;
  }

  upwards(unit, day) {
    const units = [unit];
    for (;;) {
      const above = this.value("unit-parent", units[units.length - 1], day);
      if (above === null || units.includes(own(above, "parent"))) return units;
      units.push(above.parent);
    }
  }

  charges(person, day) {
    if (this.service(person, day) === "out") return [];
    const unit = unitOf(this.using(person, day));
    if (unit === null) return this.supervisors(person, day);
    return this.supervisors(person, day)
      .concat(this.sitting("head", unit, day), this.deputies(person, unit, day));
  }

  supervisors(person, day) {
    const fact = this.at(SUPERVISING, person, day);
    if (fact === null || fact.value === null || this.ending(person, fact, day) !== null) return [];
    return [pairing(person, fact)];
  }

  ofUnit(tier, unit) {
    const of = TIERS[tier].map((facet, n) => this.facts(facet, unit).map((fact) => ({
      capacity: tier, unit, seat: tier === "head" ? fact.slot : "", acting: n === 1, of: unit, fact, basis: [],
    })));
    return of[0].concat(of[1]);
  }

  sitting(tier, unit, day) {
    return this.ofUnit(tier, unit)
      .filter(({ fact }) => fact.effective <= day && this.ending(unit, fact, day) === null)
      .sort((a, b) => beyond(a.fact.place, b.fact.place));
  }

  // Of the nearest unit where any deputy covers the person, those who do so most closely.
  deputies(person, unit, day) {
    const [upwards, post] = [this.upwards(unit, day), this.value("post", person, day)];
    for (let distance = 0; distance < upwards.length; distance++) {
      const [above, covering] = [upwards[distance], [[], [], [], []]];
      for (const charge of this.sitting("deputy", above, day)) {
        let [rank, basis] = [distance === 0 ? WHOLE_UNIT : null, []];
        const named = this.at("portfolio", above, day, own(charge.fact.value, "officer"));
        if (named !== null && named.value !== null && Object.keys(named.value).length &&
            named.effective >= charge.fact.effective) {
          const below = upwards.slice(0, distance);
          rank = closeness(named.value, person, post && own(post, "post"), below, above);
          basis = [named.entry];
        }
        if (rank !== null) covering[rank].push(Object.assign({}, charge, { basis }));
      }
      const nearest = covering.find((found) => found.length);
      if (nearest) return nearest;
    }
    return [];
  }

  // What began on a day and was overtaken on it; what stands may be among them.
  passed(person, day) {
    const paired = this.facts(SUPERVISING, person)
      .filter((fact) => fact.effective === day && fact.value !== null)
      .map((fact) => pairing(person, fact));
    const unit = unitOf(this.using(person, day));
    const seats = unit === null ? [] : this.ofUnit("head", unit).concat(this.ofUnit("deputy", unit));
    return paired.concat(seats.filter(({ fact }) => fact.effective === day && fact.until === day));
  }

  ending(of, fact, day) {
    const [officer, since] = [own(fact.value, "officer"), fact.effective];
    const ends = [this.leftRole(officer, since, day)];
    if (fact.until <= day) {
      const by = fact.endedBy === null ? [] : [fact.endedBy];
      ends.push({ day: fact.until, cause: by.length ? "relieved" : "term-ended", entries: by });
    }
    if (fact.facet === SUPERVISING) {
      ends.push(this.suspended(officer, since, day), this.moved(of, since, day));
    }
    const found = ends.filter((one) => one !== null);
    return found.reduce((best, one) => (best === null || one.day < best.day ? one : best), null);
  }

  leftRole(officer, since, day) {
    const was = this.value("officer", officer, since);
    if (was === null) return null;
    return firstLost(this.facts("officer", officer), since, day, (turn) => {
      const now = this.value("officer", officer, turn);
      if (now === null) return "officer-left";
      return own(now, "unit") === own(was, "unit") ? null : "officer-left-unit";
    });
  }

  suspended(officer, since, day) {
    const on = (turn) => this.value("officer-suspension", officer, turn) !== null;
    return firstLost(this.facts("officer-suspension", officer), since, day, (turn) => (
      on(turn) && !on(nextDay(turn, -1)) ? "officer-suspended" : null
    ));
  }

  moved(person, since, day) {
    const was = unitOf(this.using(person, since));
    if (was === null) return null;
    const facts = this.facts("unit", person).concat(this.facts("host", person));
    return firstLost(facts, since, day, (turn) => (
      unitOf(this.using(person, turn)) === was ? null : "auxiliary-left-unit"
    ));
  }

  state(person, day) {
    const service = this.service(person, day);
    const said = { person, service, placed: null, unit: null, lines: [], outgoing: [] };
    if (service === "out") return said;
    const placed = this.using(person, day);
    said.placed = placed && [placed.facet, placed.entry];
    said.unit = unitOf(placed);
    if (said.unit === null) {
      said.lines = [emptySeat("head", null), emptySeat("deputy", null)];
    } else {
      said.lines = this.headSeats(said.unit, day);
      for (const line of said.lines) {
        if (line.status !== "vacant") continue;
        const above = this.upwards(said.unit, day).slice(1, 2).map((one) => this.headSeats(one, day));
        line.beside = [].concat.apply([], above);
      }
      said.lines.push(this.deputySeat(person, said.unit, day));
    }
    const floor = this.run(day, (on) => this.service(person, on) !== "out");
    const seat = emptySeat("supervisor", null);
    said.lines.push(this.filled(seat, day, (on) => this.supervisors(person, on), floor));
    return said;
  }

  headSeats(unit, day) {
    const declared = this.value("head-seats", unit, day);
    const seats = declared === null ? [OWN_SEAT] : own(declared, "head_seats");
    const taken = new Set(this.sitting("head", unit, day).map((charge) => charge.seat));
    const others = Array.from(taken).filter((seat) => !seats.includes(seat)).sort(byPoint);
    return seats.concat(others).map((seat) => this.filled(
      emptySeat("head", unit, seat), day,
      (on) => this.sitting("head", unit, on).filter((charge) => charge.seat === seat), null,
    ));
  }

  deputySeat(person, unit, day) {
    const covering = (on) => this.deputies(person, unit, on);
    const uncovered = (on) => this.sitting("deputy", unit, on).length > 0 && !covering(on).length;
    const seat = this.filled(emptySeat("deputy", unit), day, covering, null);
    if (seat.status === "not-recorded" && uncovered(day)) {
      const since = this.run(day, uncovered);
      Object.assign(seat, { status: "vacant", since, cause: "not-covered" });
    }
    if (seat.cause === "not-covered" && seat.since !== null) {
      let facts = this.facts("post", person);
      for (const above of this.upwards(unit, day)) {
        for (const facet of TIERS.deputy.concat(["portfolio", "unit-parent"])) {
          facts = facts.concat(this.facts(facet, above));
        }
      }
      seat.entries = turning(facts, seat.since);
    }
    return seat;
  }

  // A seat with who is in it. Empty since the first day of a spell, it is not recorded.
  filled(seat, day, ask, floor) {
    const held = ask(day);
    seat.holders = held.map((charge) => this.holder(charge, day));
    if (held.some((charge) => !charge.acting)) return Object.assign(seat, { status: "held" });
    const missed = (on) => ask(on).filter((charge) => !(held.length && charge.acting));
    const since = this.run(day, (on) => !missed(on).length);
    if (since === null || (floor !== null && since <= floor)) {
      return held.length ? Object.assign(seat, { status: "acting" }) : seat;
    }
    const ended = missed(nextDay(since, -1)).map((charge) => (
      this.ending(charge.of, charge.fact, since) || { cause: "not-covered", entries: [] }
    ));
    return Object.assign(seat, {
      status: held.length ? "acting" : "vacant", since, cause: ended[ended.length - 1].cause,
      entries: inOrder([].concat.apply([], ended.map((one) => one.entries))),
    });
  }

  holder(charge, day) {
    const { capacity, unit, seat, acting, fact } = charge;
    const officer = own(fact.value, "officer");
    let [state, entries] = ["in-post", [fact.entry].concat(charge.basis)];
    for (const [facet, named] of AWAY) {
      const away = this.at(facet, officer, day);
      if (away === null || away.value === null) continue;
      state = named;
      entries = entries.concat([away.entry]);
    }
    return { capacity, unit, seat, officer, acting, state, place: fact.place, until: fact.until, entries };
  }

  // The first day of the unbroken run up to a day on which something holds; null: always.
  run(day, holds) {
    for (;;) {
      let start = null;
      for (const one of this.days) if (one <= day && (start === null || one > start)) start = one;
      if (start === null) return null;
      day = nextDay(start, -1);
      if (!holds(day)) return start;
    }
  }

  *stretches(start, end, ask) {
    while (start < end) {
      const said = ask(start);
      let following = end;
      for (const one of this.days) if (start < one && one < following) following = one;
      yield [start, following, said];
      start = following;
    }
  }
}

function nextDay(day, step = 1) {
  const at = new Date(`${day}T00:00:00Z`);
  if (isNaN(at) || at.toISOString().slice(0, 10) !== day) throw new Error("no day");
  return new Date(at.getTime() + step * 86400000).toISOString().slice(0, 10);
}

function emptySeat(capacity, unit, seat = "") {
  return {
    capacity, unit, seat, status: "not-recorded", holders: [], since: null, cause: null, entries: [],
    beside: [],
  };
}

function pairing(person, fact) {
  return { capacity: "supervisor", unit: null, seat: "", acting: false, of: person, fact, basis: [] };
}

function unitOf(placed) {
  return placed === null ? null : own(placed.value, "unit");
}

// 0 names the person, 1 the post, 2 a unit below, 3 the unit itself; null: none of them.
function closeness(portfolio, person, post, below, unit) {
  const [persons, posts, units] = ["persons", "posts", "units"].map((name) => given(portfolio, name) || []);
  const named = [
    persons.includes(person), posts.includes(post), below.some((one) => units.includes(one)),
    units.includes(unit),
  ].indexOf(true);
  return named < 0 ? null : named;
}

function firstLost(facts, since, day, lost) {
  const days = [].concat.apply([], facts.map((fact) => [fact.effective, fact.until]));
  const turns = Array.from(new Set(days.filter((turn) => since < turn && turn <= day))).sort();
  for (const turn of turns) {
    const cause = lost(turn);
    if (cause !== null) return { day: turn, cause, entries: turning(facts, turn) };
  }
  return null;
}

// The entries by which facts begin or end on a day.
function turning(facts, day) {
  const begun = facts.filter((fact) => fact.effective === day).map((fact) => fact.entry);
  const over = facts.filter((fact) => fact.until === day && fact.endedBy !== null);
  return inOrder(begun.concat(over.map((fact) => fact.endedBy)));
}

function inOrder(positions) {
  return Array.from(new Set(positions)).sort((a, b) => (a < b ? -1 : 1));
}
