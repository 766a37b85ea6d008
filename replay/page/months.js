// Figures on the last day of each month: what replay/months.py makes.
//
// Invariant: as there, line by line.
"use strict";

const MOST_MONTHS = 1200;
const COUNTED = BEARING.concat(["grade", "unit-state"]);
const SEATS_COUNTED = ["head", "deputy", "acting-head", "acting-deputy", "seats"];
const GAPS_COUNTED = ["head", "deputy", "supervisor", "persons"];

function* series(basis, asked) {
  const [of, unit] = [own(asked, "of"), given(asked, "unit")];
  const days = Array.from(lastDays(own(asked, "first_month"), own(asked, "last_month")));
  const answering = new Answering(basis.told.every(basis.recorded, COUNTED));
  const within = unitsOf(basis, answering, unit, days);
  const [count, ofAll] = own(COUNTS, of);
  const counted = Array.from(count(answering, days, within)).map((counts, n) => (
    within === null || within[n] !== null ? counts : null
  ));
  const keys = new Set();
  for (const counts of of === "headcount" ? [] : counted) {
    for (const key of counts === null ? [] : counts.keys()) keys.add(key);
  }
  for (let n = 0; n < days.length; n++) {
    const [day, counts] = [days[n], counted[n]];
    const said = { of, unit, month: day.slice(0, 7), day };
    yield Object.assign({}, said, { key: "total", count: counts === null ? null : ofAll(counts) });
    for (const key of keys) {
      const name = of === "pyramid" && key !== null ? "grade" : "key";
      const number = counts === null ? null : counts.get(key) || 0;
      yield Object.assign({}, said, { [name]: key === null ? "not-recorded" : key, count: number });
    }
  }
}

function* lastDays(first, last) {
  let [year, month] = [integer(first.slice(0, 4)), integer(first.slice(5))];
  const said = () => `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}`;
  for (let n = 0; n < MOST_MONTHS; n++) {
    if (said() > last) return;
    [year, month] = month === 12 ? [year + 1, 1] : [year, month + 1];
    yield nextDay(`${said()}-01`, -1);
  }
  throw new Error("more months than a series has");
}

function unitsOf(basis, answering, unit, days) {
  if (unit === null) return null;
  const found = days.map((day) => {
    const units = new Map(answering.units().map((one) => {
      const said = ["unit-state", "unit-parent"].map((facet) => answering.value(facet, one, day) || {});
      return [one, { state: given(said[0], "state"), parent: given(said[1], "parent") }];
    }));
    try {
      return basis.within(units, { unit });
    } catch (none) {
      if (!(none instanceof NoSuchUnit)) throw none;
      return null;
    }
  });
  if (found.every((one) => one === null)) throw new NoSuchUnit(unit);
  return found;
}

function* countServing(answering, days, within) {
  const persons = answering.persons();
  for (let n = 0; n < days.length; n++) {
    const counts = new Map();
    const said = (facet, person, field) => given(answering.value(facet, person, days[n]) || {}, field);
    for (const person of persons) {
      if (said("service", person, "state") !== "in") continue;
      const placed = ["unit", "host"].map((facet) => said(facet, person, "unit"));
      if (within !== null && !placed.some((one) => within[n] !== null && within[n].has(one))) continue;
      const grade = said("grade", person, "grade");
      counts.set(grade, (counts.get(grade) || 0) + 1);
    }
    yield counts;
  }
}

function countVacancies(answering, days, within) {
  const found = days.map(() => new Map(SEATS_COUNTED.map((name) => [name, 0])));
  for (const unit of answering.units()) {
    let n = -1;
    for (const seats of answering.each(days, (day) => answering.seats(unit, day))) {
      n += 1;
      if (within !== null && (within[n] === null || !within[n].has(unit))) continue;
      const add = (name, more) => found[n].set(name, found[n].get(name) + (more ? 1 : 0));
      for (const seat of seats) {
        add("seats", seat.status !== "not-recorded");
        add(seat.capacity, seat.status === "vacant");
        add(`acting-${seat.capacity}`, seat.status === "acting");
      }
    }
  }
  return found;
}

function countGaps(answering, days, within) {
  const found = days.map(() => new Map(GAPS_COUNTED.map((name) => [name, 0])));
  for (const person of answering.persons()) {
    let n = -1;
    for (const [unit, missing] of answering.each(days, (day) => answering.vacant(person, day))) {
      n += 1;
      if (!missing.size || (within !== null && (within[n] === null || !within[n].has(unit)))) continue;
      for (const name of Array.from(missing).concat(["persons"])) found[n].set(name, found[n].get(name) + 1);
    }
  }
  return found;
}

function everybodyOf(counts) {
  return Array.from(counts.values()).reduce((sum, one) => sum + one, 0);
}

const COUNTS = {
  headcount: [countServing, everybodyOf],
  pyramid: [countServing, everybodyOf],
  vacancies: [countVacancies, (counts) => counts.get("head") + counts.get("deputy")],
  gaps: [countGaps, (counts) => counts.get("persons")],
};
