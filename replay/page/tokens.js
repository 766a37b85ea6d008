// Time-stamp tokens (RFC 3161) read in a browser: what replay/tokens.py reads in Python.
//
// Invariant: as there. The signatures of authorities (RSA, ECDSA) are checked by the browser's own
// cryptography; where a browser has none for a page that was opened from a disk, that is said.
"use strict";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const BASIC_CONSTRAINTS = "2.5.29.19";
const EXTENDED_USE = "2.5.29.37";
const STAMPING = "1.3.6.1.5.5.7.3.8";
const RSA = "1.2.840.113549.1.1.1";
const CURVE = "1.2.840.10045.2.1";
const CURVES = {
  "1.2.840.10045.3.1.7": ["P-256", 32], "1.3.132.0.34": ["P-384", 48], "1.3.132.0.35": ["P-521", 66],
};
const DIGESTS = {
  "2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};
const SIGNATURES = {
  "1.2.840.113549.1.1.1": [RSA, null], "1.2.840.113549.1.1.11": [RSA, "SHA-256"],
  "1.2.840.113549.1.1.12": [RSA, "SHA-384"], "1.2.840.113549.1.1.13": [RSA, "SHA-512"],
  "1.2.840.10045.2.1": [CURVE, null], "1.2.840.10045.4.3.2": [CURVE, "SHA-256"],
  "1.2.840.10045.4.3.3": [CURVE, "SHA-384"], "1.2.840.10045.4.3.4": [CURVE, "SHA-512"],
};

class Unknown extends Error {}

function subtle() {
  if (!self.crypto || !self.crypto.subtle) throw new Unknown("no cryptography here");
  return self.crypto.subtle;
}

function* read(raw) {
  let at = 0;
  while (at < raw.length) {
    let [start, length] = [at + 2, raw[at + 1] || 0];
    if (length > 0x80) {
      start += length & 0x7f;
      length = raw.subarray(at + 2, start).reduce((sum, one) => sum * 256 + one, 0);
    }
    const other = raw[at + 1] === 0x80 || (raw[at] & 0x1f) === 0x1f;
    if (other || at + 1 >= raw.length || start + length > raw.length) {
      throw new Error("an element ends early, or is of another form");
    }
    const body = raw.subarray(start, start + length);
    yield { tag: raw[at], body, raw: raw.subarray(at, start + length) };
    at = start + length;
  }
}

function one(raw) {
  const first = read(raw).next();
  if (first.done) throw new Error("nothing there");
  return first.value;
}

// The elements within one; at least so many.
function parts(part, least) {
  const found = Array.from(read(part.body));
  if (found.length < (least || 0)) throw new Error("an element is missing");
  return found;
}

function oid(part) {
  let number = 0;
  const numbers = [];
  for (const byte of part.body) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  if (!numbers.length) throw new Error("no identifier");
  const first = Math.min(Math.floor(numbers[0] / 40), 2);
  return [first, numbers[0] - 40 * first].concat(numbers.slice(1)).join(".");
}

// A time, in microseconds since 1970.
function moment(part) {
  let said = text(part.body);
  if (part.tag === 0x17) said = (said.slice(0, 2) >= "50" ? "19" : "20") + said;
  const form = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d*))?Z$/.exec(said);
  if (!form) throw new Error("no time");
  const iso = `${form[1]}-${form[2]}-${form[3]}T${form[4]}:${form[5]}:${form[6]}`;
  const at = new Date(iso + "Z");
  if (isNaN(at) || at.toISOString().slice(0, 19) !== iso) throw new Error("no time");
  return at.getTime() * 1000 + Number(((form[7] || "") + "000000").slice(0, 6));
}

function pem(said) {
  const fence = /-----BEGIN CERTIFICATE-----([^]*?)-----END CERTIFICATE-----/g;
  const found = [];
  for (let block = fence.exec(said); block; block = fence.exec(said)) {
    found.push(b64(block[1].replace(/\s+/g, "")));
  }
  if (!found.length) throw new Error("no certificate");
  return found;
}

class Certificate {
  constructor(raw) {
    const outer = one(raw);
    this.raw = outer.raw;
    const [tbs, algorithm, signature] = parts(outer, 3);
    this.algorithm = algorithm;
    this.signed = tbs.raw;
    this.signature = signature.body.subarray(1);
    const held = parts(tbs, 7);
    if (held[0].tag !== 0xa0) throw new Unknown("a certificate of the first version");
    this.serial = held[1].raw;
    this.issuer = held[3].raw;
    this.subject = held[5].raw;
    [this.since, this.until] = parts(held[4], 2).map(moment);
    this.key = held[6].raw;
    const more = held.slice(7).filter((part) => part.tag === 0xa3);
    const listed = more.length ? parts(parts(more[0], 1)[0]) : [];
    this.extensions = new Map(listed.map((each) => {
      const said = parts(each, 1);
      return [oid(said[0]), one(said[said.length - 1].body)];
    }));
  }

  authority() {
    const said = this.extensions.get(BASIC_CONSTRAINTS);
    const yes = (part) => part.tag === 1 && !(part.body.length === 1 && part.body[0] === 0);
    return said !== undefined && parts(said).some(yes);
  }

  stamps() {
    const said = this.extensions.get(EXTENDED_USE);
    return said !== undefined && parts(said).map(oid).includes(STAMPING);
  }

  async checks(algorithm, digestName, signature, message) {
    const [kind, named] = SIGNATURES[oid(parts(algorithm, 1)[0])] || [null, null];
    const hash = named || digestName;
    const said = parts(parts(one(this.key), 1)[0]).filter((part) => part.tag === 6).map(oid);
    const [what, ...curve] = said;
    if (!hash || ![RSA, CURVE].includes(what) || curve.some((each) => !has(CURVES, each))) {
      throw new Unknown("another kind of signature or key");
    }
    if (kind !== what) return false;
    const [name, size] = what === RSA ? [] : own(CURVES, curve[0]);
    const import_ = what === RSA
      ? { name: "RSASSA-PKCS1-v1_5", hash }
      : { name: "ECDSA", namedCurve: name };
    const key = await subtle().importKey("spki", this.key, import_, false, ["verify"]);
    const raw = what === RSA ? signature : plain(signature, size);
    if (raw === null) return false;
    const how = what === RSA ? { name: "RSASSA-PKCS1-v1_5" } : { name: "ECDSA", hash };
    return subtle().verify(how, key, raw, message);
  }

  async issued(other) {
    return this.authority() && same(other.issuer, this.subject) &&
      this.checks(other.algorithm, null, other.signature, other.signed);
  }
}

// An ECDSA signature as the browser takes it: two numbers side by side.
function plain(signature, size) {
  try {
    const outer = one(signature);
    const numbers = parts(outer, 2);
    const minimal = (part) => part.tag === 2 && part.body.length > 0 && part.body[0] < 0x80 &&
      !(part.body.length > 1 && part.body[0] === 0 && part.body[1] < 0x80);
    const whole = outer.tag === 0x30 && outer.raw.length === signature.length;
    if (!whole || numbers.length !== 2 || !numbers.every(minimal)) return null;
    const raw = new Uint8Array(2 * size);
    numbers.forEach((part, n) => {
      const number = part.body[0] === 0 ? part.body.subarray(1) : part.body;
      raw.set(number, (n + 1) * size - number.length);
    });
    return raw;
  } catch (wrong) {
    return null;
  }
}

async function hashed(algorithm, message) {
  const name = DIGESTS[oid(parts(algorithm, 1)[0])];
  if (!name) throw new Unknown("another digest");
  return new Uint8Array(await subtle().digest(name, message));
}

// Whether a stamp's signer is one of the trusted, or was issued by one of them.
async function under(stamp, trusted) {
  let here = stamp.signer;
  for (let n = 0; n < 5; n++) {
    if (trusted.some((each) => same(each.raw, here.raw))) return true;
    const above = [];
    for (const each of trusted.concat(stamp.others)) {
      if (!same(each.raw, here.raw) && await each.issued(here)) above.push(each);
    }
    if (!above.length || !(above[0].since <= stamp.at && stamp.at <= above[0].until)) return false;
    here = above[0];
  }
  return false;
}

async function stamped(response, message) {
  const [status, token] = parts(one(response), 2);
  const granted = parts(status, 1)[0].body;
  if (granted.length !== 1 || granted[0] !== 0) throw new Error("not granted");
  const [kind, content] = parts(token, 2);
  if (oid(kind) !== SIGNED_DATA) throw new Error("no signed data");
  const outer = parts(parts(content, 1)[0], 4);
  const [what, wrapped] = parts(outer[2], 2);
  if (oid(what) !== TST_INFO) throw new Error("no time stamp");
  const info = parts(wrapped, 1)[0].body;
  const certificates = [];
  for (const part of outer.slice(3).filter((each) => each.tag === 0xa0)) {
    for (const each of parts(part)) certificates.push(new Certificate(each.raw));
  }
  const signers = parts(outer[outer.length - 1]);
  if (signers.length !== 1) throw new Error("several signers");
  const told = parts(one(info), 5);
  const [algorithm, imprint] = parts(told[2], 2);
  if (!same(await hashed(algorithm, message), imprint.body)) throw new Error("over another message");
  const at = moment(told[4]);
  const signer = await whose(signers[0], info, certificates);
  if (!signer.stamps() || !(signer.since <= at && at <= signer.until)) {
    throw new Error("not for time stamps, or not then");
  }
  return { at, signer, others: certificates };
}

async function whose(signer, info, certificates) {
  const [, who, algorithm, attributes, how, signature] = parts(signer, 6);
  if (who.tag !== 0x30 || attributes.tag !== 0xa0) {
    throw new Unknown("a signer named in another way");
  }
  const said = {};
  for (const each of parts(attributes)) {
    const [name, values] = parts(each, 2);
    said[oid(name)] = parts(values);
  }
  const types = own(said, CONTENT_TYPE).map(oid);
  if (types.length !== 1 || types[0] !== TST_INFO) throw new Error("signed as something else");
  const digests = own(said, MESSAGE_DIGEST);
  const right = digests.length === 1 && same(digests[0].body, await hashed(algorithm, info));
  if (!right) throw new Error("not what was signed");
  const [issuer, serial] = parts(who, 2);
  const message = attributes.raw.slice();
  message[0] = 0x31;
  for (const each of certificates) {
    if (!same(each.issuer, issuer.raw) || !same(each.serial, serial.raw)) continue;
    const name = DIGESTS[oid(parts(algorithm, 1)[0])];
    if (!await each.checks(how, name, signature.body, message)) {
      throw new Error("the signature is not valid");
    }
    return each;
  }
  throw new Error("the signer's certificate is not in the token");
}
