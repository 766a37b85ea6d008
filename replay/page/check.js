// Checks an evidence bundle in a browser: what replay/check.py checks in Python.
//
// Invariant: the same findings, codes and sentences for the same bundle and the same questions;
// nothing in the bundle is believed that does not follow from a signed head.
"use strict";

// Hashes by position, side by side.
class Leaves {
  constructor() {
    this.raw = new Uint8Array(32 * 1024);
    this.places = new Map();
  }

  set(position, leaf) {
    let place = this.places.get(position);
    if (place === undefined) {
      place = this.places.size;
      this.places.set(position, place);
    }
    if (32 * (place + 1) > this.raw.length) {
      const larger = new Uint8Array(2 * this.raw.length);
      larger.set(this.raw);
      this.raw = larger;
    }
    this.raw.set(leaf, 32 * place);
  }

  get(position) {
    const place = this.places.get(position);
    return place === undefined ? undefined : this.raw.subarray(32 * place, 32 * place + 32);
  }

  need(position) {
    const leaf = this.get(position);
    if (leaf === undefined) throw new Error("no such entry");
    return leaf;
  }
}

class Check extends Replays {
  constructor(raw, asked) {
    super();
    this.replayed = null;
    this.bundle = new Bundle(raw);
    this.asked = asked;
    const manifest = this.bundle.manifest;
    this.recorded = integer(own(manifest, "recorded"));
    this.complete = own(manifest, "complete") === true;
    this.note = this.bundle.text("head.note");
    Object.assign(this, headOf(this.note));
    this.leaves = new Leaves();
    this.times = new Map();
    this.changes = [];
    this.looks = [];
    this.noted = [];
    this.cuts = [];
    this.keptReads = [];
    this.opened = new Map();
  }

  async verdict() {
    const stages = [
      ["文件", "files", this.files],
      ["登记", "entries", this.entries],
      ["封签", "head", this.head],
      ["先前所存封签", "head kept", this.kept],
      ["时间戳", "time stamps", this.stamps],
      ["回执", "receipts", this.receipts],
      ["披露", "disclosed fields", this.disclosed],
      ["档案", "record", this.records],
      ["提示", "remarks", this.remark],
      ["查阅日志", "log of reads", this.reads],
    ];
    for (const [zh, en, stage] of stages) {
      try {
        await stage.call(this);
      } catch (whatever) {
        this.find(KIND.UNREADABLE, `${zh}部分不能读取`, `the part ${en} cannot be read`);
      }
    }
    this.findings.sort((a, b) => a.kind - b.kind);
    const code = this.findings.length ? this.findings[0].kind : 0;
    return {
      code, findings: this.findings, said: this.said, replayed: this.replayed,
      remarks: this.remarks, reads: this.looks, origin: this.origin, size: this.size, root: hex(this.root),
    };
  }

  files() {
    this.undeclared();
    const named = own(this.bundle.manifest, "files");
    const held = new Set(this.bundle.names);
    if (held.size !== this.bundle.names.length) {
      this.find(KIND.FILE, "包内有同名文件", "a file is in the bundle twice");
    }
    if (!this.bundle.framed) {
      this.find(
        KIND.FILE, "压缩包内除文件外另有内容,或文件头与目录不符",
        "the zip holds more than its files, or a file's header is not what its list says",
      );
    }
    const others = new Set(held);
    ["manifest.json", "manifest.note"].forEach((name) => others.delete(name));
    const wanted = Object.keys(named);
    const apart = wanted.filter((name) => !others.has(name))
      .concat(Array.from(others).filter((name) => !has(named, name)));
    for (const name of apart.sort(byPoint)) {
      this.find(KIND.FILE, `文件 ${name} 缺失或多出`, `the file ${name} is missing or extra`);
    }
    for (const name of wanted.filter((one) => held.has(one)).sort(byPoint)) {
      if (this.bundle.digest(name) !== own(named[name], "sha256")) {
        const en = `the file ${name} is not what the manifest names`;
        this.find(KIND.FILE, `文件 ${name} 与清单不符`, en);
      }
    }
  }

  entries() {
    const held = this.complete ? this.bundle.read("leaves.bin") : new Uint8Array(0);
    const count = Math.ceil(held.length / 32);
    const sealed = (n) => held.subarray(32 * (n - 1), 32 * n);
    const proofs = this.bundle.json("proofs.json");
    let [expected, last, seen] = [1, 0, 0];
    for (const entry of this.bundle.entries()) {
      const [position, leaf] = [entry.position, digest(entry.raw)];
      seen += 1;
      this.leaves.set(position, leaf);
      this.times.set(position, entry.recordedAt);
      expected = this.bundle.pastWithheld(expected);
      if (this.complete && expected <= this.recorded && position > expected) this.missing(expected);
      if (position < expected) {
        const en = `entry ${position} is there twice or out of order`;
        this.find(KIND.ENTRY, `第 ${position} 条登记重复或次序颠倒`, en);
      }
      expected = after(position);
      if (entry.recordedAt < last) {
        const en = `entry ${position} was recorded before the one ahead of it`;
        this.find(KIND.TIME, `第 ${position} 条登记的时间早于前一条`, en);
      }
      last = entry.recordedAt;
      let good;
      if (this.complete && position <= this.recorded) {
        good = position >= 1 && position <= count && same(sealed(position), leaf);
      } else {
        const path = given(own(proofs, "entries"), String(position)) || [];
        const root = included(leaf, Number(position) - 1, this.size, path.map(b64));
        good = root !== null && same(root, this.root);
      }
      if (!good) {
        const en = `entry ${position} is not what was sealed`;
        this.find(KIND.ENTRY, `第 ${position} 条登记不是封签时的原样`, en);
      }
      if (entry.type === "SealKeyChanged") {
        this.changes.push([position, own(json(entry.data), "fields")]);
      }
      if (entry.type === "ReadsSealed") {
        this.noted.push([position, own(own(json(entry.data), "fields"), "note")]);
      }
      if (entry.type === "ReadsCut") {
        this.cuts.push([position, own(json(entry.data), "fields")]);
      }
      if (entry.type === "PackPublished") this.pack(position, own(json(entry.data), "fields"));
    }
    if (this.complete) this.allLeaves(count, sealed, expected, proofs);
    this.sayEntries(seen);
  }

  pack(position, pack) {
    if (hex(digest(bytes(own(pack, "text")))) !== own(pack, "digest")) {
      this.find(
        KIND.DIGEST, `第 ${position} 条登记所发布的规则包 ${pack.code} 与其摘要不符`,
        `the pack ${pack.code} that entry ${position} publishes is not what its digest says`,
      );
    }
  }

  missing(position) {
    this.find(KIND.MISSING, `缺第 ${position} 条登记`, `entry ${position} is missing`);
  }

  allLeaves(count, sealed, from, proofs) {
    const expected = this.bundle.pastWithheld(from);
    if (expected <= this.recorded) this.missing(expected);
    for (const position of this.bundle.withheld) {
      if (position > count) throw new Error("an entry beyond the last is withheld");
      this.leaves.set(position, sealed(position));
    }
    const path = own(own(proofs, "extensions"), String(this.recorded)).map(b64);
    const root = rootsOf(count, sealed, new Set([count])).get(count);
    const grown = extended(this.recorded, root, this.size, this.root, path);
    if (count !== this.recorded || !grown) {
      this.find(
        KIND.HEAD, "全部登记算得的树根不是封签的树根:登记连同摘要被改动,或封签属另一账本",
        "the root over all entries is not that of the head: an entry was altered together " +
          "with its hash, or the head is another log's",
      );
    }
  }

  sayEntries(count) {
    const { size, recorded } = this;
    const unseen = this.bundle.withheld.size;
    if (this.complete && unseen) {
      this.say(
        `第 1 至 ${recorded} 条登记中,${unseen} 条标为未公开案件、只有摘要:` +
          "是否涉及何人,本包不能证明;其余全部在包内",
        `of entries 1 to ${recorded}, ${unseen} are said to be of sealed cases and are ` +
          "here by their hash alone: whom they are about, this bundle cannot prove",
      );
    } else if (this.complete) {
      this.say(
        `第 1 至 ${recorded} 条登记全部在包内,封签下共 ${size} 条:任何人的登记无一遗漏`,
        `entries 1 to ${recorded} are all here, under a head over ${size}: ` +
          "no entry about anyone is left out",
      );
    } else {
      this.say(
        `包内 ${count} 条登记各自在 ${size} 条之封签下;是否另有涉及此人的登记,本包不能证明`,
        `each of the ${count} entries lies under a head over ${size}; that there are no ` +
          "others about this person, this bundle cannot prove",
      );
    }
  }

  head() {
    const chain = this.chain();
    const key = this.asked.key;
    if (!key) {
      this.say(
        "未给出公钥,用的是包内所附:只能证明本包前后一致,不能证明出自哪个账本",
        "no public key was given and the bundle's own was used: it agrees with itself, " +
          "which ledger made it is not proved",
      );
    } else if (!chain.includes(key.trim())) {
      this.unsigned("所给公钥不是本账本用过的密钥", "the key given never signed here");
    }
    const newest = chain[chain.length - 1];
    if (partition(newest, "+")[0] !== this.origin || !signed(this.note, newest)) {
      this.unsigned("封签没有有效签名", "the head bears no valid signature");
    }
    const over = this.bundle.text("manifest.note");
    const said = `${this.origin} evidence\n${this.bundle.digest("manifest.json")}\n`;
    if (above(over)[0] + "\n" !== said || !signed(over, newest)) {
      this.unsigned("清单没有有效签名", "the manifest bears no valid signature");
    }
    for (const witness of this.asked.witnessKeys) {
      if (!signed(this.note, witness)) {
        const name = partition(witness, "+")[0];
        const en = `the head bears no valid line of the witness ${name}`;
        this.find(KIND.WITNESS, `封签没有见证人 ${name} 的有效会签`, en);
      }
    }
  }

  unsigned(zh, en) {
    this.find(KIND.SIGNATURE, zh, en);
  }

  chain() {
    let chain = [];
    for (const [position, change] of this.changes) {
      const [old, fresh, note] = ["previous", "key", "note"].map((name) => own(change, name));
      const said = `${partition(old, "+")[0]} key\n${old}\n${fresh}\n`;
      const good = above(note)[0] + "\n" === said && signed(note, old);
      const named = partition(fresh, "+")[0] === partition(old, "+")[0];
      const follows = named && (!chain.length || chain[chain.length - 1] === old);
      if (!(good && signed(note, fresh)) || !follows) {
        this.unsigned(
          `第 ${position} 条登记更换密钥,但未经新旧密钥共同签署`,
          `entry ${position} changes the key without the old key's signature`,
        );
      }
      chain = (chain.length ? chain : [old]).concat([fresh]);
    }
    return chain.length ? chain : [this.bundle.text("key.txt").trim()];
  }

  kept() {
    const reads = given(this.bundle.manifest, "reads");
    const ofReads = new Set(this.noted.map(([, note]) => headOf(note).origin));
    if (reads !== null) ofReads.add(own(reads, "origin"));
    ofReads.delete(this.origin); // whatever the bundle says, such a head is the ledger's
    for (const raw of this.asked.kept) {
      const head = headOf(lines(raw));
      if (!ofReads.has(head.origin)) {
        this.earlier().kept(head);
      } else if (has(this.bundle.manifest, "reads")) {
        this.keptReads.push(head);
      } else {
        this.find(
          KIND.UNPROVED, "包内没有查阅日志,请以 --reads 导出",
          "the log of reads is not in this bundle; have it exported with --reads",
        );
      }
    }
  }

  earlier() {
    const proofs = own(this.bundle.json("proofs.json"), "extensions");
    const until = this.complete ? this.recorded : 0;
    return new Earlier(this, OF_ENTRIES, this, proofs, (n) => this.leaves.need(n), until);
  }

  trusted() {
    const asked = this.asked.stamps;
    return asked ? pem(lines(asked)).map((raw) => new Certificate(raw)) : [];
  }

  stamps() {
    const held = this.bundle.names.includes("stamps.json") ? this.bundle.json("stamps.json") : [];
    return this.earlier().stamps(held, this.trusted(), this.times);
  }

  receipts() {
    for (const raw of this.asked.receipts) {
      const note = lines(raw);
      const [first, , ...rows] = above(note)[0].split("\n");
      const known = this.chain().some((key) => signed(note, key));
      if (first !== `${this.origin} receipt` || !known || !rows.length) {
        const en = "a receipt was not signed by this ledger";
        this.find(KIND.RECEIPT, "回执不是本账本所签", en);
        continue;
      }
      for (const row of rows) {
        const [position, leaf] = partition(row, " ");
        this.acknowledged(integer(position), b64(leaf));
      }
    }
  }

  acknowledged(position, leaf) {
    const lies = this.leaves.get(position);
    if (lies === undefined && !(this.complete && position <= this.recorded)) {
      this.find(
        KIND.UNPROVED, `回执所载第 ${position} 条登记不在本包内`,
        `entry ${position}, which a receipt names, is not in this bundle`,
      );
    } else if (!same(lies, leaf)) {
      this.find(
        KIND.RECEIPT, `账本签发过第 ${position} 条登记的回执,包内登记与之不符`,
        `the ledger gave a receipt for entry ${position}, which is another now`,
      );
    }
  }

  disclosed() {
    const fields = this.bundle.json("disclosed.json");
    const wanted = new Map();
    for (const one of fields) {
      const position = own(one, "position");
      if (!wanted.has(position)) wanted.set(position, []);
      wanted.get(position).push(one);
    }
    for (const entry of wanted.size ? this.bundle.entries() : []) {
      const here = wanted.get(entry.position) || [];
      wanted.delete(entry.position);
      for (const one of here) {
        const held = Array.from(sealedIn(own(json(entry.data), "fields")));
        const stands = held.some(([name, sealed]) =>
          name === own(one, "field") && sealed.c === own(one, "commitment") &&
          sealed.o === own(one, "owner"));
        if (stands && opens(own(one, "salt"), own(one, "value"), one.commitment)) {
          this.opened.set(one.commitment, JSON.parse(one.value));
        } else {
          this.false_(one);
        }
      }
    }
    for (const rest of wanted.values()) rest.forEach((one) => this.false_(one));
    if (fields.length) {
      this.say(
        `披露字段 ${this.opened.size} 项与登记中的承诺值相符`,
        `${this.opened.size} private fields are disclosed and match their commitments`,
      );
    }
  }

  false_(one) {
    const [position, name] = [integer(own(one, "position")), own(one, "field")];
    this.find(
      KIND.DISCLOSED, `第 ${position} 条登记的披露字段 ${name} 与承诺值不符`,
      `the field ${name} disclosed of entry ${position} is not what was committed to`,
    );
  }

  async records() {
    const names = this.bundle.names.filter((name) => name.startsWith("report"));
    for (const name of names.sort(byPoint)) {
      const which = name.replace(/^report/, "").replace(/\.json$/, "").replace(/^-/, "");
      const en = `the report ${which} in the bundle`.replace("  ", " ");
      this.compare(this.bundle.json(name), `包内档案${which}`, en);
    }
    if (this.asked.report && isAnswer(this.asked.report)) {
      this.compare(loaded(text(this.asked.report)), "所给档案", "the report given", true);
    } else if (this.asked.report) {
      const words = this.bundle.held.has("words.json") ? this.bundle.json("words.json") : {};
      await compareFile(this, words, this.asked.report);
    }
    if (this.asked.replay) {
      const recorded = this.asked.recorded === null ? this.recorded : this.asked.recorded;
      const effective = this.asked.effective || own(this.bundle.manifest, "effective");
      this.replayed = this.record(this.asked.replay, effective, recorded);
    }
  }

  async reads() {
    if (!has(this.bundle.manifest, "reads")) return;
    if (own(own(this.bundle.manifest, "reads"), "origin") === this.origin) {
      const en = "what is said to be the log of reads bears the ledger's name";
      this.find(KIND.HEAD, "所称查阅日志与账本同名", en);
      return;
    }
    const looked = new Looked(this, this.bundle, this.noted, this.cuts);
    this.looks = looked.shown;
    const chain = this.chain();
    const key = chain[chain.length - 1];
    await looked.check(key, this.asked.witnessKeys, this.keptReads, this.trusted());
    const heads = this.complete ? looked.heads : [];
    const leaf = (n) => this.leaves.need(n);
    for (const position of unborne(heads, this.origin, leaf, this.recorded)) {
      this.find(
        KIND.WITNESS, `查阅日志第 ${position} 条所记账本的封签与包内登记不符`,
        `row ${position} of the log of reads notes a head that the entries do not bear out`,
      );
    }
  }
}

// The verdict on the bytes of a bundle, or of one entry's proof; throws nothing for whatever they
// hold.
async function check(raw, asked) {
  if (isProof(raw)) return checkProof(raw, asked);
  let one;
  try {
    one = new Check(raw, asked);
  } catch (whatever) {
    const [zh, en] = ["不是可读取的证据包", "this is no bundle of evidence that can be read"];
    const findings = [{ kind: KIND.UNREADABLE, zh, en }];
    return { code: KIND.UNREADABLE, findings, said: [], replayed: null, remarks: [], reads: [] };
  }
  return one.verdict();
}
