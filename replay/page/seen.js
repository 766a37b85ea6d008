// Reads in a bundle, checked under the head of their own log: what replay/seen.py does in Python.
//
// Invariant: as there, in the same words and the same order.
"use strict";

const READS = ["RecordRead", "ReadDenied"];
const TOLD = [
  "outcome", "actor", "via", "question", "parameters", "effective", "recorded", "classes",
  "count", "purpose", "case", "rights", "request_id",
];
const YEARS = [-62135596800, 253402300799]; // 1 to 9999, in seconds

class Looked {
  constructor(told, bundle, noted, cuts) {
    this.told = told;
    this.bundle = bundle;
    this.noted = noted;
    this.shown = [];
    this.heads = [];
    const said = own(bundle.manifest, "reads");
    this.whole = own(said, "complete") === true;
    this.stated = own(said, "origin");
    this.withheld = positions(own(said, "withheld"));
    this.family = new Set(own(bundle.manifest, "person"));
    this.note = bundle.text("reads-head.note");
    Object.assign(this, headOf(this.note));
    [this.gone, this.order, this.first] = [0, 0, 1];
    for (const [position, fields] of cuts) {
      const rows = integer(own(fields, "rows"));
      const ours = this.origin === `personnel-ledger/${own(fields, "ledger")}`;
      const more = rows > this.gone || (rows === this.gone && position > this.order);
      if (ours && more) [this.gone, this.order] = [rows, position];
    }
    this.persons = new Map();
    this.times = new Map();
  }

  async check(key, witnesses, kept, trusted) {
    const ours = `${this.origin}+${partition(key, "+")[1]}`;
    if (this.origin !== this.stated || !signed(this.note, ours)) {
      const en = "the head of the log of reads bears no valid signature";
      this.told.find(KIND.SIGNATURE, "查阅日志的封签没有有效签名", en);
    }
    for (const witness of witnesses) {
      if (!signed(this.note, witness)) {
        const whose = partition(witness, "+")[0];
        this.told.find(
          KIND.WITNESS, `查阅日志的封签没有见证人 ${whose} 的有效会签`,
          `the head of the log of reads bears no valid line of the witness ${whose}`,
        );
      }
    }
    this.lists();
    const held = this.whole ? this.bundle.read("reads-leaves.bin") : new Uint8Array(0);
    const leaves = Math.ceil(held.length / 32);
    const sealed = (n) => held.subarray(32 * (n - 1), 32 * n);
    this.rows(leaves, sealed);
    if (this.whole) this.leaves(leaves, sealed);
    const leaf = (n) => {
      if (n > leaves) throw new Error("no such row");
      return sealed(n);
    };
    await this.lead(leaf, kept, trusted);
    this.say();
  }

  async lead(leaf, kept, trusted) {
    const read = (name, none) => (this.bundle.names.includes(name) ? this.bundle.json(name) : none);
    const [proofs, held] = [read("reads-extensions.json", {}), read("reads-stamps.json", [])];
    const earlier = new Earlier(this.told, OF_READS, this, proofs, leaf, this.whole ? this.size : 0);
    kept.forEach((one) => earlier.kept(one));
    await earlier.stamps(held, trusted, this.times);
  }

  lists() {
    for (const one of this.bundle.json("reads-lists.json")) {
      const persons = own(one, "persons");
      const said = persons.map((person) => `${person}\n`).join("");
      if (hex(digest(bytes(said))) === own(one, "digest")) {
        this.persons.set(one.digest, persons);
      } else {
        this.told.find(
          KIND.DISCLOSED, "查阅名单所列人员与其摘要不符",
          "the persons of a list that was read are not those of its digest",
        );
      }
    }
  }

  rows(leaves, sealed) {
    const proofs = this.bundle.json("reads-proofs.json");
    let [expected, last] = [1, 0];
    for (const row of this.bundle.entries("reads.bin")) {
      const [position, leaf] = [row.position, digest(row.raw)];
      if (!this.times.size) {
        this.first = position > this.gone ? this.gone + 1 : position;
        if (this.first < 1) this.first = 1;
        expected = this.first;
      }
      this.times.set(position, row.recordedAt);
      expected = this.past(expected);
      if (this.whole && position > expected) this.missing(expected);
      if (position < expected) {
        this.told.find(
          KIND.ENTRY, `查阅日志第 ${position} 条重复或次序颠倒`,
          `row ${position} of the log of reads is there twice or out of order`,
        );
      }
      expected = after(position);
      if (row.recordedAt < last) {
        this.told.find(
          KIND.TIME, `查阅日志第 ${position} 条的时间早于前一条`,
          `row ${position} of the log of reads was recorded before the one ahead of it`,
        );
      }
      last = row.recordedAt;
      let good;
      if (this.whole) {
        good = position >= 1 && position <= leaves && same(sealed(position), leaf);
      } else {
        const path = (given(proofs, String(position)) || []).map(b64);
        const root = included(leaf, Number(position) - 1, this.size, path);
        good = root !== null && same(root, this.root);
      }
      if (!good) {
        const en = `row ${position} of the log of reads is not what was sealed`;
        this.told.find(KIND.ENTRY, `查阅日志第 ${position} 条不是封签时的原样`, en);
      }
      this.take(row);
    }
    if (this.whole) {
      expected = this.past(expected);
      if (expected <= this.size) this.missing(expected);
    }
  }

  take(row) {
    if (row.type === "HeadNoted") this.heads.push([row.position, own(json(row.data), "note")]);
    if (!READS.includes(row.type)) return;
    const said = json(row.data);
    const listed = row.tags.includes("list");
    let held = row.tags.filter((tag) => tag.startsWith("person:")).map((tag) => tag.slice(7));
    if (listed) held = this.persons.get(own(said, "digest"));
    const ours = (one) => this.family.has(one);
    if (held !== undefined && this.family.size && !held.some(ours)) return;
    const seconds = Math.floor(row.recordedAt / 1000000);
    if (!(YEARS[0] <= seconds && seconds <= YEARS[1])) throw new Error("no time");
    const at = `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
    const one = { read: row.position, at };
    for (const name of TOLD) if (has(said, name)) one[name] = said[name];
    this.shown.push(Object.assign(one, { list: listed, sure: held !== undefined }));
  }

  past(position) {
    let at = position;
    while (this.withheld.has(at)) at = after(at);
    return at;
  }

  missing(position) {
    const en = `row ${position} of the log of reads is missing`;
    this.told.find(KIND.MISSING, `缺查阅日志第 ${position} 条`, en);
  }

  leaves(count, sealed) {
    for (const position of this.withheld) {
      if (position > count) throw new Error("a row beyond the last is withheld");
    }
    const noted = this.noted.map(([position, note]) => Object.assign({ position }, headOf(note)));
    const roots = rootsOf(count, sealed, new Set([count].concat(noted.map((one) => one.size))));
    if (count !== this.size || !same(roots.get(count), this.root)) {
      this.told.find(
        KIND.HEAD, "查阅日志全部记录算得的树根不是其封签的树根",
        "the root over all rows of the log of reads is not that of its head",
      );
    }
    for (const { position, origin, size, root } of noted) {
      if (origin !== this.origin || !same(roots.get(size), root)) {
        this.told.find(
          KIND.WITNESS, `第 ${position} 条登记所记查阅日志的封签与包内查阅日志不符`,
          `entry ${position} notes a head that the log of reads does not bear out`,
        );
      }
    }
  }

  say() {
    const [size, count] = [this.size, this.times.size];
    const unseen = this.withheld.size;
    const { first, gone, order } = this;
    if (gone) {
      this.told.say(
        `查阅日志前 ${gone} 条已由第 ${order} 条登记下令到期销毁:其中查阅何人,不再可知`,
        `the first ${gone} rows of the log of reads were ordered to go by entry ${order}: ` +
          "whom they were about can be told no more",
      );
    }
    if (this.whole && unseen) {
      this.told.say(
        `查阅日志第 ${first} 至 ${size} 条中,${unseen} 条标为未公开案件之查阅、只有摘要:` +
          "查阅何人,本包不能证明;其余全部在包内",
        `of rows ${first} to ${size} of the log of reads, ${unseen} are said to be for sealed ` +
          "cases and are here by their hash alone: whom they are about, this bundle cannot prove",
      );
    } else if (this.whole) {
      this.told.say(
        `查阅日志第 ${first} 至 ${size} 条全部在包内:任何人被查阅的记录无一遗漏`,
        `rows ${first} to ${size} of the log of reads are all here: no read of anyone is left out`,
      );
    } else {
      this.told.say(
        `包内 ${count} 条查阅记录各自在 ${size} 条之封签下;是否另有查阅,本包不能证明`,
        `each of the ${count} reads lies under a head over ${size}; that there are no ` +
          "others, this bundle cannot prove",
      );
    }
    const sure = this.shown.filter((one) => one.sure).length;
    const unsure = this.shown.length - sure;
    const [zh, en] = this.family.size
      ? ["涉及本包人员的", " of the persons of this bundle"] : ["", ""];
    this.told.say(
      `${zh}查阅 ${sure} 条;另有名单 ${unsure} 份不能证明其中有谁`,
      `reads${en}: ${sure}; lists of which it cannot be proved whom they held: ${unsure}`,
    );
  }
}

// Where a row notes a head of the ledger, up to its entry `last`, that is none of its heads.
function unborne(heads, origin, leaf, last) {
  const noted = heads.map(([position, note]) => [position, headOf(note)]);
  const reached = noted.filter(([, head]) => head.size <= last);
  const sizes = new Set(reached.map(([, head]) => head.size));
  const count = sizes.size ? last : 0;
  for (let n = 1; n <= count; n++) leaf(n);
  const roots = rootsOf(count, leaf, sizes);
  return reached
    .filter(([, head]) => head.origin !== origin || !same(roots.get(head.size), head.root))
    .map(([position]) => position);
}
