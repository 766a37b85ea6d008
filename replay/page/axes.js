// Both times of one subject: what replay/axes.py tells.
//
// Invariant: as there, line by line in the same order.
"use strict";

const FOREVER = Number.MAX_SAFE_INTEGER;
const SAME_AS = "same-as"; // what an id that went says of itself; all else it says is the kept one's
const PLACING = ["service", "unit", "host"];

function* beliefs(basis, asked) {
  const [found, { effective, recorded }] = [[], basis];
  for (const { facet, slot, versions } of strandsOf(basis, asked)) {
    const ofDay = versions.filter(({ fact }) => fact.effective <= effective && effective < fact.until);
    let before = null;
    for (const position of [0].concat(turnsOf(ofDay).filter((one) => one <= recorded))) {
      const answer = answeringOf(basis, facet, ofDay.filter((one) => knownAt(one, position)));
      const same = before !== null && answer.length === before.length && answer.every((one, n) => one === before[n]);
      for (const fact of same ? [] : answer.length ? answer.map((one) => one.fact) : [null]) {
        found.push({ facet, slot, fact, position });
      }
      before = answer;
    }
  }
  const cited = basis.cited(found.map(({ position }) => position));
  for (const { facet, slot, fact, position } of found) {
    yield Object.assign(
      namedOf(basis, own(asked, "subject"), facet, slot), { day: effective, known_from: position },
      toldOf(basis, fact), cited.get(position),
    );
  }
}

function* rectangles(basis, asked) {
  const found = [];
  for (const { facet, slot, versions } of strandsOf(basis, asked)) {
    const areas = isMany(basis, facet)
      ? versions.filter(({ fact }) => fact.effective < fact.until) : areasOf(versions, basis.recorded);
    for (const area of areas) found.push({ facet, slot, area });
  }
  const edges = [].concat.apply([], found.map(({ area }) => [area.start, area.end]));
  const [cited, words] = [basis.cited(edges), basis.events(edges)];
  for (const { facet, slot, area: { fact, start, end } } of found) {
    yield Object.assign(
      namedOf(basis, own(asked, "subject"), facet, slot), toldOf(basis, fact),
      { known_from: start, known_to: end === FOREVER ? null : end }, cited.get(start),
      { closed_by: words.has(end) ? words.get(end) : null },
    );
  }
}

// What two pairs differ in; of a unit also who came onto its roster and who went off it.
function* differences(basis, asked) {
  const [kind, subject] = partition(own(asked, "subject"), ":");
  const before = new Basis(basis.told, own(asked, "before"), integer(own(asked, "before_recorded")));
  const last = Math.max(before.recorded, basis.recorded);
  const versions = versionsOf(basis, asked.subject, last).filter(({ fact }) => fact.facet !== SAME_AS);
  for (const { facet, slot, made, sides } of differingOf(basis, versions, before)) {
    const tags = Array.from(basis.cited(made).values(), (one) => one.subjects);
    yield Object.assign(namedOf(basis, subject, facet, slot), {
      how: "changed", before: sides[0], after: sides[1], entries: made.join(" "), subjects: tags.join(" "),
    });
  }
  if (kind === "unit") yield* movedOf(basis, before, subject);
}

function* movedOf(basis, before, unit) {
  const last = Math.max(before.recorded, basis.recorded);
  const [was, now] = [before, basis].map((pair) => rosterOf(pair, unit));
  const trees = [before, basis].map((pair) => (
    new Map(Array.from(pair.everyUnit().values(), (one) => [one.unit, one.parent]))
  ));
  const parent = (tree, one) => (tree.has(one) ? tree.get(one) : null);
  const moves = new Map();
  for (const one of new Set(Array.from(trees[0].keys()).concat(Array.from(trees[1].keys())))) {
    if (parent(trees[0], one) === parent(trees[1], one)) continue;
    moves.set(one, madeOf(basis, before, versionsOf(basis, `unit:${one}`, last), ["unit-parent"]));
  }
  for (const [how, there, gone] of [["came", now, was], ["went", was, now]]) {
    for (const [person, line] of there) {
      if (gone.has(person)) continue;
      const made = madeOf(basis, before, versionsOf(basis, `person:${person}`, last, false), PLACING);
      const entries = inOrder(made.length ? made : aboveOf(line, trees, moves)).join(" ");
      yield Object.assign(picked(line, ["person", "name", "grade", "unit", "host"]), { how, entries });
    }
  }
}

function rosterOf(pair, unit) {
  try {
    return new Map(Array.from(pair.roster({ unit }), (line) => [line.person, line]));
  } catch (none) {
    if (!(none instanceof NoSuchUnit)) throw none;
    return new Map();
  }
}

function madeOf(basis, before, versions, facets) {
  const mine = versions.filter(({ fact }) => facets.includes(fact.facet));
  return [].concat.apply([], differingOf(basis, mine, before).map(({ made }) => made));
}

// The entries that moved a unit above the one where somebody serves.
function aboveOf(line, trees, moves) {
  let found = [];
  for (const parents of trees) {
    const [seen, waiting] = [new Set(), [line.unit, line.host]];
    while (waiting.length) {
      const unit = waiting.pop();
      if (unit === null || unit === undefined || seen.has(unit)) continue;
      seen.add(unit);
      found = found.concat(moves.get(unit) || []);
      waiting.push(parents.get(unit));
    }
  }
  return found;
}

// Strand by strand: the entries that made the difference, and what a file says of each side.
function differingOf(basis, versions, before) {
  const found = [];
  for (const { facet, slot, versions: mine } of byStrand(basis, versions)) {
    const [answers, ended] = [[], []];
    for (const { effective, recorded } of [before, basis]) {
      const begun = mine.filter((one) => knownAt(one, recorded) && one.fact.effective <= effective);
      const on = begun.filter(({ fact }) => effective < fact.until);
      const answer = answeringOf(basis, facet, on).map(({ fact }) => fact);
      const last = begun.sort((a, b) => beyond(a.fact.place, b.fact.place)).pop();
      answers.push(answer);
      ended.push(answer.length || !last ? null : last.fact);
    }
    const [was, now] = answers.map((facts) => JSON.stringify(facts.map(contentOf)));
    if (was === now && (ended[0] === null) === (ended[1] === null)) continue;
    const over = answers[0].length || answers[1].length ? [] : ended.filter((one) => one !== null);
    const between = [before.recorded, basis.recorded].sort((a, b) => a - b);
    const made = madeBy(mine, answers[0], answers[1].concat(over), between);
    const sides = answers.map((facts, n) => {
      if (facts.length) return facts.map((fact) => toldOf(basis, fact));
      return ended[n] === null ? "not-recorded" : "ended";
    });
    found.push({ facet, slot, made, sides });
  }
  return found;
}

// The entries of what answers on one side only, what ended it, and between the two positions those
// that made it what it is.
function madeBy(mine, was, now, [first, last]) {
  const said = [was, now].map((facts) => facts.map(contentOf));
  const apart = was.concat(now).filter((fact) => !said.every((side) => side.includes(contentOf(fact))));
  const made = [].concat.apply([], apart.map((fact) => [fact.entry, fact.endedBy]));
  for (const root of new Set(apart.map((fact) => fact.place[2]))) {
    const ofRoot = mine.filter(({ fact }) => fact.place[2] === root);
    const at = (position) => JSON.stringify(ofRoot.filter((one) => knownAt(one, position)).map(({ fact }) => fact));
    if (at(first) === at(last)) continue;
    for (const turn of turnsOf(ofRoot)) {
      if (first < turn && turn <= last && at(turn - 1) !== at(turn)) made.push(turn);
    }
  }
  return inOrder(made.filter((one) => one !== null));
}

function contentOf(fact) {
  return JSON.stringify([fact.effective, fact.until, fact.place[2], fact.value]);
}

// Days and positions over which one fact of a single-valued strand answered, the days in it.
function* areasOf(versions, recorded) {
  const standing = new Map();
  for (const position of turnsOf(versions).filter((one) => one <= recorded)) {
    const [known, now] = [new Map(), new Map()];
    for (const one of versions) if (knownAt(one, position)) known.set(one.fact, one);
    for (const part of oneAfterAnother(Array.from(known.keys()))) {
      if (part.fact === null) continue;
      const key = JSON.stringify([part.start, part.end, part.fact.place[2], known.get(part.fact).start]);
      now.set(key, Object.assign({}, part.fact, { effective: part.start, until: part.end }));
    }
    for (const [key, area] of Array.from(standing)) {
      if (now.has(key)) continue;
      standing.delete(key);
      yield Object.assign(area, { end: position });
    }
    for (const [key, fact] of now) {
      if (!standing.has(key)) standing.set(key, { fact, start: position, end: FOREVER });
    }
  }
  yield* standing.values();
}

function turnsOf(versions) {
  const turns = [].concat.apply([], versions.map(({ start, end }) => [start, end]));
  return inOrder(turns.filter((one) => one !== FOREVER));
}

function knownAt(version, position) {
  return version.start <= position && position < version.end;
}

function answeringOf(basis, facet, on) {
  const held = on.slice().sort((a, b) => beyond(a.fact.place, b.fact.place));
  return isMany(basis, facet) ? held : held.slice(-1);
}

function isMany(basis, facet) {
  return own(own(own(basis.declared, "facets"), facet), "many");
}

function strandsOf(basis, asked) {
  const only = given(asked, "facet");
  const versions = versionsOf(basis, own(asked, "subject"), basis.recorded);
  return byStrand(basis, versions.filter(({ fact }) => only === null || only === fact.facet));
}

// Facet, slot and versions of each strand; the slots of a many-valued facet are one.
function byStrand(basis, versions) {
  const found = new Map();
  for (const version of versions) {
    const { facet } = version.fact;
    const slot = isMany(basis, facet) ? "" : version.fact.slot;
    const key = strand(facet, slot);
    if (!found.has(key)) found.set(key, { facet, slot, versions: [] });
    found.get(key).versions.push(version);
  }
  return Array.from(found.values()).sort((a, b) => byPoint(a.facet, b.facet) || byPoint(a.slot, b.slot));
}

function namedOf(basis, subject, facet, slot) {
  const declared = own(own(basis.declared, "facets"), facet);
  return { subject, facet, what: new Both(own(declared, "zh"), own(declared, "en")), slot: slot || null };
}

function toldOf(basis, fact) {
  if (fact === null) return { value: null, since: null, last_day: null };
  const said = { value: basis.told.wrapped(fact.value), since: fact.effective, last_day: lastDay(fact.until) };
  return fact.slot ? Object.assign(said, { slot: fact.slot }) : said;
}

// What was known of a subject up to a position; of a person, where `follow`, what the id kept at
// each position says, known since it is kept.
function versionsOf(basis, subject, last, follow = true) {
  const [kind, id] = partition(subject, ":");
  const [fold, found, standing] = [new Refold(basis.declared), [], new Map()];
  let kept = id;
  const close = (key, end) => {
    found.push(Object.assign(standing.get(key), { end }));
    standing.delete(key);
  };
  const declared = own(basis.declared, "facets");
  const facets = Object.keys(declared).filter((name) => own(declared[name], "of") === kind);
  for (const entry of basis.told.about(subject, last)) {
    if (!fold.bearsOn(entry.type, facets)) continue;
    fold.apply(entry.position, entry.type, entry.data);
    if (kind === "person" && follow && fold.kept(id) !== kept) {
      kept = fold.kept(id);
      for (const [key, { fact }] of Array.from(standing)) if (fact.facet !== SAME_AS) close(key, entry.position);
    }
    const now = new Map();
    const add = (fact) => now.set(JSON.stringify([fact.facet, fact.slot, fact.place[2]]), fact);
    fold.of(kind, kept).filter((fact) => fact.facet !== SAME_AS).forEach(add);
    fold.of(kind, id).filter((fact) => fact.facet === SAME_AS).forEach(add);
    for (const [key, { fact }] of Array.from(standing)) {
      if (!now.has(key) || JSON.stringify(now.get(key)) !== JSON.stringify(fact)) close(key, entry.position);
    }
    for (const [key, fact] of now) {
      if (!standing.has(key)) standing.set(key, { fact, start: entry.position, end: FOREVER });
    }
  }
  return found.concat(Array.from(standing.values()));
}
