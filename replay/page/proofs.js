// One entry's proof as one small file: what replay/proofs.py checks in Python.
//
// Invariant: as there, in the same words.
"use strict";

const PROOF = "c2sp.org/tlog-proof@v1";
const PROOF_FORM = new RegExp(
  `^${PROOF.replace(/[.]/g, "\\.")}\\n(?:extra ([A-Za-z0-9+/=]*)\\n)?index (0|[1-9][0-9]{0,18})\\n` +
    "((?:[A-Za-z0-9+/=]+\\n)*)\\n([^]*)$",
);

function isProof(raw) {
  return same(raw.subarray(0, PROOF.length + 1), bytes(`${PROOF}\n`));
}

// The verdict on a proof's bytes; throws nothing for whatever they hold.
function checkProof(raw, asked) {
  const told = new Replays();
  let entry = null;
  try {
    entry = proved(told, lines(raw), asked);
  } catch (whatever) {
    told.find(KIND.UNREADABLE, "不是可读取的证明", "this is no proof that can be read");
  }
  told.findings.sort((a, b) => a.kind - b.kind);
  const code = told.findings.length ? told.findings[0].kind : 0;
  return {
    code, findings: told.findings, said: told.said, replayed: entry, remarks: [], reads: [],
    good: "证明核验一致。 / The entry is what the ledger sealed.",
  };
}

function proved(told, said, asked) {
  const form = PROOF_FORM.exec(said);
  if (!form) throw new Error("no proof");
  const [note, position] = [form[4], exact(BigInt(form[2]) + BigInt(1))];
  const head = headOf(note);
  proofUnanswerable(told, asked);
  proofSigned(told, head.origin, note, asked);
  const raw = form[1] ? b64(form[1]) : null;
  const entry = raw && entryOf(raw);
  const acknowledged = proofAcknowledged(told, head.origin, position, asked);
  if (entry && acknowledged && !same(acknowledged, digest(raw))) {
    told.find(
      KIND.RECEIPT, `账本签发过第 ${position} 条登记的回执,证明中的登记与之不符`,
      `the ledger gave a receipt for entry ${position}, which is another here`,
    );
  }
  const leaf = entry ? digest(raw) : acknowledged;
  if (!leaf) {
    told.find(
      KIND.UNPROVED, `证明中没有第 ${position} 条登记的内容,也未给出其回执:不知所证为何`,
      `the proof does not hold entry ${position}, and no receipt for it was given: what it ` +
        "proves is not known",
    );
    return null;
  }
  const path = form[3].split("\n").filter((line) => line).map(b64);
  const here = !entry || entry.position === position;
  if (!here || !same(included(leaf, position - 1, head.size, path), head.root)) {
    told.find(
      KIND.ENTRY, `第 ${position} 条登记不是封签时的原样`,
      `entry ${position} is not what was sealed`,
    );
    return null;
  }
  told.say(
    `第 ${position} 条登记在 ${head.origin} 共 ${head.size} 条之封签下`,
    `entry ${position} lies under a head of ${head.origin} over ${head.size}`,
  );
  return entry && shownEntry(entry);
}

// What one entry and a head cannot prove is said.
function proofUnanswerable(told, asked) {
  const wanted = [
    ["--kept", asked.kept.length], ["--stamps", asked.stamps], ["--report", asked.report],
    ["--replay", asked.replay],
  ];
  for (const [option, given] of wanted) {
    if (given) {
      told.find(
        KIND.UNPROVED, `单条登记的证明不能回答 ${option}:请导出证据包`,
        `one entry's proof cannot answer ${option}: have a bundle exported`,
      );
    }
  }
}

function proofSigned(told, origin, note, asked) {
  if (!asked.key) {
    told.find(
      KIND.UNPROVED, "未给出账本公钥:不能证明封签出自哪个账本",
      "no public key was given: which ledger made the head is not proved",
    );
  } else if (partition(asked.key.trim(), "+")[0] !== origin || !signed(note, asked.key)) {
    told.find(
      KIND.SIGNATURE, "封签没有所给公钥的有效签名",
      "the head bears no valid signature of the key given",
    );
  }
  for (const witness of asked.witnessKeys) {
    const whose = partition(witness, "+")[0];
    if (signed(note, witness)) {
      told.say(`封签有见证人 ${whose} 的有效会签`, `the head bears a line of ${whose}`);
    } else {
      told.find(
        KIND.WITNESS, `封签没有见证人 ${whose} 的有效会签`,
        `the head bears no valid line of the witness ${whose}`,
      );
    }
  }
}

// The leaf of the entry as a receipt of this ledger names it.
function proofAcknowledged(told, origin, position, asked) {
  let leaf = null;
  for (const raw of asked.receipts) {
    const note = lines(raw);
    const [first, , ...rows] = above(note)[0].split("\n");
    if (!asked.key || first !== `${origin} receipt` || !signed(note, asked.key)) {
      told.find(KIND.RECEIPT, "回执不是本账本所签", "a receipt was not signed by this ledger");
      continue;
    }
    for (const row of rows) {
      const [named, hash] = partition(row, " ");
      if (named === String(position)) leaf = b64(hash);
    }
  }
  return leaf;
}

function shownEntry(entry) {
  const micros = entry.recordedAt;
  const rest = ((micros % 1000000) + 1000000) % 1000000;
  const second = new Date((micros - rest) / 1000).toISOString().slice(0, 19);
  return {
    position: entry.position,
    recorded_at: `${second}${rest ? "." + String(rest).padStart(6, "0") : ""}+00:00`,
    type: entry.type, tags: entry.tags, data: json(entry.data),
  };
}
