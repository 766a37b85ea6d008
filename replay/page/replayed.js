// Records replayed from a bundle, reports held against the replay, and what is remarked on entries:
// what replay/replayed.py, remarks.py and findings.py do in Python.
//
// Invariant: as there, in the same words.
"use strict";

const KIND = {
  ENTRY: 10, MISSING: 11, TIME: 12, TREE: 14, HEAD: 15, SIGNATURE: 16, WITNESS: 17, RECEIPT: 20,
  DISCLOSED: 21, REPORT: 22, FILE: 23, UNPROVED: 24, UNREADABLE: 25, STAMP: 26, DIGEST: 27,
};
const DECLARED = ""; // SHA-256 of the codebook that this page was made with
const WORDED = ""; // of the words of reports, likewise
const LATE_DAYS = 30;
const DAY = 86400000000;
const AHEAD = 28800000000;
const STATED = ["effective", "recorded", "recorded_at", "fold", "inside_batch"];
const LATER = ["ended", "reviews", "people", "lapsed"]; // what an answer of an earlier software need not hold
const OF_TYPES = {
  ReviewOpened: "review-opened", ReviewConcluded: "review-concluded", PrivateDataDestroyed: "erased",
};
const WORDS = {
  corrected: ["更正", "corrections"],
  annulled: ["撤销", "annulments"],
  late: [`迟录(逾 ${LATE_DAYS} 日)`, `entered more than ${LATE_DAYS} days late`],
  ahead: ["预录", "entered ahead of their day"],
  "review-opened": ["启动复核", "reviews opened"],
  "review-concluded": ["复核结论", "reviews concluded"],
  erased: ["销毁", "erasures"],
};

// A file that was brought along, its line ends as Python reads them.
function lines(raw) {
  return text(raw).replace(/\r\n?/g, "\n");
}

function json(raw) {
  return JSON.parse(text(raw));
}

// Whether a file is one answer as JSON, and no report.
function isAnswer(raw) {
  const first = raw.find((one) => ![9, 10, 11, 12, 13, 32].includes(one));
  if (first !== 0x7b) return false;
  try {
    return !has(loaded(text(raw)), "report");
  } catch (several) {
    return false;
  }
}

// Microseconds since 1970 of a time that names its zone.
function instant(said) {
  const form = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(said);
  const at = form && new Date(`${form[1]}T${form[2]}${form[4]}`);
  if (!form || isNaN(at)) throw new Error("no time");
  return at.getTime() * 1000 + Number(((form[3] || "") + "000000").slice(0, 6));
}

// A private value: disclosed, or not known here.
class Secret {
  constructor(known, value) {
    Object.assign(this, { known, value });
  }
}

// What was found wrong so far, what is to be said where nothing is, and what needs a fold.
class Replays {
  constructor() {
    this.findings = [];
    this.said = [];
    this.remarks = [];
  }

  find(kind, zh, en) {
    if (this.findings.every((one) => one.kind !== kind || one.en !== en)) {
      this.findings.push({ kind, zh, en });
    }
  }

  say(zh, en) {
    this.said.push({ zh, en });
  }

  undeclared() {
    if (DECLARED && this.bundle.digest("codebook.json") !== DECLARED) {
      this.find(
        KIND.UNPROVED, "包内事项声明(codebook.json)不是本核验程序的:重放所得取决于制作本包者",
        "the declarations in the bundle are not those of this checker: what a replay says rests " +
          "on whoever made the bundle",
      );
    }
    const words = this.bundle.names.includes("words.json") ? this.bundle.json("words.json") : {};
    if (WORDED && Object.keys(words).length && this.bundle.digest("words.json") !== WORDED) {
      this.find(
        KIND.UNPROVED, "包内报表用语(words.json)不是本核验程序的:代码称作什么取决于制作本包者",
        "the words of reports in the bundle are not those of this checker: what a code is called " +
          "rests on whoever made the bundle",
      );
    }
  }

  record(person, effective, recorded) {
    if (!this.tellsOf(person, recorded)) return null;
    return this.folded(person, recorded).record(person, effective, this.opening());
  }

  // Whether this bundle holds what is about a person at a position; a finding where not.
  tellsOf(person, recorded) {
    const scope = own(this.bundle.manifest, "person");
    const good = recorded <= this.recorded && (this.complete || scope.includes(person));
    if (!good) {
      this.find(
        KIND.UNPROVED, `本包不能重放人员 ${person} 于位置 ${recorded} 的档案`,
        `the record of ${person} at ${recorded} cannot be replayed from this bundle`,
      );
    }
    return good;
  }

  // What the types and facets declare.
  codebook() {
    return this.bundle.json("codebook.json");
  }

  // What a fact says, its private fields wrapped.
  wrapped(value) {
    return opened(value, this.wrapping());
  }

  wrapping() {
    return (held) => new Secret(this.opened.has(held.c), this.opened.has(held.c) ? this.opened.get(held.c) : null);
  }

  // All that stands of these facets, by facet and subject; private fields sealed.
  every(recorded, facets) {
    const fold = new Refold(this.codebook());
    for (const entry of this.until(recorded)) {
      if (fold.bearsOn(entry.type, facets)) fold.apply(entry.position, entry.type, entry.data);
    }
    return fold.every(facets);
  }

  // The entries about a subject, about a person under every id that ever was one with it, and all
  // merges.
  about(subject, recorded) {
    const [kind, id] = partition(subject, ":");
    if (this.tagged === undefined) {
      this.tagged = new Map();
      for (const entry of this.bundle.entries()) {
        for (const tag of entry.tags) {
          if (!this.tagged.has(tag)) this.tagged.set(tag, []);
          this.tagged.get(tag).push(entry);
        }
      }
    }
    const [merging, joined] = [this.tagged.get("merges:person") || [], new Set([id])];
    for (let size = 0; kind === "person" && size < joined.size;) {
      size = joined.size;
      for (const entry of merging) {
        const both = entry.tags.filter((tag) => tag.startsWith("person:")).map((tag) => tag.slice(7));
        if (both.some((one) => joined.has(one))) both.forEach((one) => joined.add(one));
      }
    }
    const found = new Map(merging.map((entry) => [entry.position, entry]));
    for (const one of joined) {
      for (const entry of this.tagged.get(`${kind}:${one}`) || []) found.set(entry.position, entry);
    }
    return inOrder(Array.from(found.keys())).filter((one) => one <= recorded).map((one) => found.get(one));
  }

  // Every id of a person, the kept one first.
  family(person, recorded) {
    const merges = new Refold(this.bundle.json("codebook.json"));
    for (const entry of this.until(recorded)) {
      if (entry.tags.includes("merges:person")) {
        merges.apply(entry.position, entry.type, entry.data);
      }
    }
    return merges.family(person);
  }

  // The entries about a subject, about a person under each id.
  folded(id, recorded, kind = "person") {
    const about = new Set(["merges:person"]);
    const ids = kind === "person" ? this.family(id, recorded) : [id];
    ids.forEach((one) => about.add(`${kind}:${one}`));
    const fold = new Refold(this.bundle.json("codebook.json"));
    for (const entry of this.until(recorded)) {
      if (entry.tags.some((tag) => about.has(tag))) {
        fold.apply(entry.position, entry.type, entry.data);
      }
    }
    return fold;
  }

  opening() {
    return (held) => (this.opened.has(held.c) ? this.opened.get(held.c) : { withheld: held.c });
  }

  // Whether everybody at a position can be told from this bundle; a finding where not.
  reaches(recorded) {
    const good = recorded <= this.recorded && this.complete;
    if (!good) {
      this.find(
        KIND.UNPROVED, `本包不能重放位置 ${recorded} 的全体档案`,
        `the records of everybody at ${recorded} cannot be replayed from this bundle`,
      );
    }
    return good;
  }

  // What answers for these facets of all persons, in order of id; private fields wrapped.
  *everybody(effective, recorded, facets) {
    const codebook = this.bundle.json("codebook.json");
    const merges = new Refold(codebook);
    const [ofAll, own_] = [new Map(), new Map()];
    for (const entry of this.until(recorded)) {
      const merging = entry.tags.includes("merges:person");
      if (merging) {
        merges.apply(entry.position, entry.type, entry.data);
        ofAll.set(entry.position, entry);
      }
      for (const tag of entry.tags) {
        if (!tag.startsWith("person:")) continue;
        if (!own_.has(tag.slice(7))) own_.set(tag.slice(7), []);
        own_.get(tag.slice(7)).push(entry);
      }
    }
    const together = new Map();
    for (const [person, entries] of own_) {
      const kept = merges.kept(person);
      if (!together.has(kept)) together.set(kept, new Map(ofAll));
      entries.forEach((entry) => together.get(kept).set(entry.position, entry));
    }
    for (const person of Array.from(together.keys()).sort(byPoint)) {
      const fold = new Refold(codebook);
      const entries = Array.from(together.get(person).values());
      entries.sort((one, other) => (one.position < other.position ? -1 : 1));
      entries.forEach((entry) => fold.apply(entry.position, entry.type, entry.data));
      for (const [one, held] of fold.standing("person", facets, effective, this.wrapping())) {
        if (one === person) yield [one, held];
      }
    }
  }

  // What answers for these facets of all units, by id.
  units(effective, recorded, facets) {
    const fold = new Refold(this.bundle.json("codebook.json"));
    for (const entry of this.until(recorded)) {
      if (entry.tags.some((tag) => tag.startsWith("unit:"))) {
        fold.apply(entry.position, entry.type, entry.data);
      }
    }
    return fold.standing("unit", facets, effective, this.opening());
  }

  *until(recorded) {
    for (const entry of this.bundle.entries()) {
      if (entry.position > recorded) return;
      yield entry;
    }
  }

  // Hold the record of a person against the entries. `whole`: it is to be all that the ledger
  // answers, not the part of it that a bundle carries.
  compare(answer, zh, en, whole) {
    const [stated, data] = [own(answer, "as_of"), own(answer, "data")];
    const person = own(data, "person");
    const [effective, recorded] = [own(stated, "effective"), own(stated, "recorded")];
    if (own(stated, "fold") !== FOLD) {
      const said = `${en} was made under another version of the fold`;
      this.find(KIND.UNPROVED, `${zh}由另一版本的折算规则得出`, said);
      return;
    }
    const replayed = this.record(person, effective, recorded);
    if (replayed === null) {
      const said = `of whom ${en} speaks nothing is recorded`;
      this.find(KIND.REPORT, `${zh}所载人员无登记`, said);
      return;
    }
    const [withheld, unseen, said] = [[], [], {}];
    if (whole) Object.assign(replayed, this.beside(data, effective, recorded, unseen));
    const apart = Object.keys(data).filter((name) => !has(replayed, name))
      .concat(Object.keys(replayed).filter((name) => !has(data, name)));
    const odd = apart.filter((name) => !unseen.includes(name) || name.includes("/")).sort(byPoint);
    for (const name of Object.keys(replayed)) if (has(data, name)) said[name] = data[name];
    let place = this.misstated(answer, recorded);
    if (place === null && odd.length) place = `/${odd[0]}`;
    if (place === null) place = differing(said, replayed, "", withheld);
    if (place !== null) {
      this.find(
        KIND.REPORT, `${zh}与登记重放所得不符:${place}`,
        `${en} is not what the entries give, at ${place}`,
      );
      return;
    }
    const count = withheld.length;
    const more = ["", ""];
    if (count) {
      more[0] += `,未披露的 ${count} 项未能比对`;
      more[1] += `, but for ${count} not disclosed`;
    }
    if (unseen.length) {
      more[0] += `,未比对:${unseen.join("、")}`;
      more[1] += `; not compared: ${unseen.join(", ")}`;
    }
    this.say(
      `${zh}(人员 ${person},生效 ${effective},位置 ${recorded})与登记重放所得一致${more[0]}`,
      `${en} (${person}, effective ${effective}, position ${recorded}) is what the entries give` +
        more[1],
    );
  }

  // Where what an answer says of itself is wrong, or is nothing that an answer says.
  misstated(answer, recorded) {
    const stated = answer.as_of;
    const others = (held, known) => Object.keys(held).filter((name) => !known.includes(name)).sort(byPoint);
    const extra = others(answer, ["as_of", "data"]).map((name) => `/${name}`).concat(
      others(stated, STATED).map((name) => `/as_of/${name}`),
    );
    const lies = this.times.get(recorded);
    if (lies !== undefined && lies !== instant(own(stated, "recorded_at"))) extra.push("/as_of/recorded_at");
    if (has(stated, "inside_batch") && stated.inside_batch !== true) extra.push("/as_of/inside_batch");
    return extra.length ? extra[0] : null;
  }

  // What an answer is to say beside facets and spells; what cannot be told is noted.
  beside(data, effective, recorded, unseen) {
    const [kept, ...aliases] = this.family(data.person, recorded);
    const [beside, names] = [kept === data.person ? {} : { same_as: kept }, {}];
    if (aliases.length) beside.aliases = aliases;
    const ended = this.folded(kept, recorded).ended("person", kept, effective);
    beside.ended = opened(ended, this.opening());
    beside.reviews = this.reviews(kept, effective, recorded);
    const [scope, people] = [own(this.bundle.manifest, "person"), has(data, "people") ? data.people : {}];
    for (const one of Object.keys(people)) {
      names[one] = people[one];
      if (this.complete || scope.includes(one)) {
        const fold = this.folded(one, recorded);
        const answers = new Map(fold.standing("person", ["name"], effective, this.opening()));
        const held = given(answers.get(fold.kept(one)) || {}, "name");
        names[one] = { name: held && held.value ? given(held.value, "name") : null };
      } else {
        unseen.push(`people/${one}`);
      }
    }
    beside.people = names;
    if (this.complete) {
      beside.lapsed = new Answering(this.every(recorded, BEARING)).lapsed(kept, effective);
    }
    unseen.push.apply(unseen, LATER.filter((name) => has(beside, name) && !has(data, name)));
    if (!this.complete) unseen.push("lapsed");
    if (beside.reviews === null) {
      unseen.push("reviews");
      this.find(
        KIND.UNPROVED, "本包不能重放此人各项登记的复核,请以 --all 导出",
        "the reviews of this person's acts cannot be replayed from this bundle; have it " +
          "exported with --all",
      );
    }
    unseen.forEach((name) => delete beside[name]);
    return beside;
  }

  // The reviews of acts about a person; null where there are some, and their conclusions may lie
  // beyond this bundle.
  reviews(kept, effective, recorded) {
    const [fold, begun] = [new Refold(this.bundle.json("codebook.json")), new Set()];
    for (const entry of this.until(recorded)) {
      if (!entry.tags.some((tag) => tag.startsWith("review:"))) continue;
      fold.apply(entry.position, entry.type, entry.data);
      if (entry.type === "ReviewOpened" && entry.tags.includes(`person:${kept}`)) {
        begun.add(own(own(json(entry.data), "fields"), "review"));
      }
    }
    if (begun.size && !this.complete) return null;
    const rows = Array.from(begun).map((review) => fold.reviews(review, effective));
    return [].concat.apply([], rows).sort((a, b) => a.opened_by - b.opened_by);
  }

  remark() {
    const codebook = this.bundle.json("codebook.json");
    for (const entry of this.bundle.entries()) {
      if (entry.position > this.recorded) continue;
      const one = remarked(entry, codebook);
      if (one) this.remarks.push(one);
    }
    const every = [].concat.apply([], this.remarks.map((one) => one.remarks));
    const count = (name) => every.filter((one) => one === name).length;
    const there = Object.keys(WORDS).filter((name) => every.includes(name));
    if (there.length) {
      this.say(
        `登记中有${there.map((name) => `${WORDS[name][0]} ${count(name)} 条`).join("、")}`,
        `among the entries: ${there.map((name) => `${WORDS[name][1]}: ${count(name)}`).join(", ")}`,
      );
    }
  }
}

// The entry with what is remarked on it; null where nothing is.
function remarked(entry, codebook) {
  const said = json(entry.data);
  const day = Math.floor((Number(entry.recordedAt) + AHEAD) / DAY);
  const effective = given(said, "effective");
  let days = 0;
  if (effective) {
    const at = new Date(`${effective}T00:00:00Z`);
    if (isNaN(at)) throw new Error("no day");
    days = day - at.getTime() / 86400000;
  }
  const remarks = [];
  if (has(said, "supersedes")) remarks.push("corrected");
  if (has(said, "annuls")) remarks.push("annulled");
  if (days > LATE_DAYS) remarks.push("late");
  if (days < 0) remarks.push("ahead");
  if (has(OF_TYPES, entry.type)) remarks.push(OF_TYPES[entry.type]);
  if (!remarks.length) return null;
  const declared = given(own(codebook, "types"), entry.type) || {};
  return {
    position: entry.position, type: entry.type, zh: declared.zh || entry.type, remarks, effective,
    recorded: new Date(day * 86400000).toISOString().slice(0, 10), days, tags: entry.tags,
    actor: given(said, "actor"), reason: given(said, "reason"),
    fields: has(OF_TYPES, entry.type) ? own(said, "fields") : null,
  };
}
