// Heads before a bundle's own, kept or time-stamped: what replay/earlier.py does in Python.
//
// Invariant: as there, in the same words and the same order.
"use strict";

const SLACK = 300000000;

const OF_ENTRIES = {
  log: ["账本", "the log"],
  rows: "entries",
  stamp: (size) => [
    `前 ${size} 条登记的封签上的时间戳`, `the time stamp over the head of ${size} entries`,
  ],
  when: (position) => [`第 ${position} 条登记的登记时间`, `when entry ${position} was recorded`],
  stamps: ["时间戳", "time stamps"],
  option: "--old",
};
const OF_READS = {
  log: ["查阅日志", "the log of reads"],
  rows: "rows",
  stamp: (size) => [
    `查阅日志前 ${size} 条的封签上的时间戳`, `the time stamp over the head of ${size} rows of reads`,
  ],
  when: (position) => [
    `查阅日志第 ${position} 条的登记时间`, `when row ${position} of the log of reads was recorded`,
  ],
  stamps: ["查阅日志的时间戳", "time stamps of the log of reads"],
  option: "--old-reads",
};

// `proofs`: that the head extends a smaller one, by size; `leaf` gives the leaves of rows 1 to
// `until`, which lie in the bundle.
class Earlier {
  constructor(told, words, head, proofs, leaf, until) {
    Object.assign(this, { told, words, head, proofs, leaf, until });
  }

  kept({ origin, size, root }) {
    const [[zh, en], { rows, option }] = [this.words.log, this.words];
    const good = this.leads(origin, size, root, this.roots([size]));
    if (good === null) {
      this.told.find(
        KIND.UNPROVED, `本包不能证明${zh}是所存 ${size} 条封签的延续,请以 ${option} ${size} 导出`,
        `that ${en} extends the head kept over ${size} ${rows} cannot be proved with ` +
          `this bundle; have it exported with ${option} ${size}`,
      );
    } else if (good) {
      this.told.say(`${zh}是所存 ${size} 条之封签的延续`, `${en} extends the head kept over ${size}`);
    } else {
      this.told.find(
        KIND.WITNESS, `${zh}不是所存 ${size} 条之封签的延续:历史被改写`,
        `${en} does not extend the head kept over ${size} ${rows}: it was rewritten`,
      );
    }
  }

  async stamps(held, trusted, times) {
    const [zh, en] = this.words.stamps;
    if (trusted.length && !held.length) {
      this.told.find(KIND.UNPROVED, `包内没有${zh}`, `there are no ${en} in this bundle`);
    }
    const roots = this.roots(held.map((one) => headOf(own(one, "note")).size));
    const order = Array.from(times.keys()).sort((a, b) => (a < b ? -1 : 1));
    let valid = 0;
    for (const one of held) valid += await this.stamp(one, trusted, roots, times, order) ? 1 : 0;
    if (valid) {
      const more = trusted.length ? "" : ";未给出时间戳机构证书,不能证明出自哪个机构";
      const rest = trusted.length
        ? "" : "; no certificate was given, whose they are is not proved";
      this.told.say(`${zh} ${valid} 枚有效${more}`, `${valid} ${en} are valid${rest}`);
    }
  }

  async stamp(held, trusted, roots, times, order) {
    const note = own(held, "note");
    const { origin, size, root } = headOf(note);
    const [zh, en] = this.words.stamp(size);
    let [good, token] = [false, null];
    try {
      token = await stamped(b64(own(held, "response")), bytes(note));
      good = !trusted.length || await under(token, trusted);
    } catch (wrong) {
      if (wrong instanceof Unknown) {
        const said = `${en} is made in a way that cannot be checked here`;
        this.told.find(KIND.UNPROVED, `${zh}所用算法不在可核验之列`, said);
        return false;
      }
      good = false;
    }
    if (!good || !this.leads(origin, size, root, roots)) {
      this.told.find(KIND.STAMP, `${zh}无效`, `${en} is not valid`);
      return false;
    }
    let place = order.length;
    while (place > 0 && order[place - 1] > size) place -= 1;
    for (const position of order.slice(Math.max(place - 1, 0), place + 1)) {
      const since = Number(times.get(position)) - token.at;
      if (position <= size ? since > SLACK : since < -SLACK) {
        const when = this.words.when(position);
        this.told.find(KIND.TIME, `${when[0]}与${zh}矛盾`, `${when[1]} contradicts ${en}`);
      }
    }
    return true;
  }

  // Whether the head extends this one; null where the bundle cannot tell.
  leads(origin, size, root, roots) {
    const head = this.head;
    if (origin !== head.origin || size > head.size) return false;
    if (has(this.proofs, String(size)) || size === head.size) {
      const path = (given(this.proofs, String(size)) || []).map(b64);
      return extended(size, root, head.size, head.root, path);
    }
    if (size > this.until) return null;
    if (!roots.has(size)) throw new Error("no such size");
    return same(roots.get(size), root);
  }

  // The roots over the first so many rows, of those sizes that the leaves here give.
  roots(sizes) {
    const known = sizes.filter((size) => size <= this.until && !has(this.proofs, String(size)));
    const last = known.reduce((most, size) => (size > most ? size : most), 0);
    for (let n = 1; n <= last; n++) this.leaf(n);
    return rootsOf(last, this.leaf, new Set(sizes));
  }
}
