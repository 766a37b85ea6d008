// Trees, signed notes and bundles read in a browser: what replay/offline.py reads in Python.
//
// Invariant: each function says what the same one there says of the same bytes. No syntax newer
// than Chromium 80; no network, no storage.
"use strict";

const FORMAT = "personnel-ledger-evidence/1";
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HASH = new sha256.Hash();

function digest() {
  HASH.reset();
  for (const part of arguments) HASH.update(part);
  return HASH.digest();
}

const SALT = 32;
const EMPTY = digest();
const INNER = new Uint8Array([1]);

function text(bytes) {
  return UTF8.decode(bytes);
}

function bytes(said) {
  return new TextEncoder().encode(said);
}

function hex(raw) {
  return Array.from(raw, (one) => one.toString(16).padStart(2, "0")).join("");
}

function same(one, other) {
  if (!one || !other || one.length !== other.length) return false;
  for (let n = 0; n < one.length; n++) if (one[n] !== other[n]) return false;
  return true;
}

function b64(said) {
  const form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  if (typeof said !== "string" || !form.test(said)) throw new Error("no base64");
  return Uint8Array.from(atob(said), (one) => one.charCodeAt(0));
}

// What JSON says, where it says one thing: a name twice is read differently by different readers.
function loaded(said) {
  const value = JSON.parse(said);
  const open = [];
  let name = null;
  for (const [token] of said.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") name = JSON.parse(token);
    else if (open[open.length - 1].has(name)) throw new Error("a name is there twice");
    else open[open.length - 1].add(name);
  }
  return value;
}

// What an object holds itself; throws where it does not.
function own(held, name) {
  if (!has(held, name)) throw new Error("nothing of that name");
  return held[name];
}

function has(held, name) {
  return Object.prototype.hasOwnProperty.call(held, name);
}

// By code points, as Python orders texts.
function byPoint(one, other) {
  const [a, b] = [Array.from(one), Array.from(other)];
  for (let n = 0; n < a.length && n < b.length; n++) {
    if (a[n] !== b[n]) return a[n].codePointAt(0) - b[n].codePointAt(0);
  }
  return a.length - b.length;
}

function integer(said) {
  if (typeof said === "number") return Math.trunc(said);
  if (!/^\s*[+-]?[0-9]+(_[0-9]+)*\s*$/.test(said)) throw new Error("no number");
  return Number(said.replace(/_/g, ""));
}

// A whole number too large for a double stays exact.
function exact(large) {
  const number = Number(large);
  return Number.isSafeInteger(number) ? number : large;
}

// Eight bytes as a whole number, of either sign where that is asked.
function eight(view, at, signed) {
  const high = signed ? view.getInt32(at) : view.getUint32(at);
  if (-0x200000 < high && high < 0x200000) return high * 0x100000000 + view.getUint32(at + 4);
  return exact(signed ? view.getBigInt64(at) : view.getBigUint64(at));
}

function after(position) {
  return typeof position === "bigint" ? exact(position + BigInt(1)) : position + 1;
}

function half(number) {
  return Math.floor(number / 2);
}

function odd(number) {
  return number % 2 !== 0;
}

// trees

function node(left, right) {
  return digest(INNER, left, right);
}

// The roots over the first so many leaf hashes, for each size that there is.
function rootsOf(count, leaf, sizes) {
  const [peaks, roots] = [[], new Map([[0, EMPTY]])];
  for (let size = 1; size <= count; size++) {
    let [top, rest] = [leaf(size), size];
    while (!odd(rest)) {
      top = node(peaks.pop(), top);
      rest = half(rest);
    }
    peaks.push(top);
    if (sizes.has(size)) {
      for (let n = peaks.length - 2; n >= 0; n--) top = node(peaks[n], top);
      roots.set(size, top);
    }
  }
  return roots;
}

function included(leaf, index, size, path) {
  let [here, last, top] = [index, size - 1, leaf];
  for (const beside of path) {
    if (last <= 0) return null;
    if (odd(here) || here === last) {
      top = node(beside, top);
      while (!odd(here) && here) [here, last] = [half(here), half(last)];
    } else {
      top = node(top, beside);
    }
    [here, last] = [half(here), half(last)];
  }
  return last === 0 ? top : null;
}

function extended(old, before, size, root, path) {
  if (old === 0 || old === size) {
    return path.length === 0 && same(before, old === 0 ? EMPTY : root);
  }
  if (!(0 < old && old < size) || !path.length) return false;
  const whole = Number.isInteger(Math.log2(old));
  const steps = whole ? [before].concat(path) : path;
  let [here, last] = [old - 1, size - 1];
  while (odd(here)) [here, last] = [half(here), half(last)];
  let [was, now] = [steps[0], steps[0]];
  for (const beside of steps.slice(1)) {
    if (last === 0) return false;
    if (odd(here) || here === last) {
      [was, now] = [node(beside, was), node(beside, now)];
      while (!odd(here) && here) [here, last] = [half(here), half(last)];
    } else {
      now = node(now, beside);
    }
    [here, last] = [half(here), half(last)];
  }
  return last === 0 && same(was, before) && same(now, root);
}

// notes

function partition(said, mark) {
  const at = said.indexOf(mark);
  return at < 0 ? [said, ""] : [said.slice(0, at), said.slice(at + mark.length)];
}

// What is above the last empty line, and what below; nothing is above where there is none.
function above(note) {
  const at = note.lastIndexOf("\n\n");
  return at < 0 ? ["", note] : [note.slice(0, at), note.slice(at + 2)];
}

const ORDER = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

// Ed25519 as OpenSSL checks it: the signature's scalar must be below the group's order.
function verified(signature, message, key) {
  if (key.length !== 32) throw new Error("no key");
  if (signature.length !== 64) return false;
  for (let n = 31; n >= 0; n--) {
    const most = parseInt(ORDER.slice(2 * n, 2 * n + 2), 16);
    if (signature[32 + n] > most) return false;
    if (signature[32 + n] < most) break;
    if (n === 0) return false;
  }
  return nacl.sign.detached.verify(message, signature, key);
}

function signed(note, vkey) {
  const [name, rest] = partition(vkey.trim(), "+");
  const key = b64(partition(rest, "+")[1]);
  const id = digest(bytes(name + "\n"), key).slice(0, 4);
  const [said, below] = above(note);
  // eslint-disable-next-line no-control-regex
  for (const line of below.split(/\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]/)) {
    const [dash, whose, written] = line.split(" ").concat(["", ""]);
    if (dash !== "\u2014" || whose !== name) continue;
    const raw = b64(written);
    if (!same(raw.slice(0, 4), id)) continue;
    let [message, signature] = [bytes(said + "\n"), raw.slice(4)];
    if (key[0] === 4) {
      const padded = new Uint8Array(8);
      const seen = signature.slice(0, 8);
      padded.set(seen, 8 - seen.length);
      const time = new DataView(padded.buffer).getBigUint64(0);
      message = bytes("cosignature/v1\ntime " + time + "\n" + said + "\n");
      signature = signature.slice(8);
    }
    if (verified(signature, message, key.slice(1))) return true;
  }
  return false;
}

function headOf(note) {
  const lines = note.split("\n");
  if (lines.length < 3) throw new Error("no head");
  return { origin: lines[0], size: integer(lines[1]), root: b64(lines[2]) };
}

// Whether a salt and a value are what was committed to. A salt has one length: else bytes of the
// value could be told as its last ones.
function opens(salt, value, commitment) {
  const salted = b64(salt);
  const raw = digest(bytes("PRL-C1"), salted, bytes(value));
  const said = btoa(String.fromCharCode.apply(null, raw));
  const made = said.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return salted.length === SALT && made === commitment;
}

// entries

function entryOf(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  if (raw.length < 21 || view.getUint8(0) !== 0 || view.getUint32(1) !== 0x50524c31) {
    throw new Error("no entry");
  }
  let at = 21;
  function sized() {
    const start = at + 4;
    at = start + view.getUint32(at);
    if (at > raw.length) throw new Error("an entry ends early");
    return raw.subarray(start, at);
  }
  const type = text(sized());
  const count = view.getUint32(at);
  at += 4;
  const tags = [];
  for (let n = 0; n < count; n++) tags.push(text(sized()));
  const data = sized();
  if (at !== raw.length) throw new Error("an entry goes on");
  return {
    position: eight(view, 5, false),
    recordedAt: eight(view, 13, true),
    type,
    tags,
    data,
    raw,
  };
}

// bundles

const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

function named(raw, flags) {
  const said = flags & 0x800
    ? text(raw)
    : Array.from(raw, (one) => (one < 128 ? String.fromCharCode(one) : CP437[one - 128])).join("");
  return partition(said, "\0")[0];
}

// The directory at the end of a zip, as Python's zipfile reads it.
function directory(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  let end = raw.length - 22;
  if (end < 0) throw new Error("no zip");
  if (view.getUint32(end) !== 0x504b0506 || view.getUint16(end + 20)) {
    const lowest = Math.max(raw.length - 65557, 0);
    while (end >= lowest && view.getUint32(end) !== 0x504b0506) end--;
    if (end < lowest) throw new Error("no zip");
  }
  const [size, offset] = [view.getUint32(end + 12, true), view.getUint32(end + 16, true)];
  const moved = end - size - offset;
  if (offset + moved < 0) throw new Error("no zip");
  const held = [];
  let at = offset + moved;
  const last = at + size;
  while (at < last) {
    if (at + 46 > last || view.getUint32(at) !== 0x504b0102) throw new Error("no zip");
    const short = (place) => view.getUint16(at + place, true);
    const long = (place) => view.getUint32(at + place, true);
    const [name, extra, comment] = [short(28), short(30), short(32)];
    const one = {
      name: named(raw.subarray(at + 46, at + 46 + name), short(8)),
      method: short(10),
      crc: long(16),
      packed: long(20),
      size: long(24),
      at: long(42),
      said: raw.subarray(at, at + 46 + name),
      comment,
    };
    if (view.getUint8(at + 6) > 63) throw new Error("a newer zip");
    let place = at + 46 + name;
    const past = place + extra;
    while (place + 4 <= past) {
      const [kind, length] = [view.getUint16(place, true), view.getUint16(place + 2, true)];
      if (place + 4 + length > past) throw new Error("no zip");
      if (kind === 1) {
        let within = place + 4;
        for (const name of ["size", "packed", "at"]) {
          if (one[name] !== 0xffffffff) continue;
          if (within + 8 > place + 4 + length) throw new Error("no zip");
          one[name] = Number(view.getBigUint64(within, true));
          within += 8;
        }
      }
      place += 4 + length;
    }
    one.at += moved;
    held.push(one);
    at = past + comment;
  }
  return { held, start: offset + moved, ends: last === end && end + 22 === raw.length };
}

// Whether nothing lies beside the files, and each one's own header says what the directory says.
function framed(raw, held, start, ends) {
  const ours = bytes("PK\u0003\u0004");
  let at = 0;
  for (const { said, size, at: told, comment } of held) {
    const named = at + 30 + said.length - 46;
    const own = raw.subarray(at, at + 30);
    if (own.length < 30) return false;
    const past = named + (own[28] | (own[29] << 8));
    const more = raw.subarray(named, past);
    const extra = new DataView(new ArrayBuffer(20));
    extra.setUint32(0, 0x01001000);
    extra.setBigUint64(4, BigInt(size), true);
    extra.setBigUint64(12, BigInt(size), true);
    const sizes = own.subarray(18, 26);
    const short = same(sizes, said.subarray(20, 28)) && !more.length;
    const long = sizes.every((one) => one === 255) && same(more, new Uint8Array(extra.buffer));
    if (
      told !== at || comment || !same(own.subarray(0, 4), ours) ||
      !same(own.subarray(4, 18), said.subarray(6, 20)) ||
      !same(own.subarray(26, 28), said.subarray(28, 30)) ||
      !same(raw.subarray(at + 30, named), said.subarray(46)) || !(short || long)
    ) {
      return false;
    }
    at = past + size;
  }
  return at === start && ends;
}

function positions(said) {
  if (!said.every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw new Error("a position that is none");
  }
  return new Set(said);
}

// The bytes of a file as they lie in a zip.
function lying(raw, one) {
  if (!one.packed) return new Uint8Array(0);
  if (one.at < 0 || one.at + 30 > raw.length) throw new Error("a file ends early");
  const view = new DataView(raw.buffer, raw.byteOffset + one.at, 30);
  const start = one.at + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (view.getUint32(0) !== 0x504b0304 || start + one.packed > raw.length) {
    throw new Error("a file ends early");
  }
  return raw.subarray(start, start + one.packed);
}

class Bundle {
  constructor(raw) {
    this.raw = raw;
    const { held, start, ends } = directory(raw);
    this.framed = framed(raw, held, start, ends);
    if (held.some((one) => one.method !== 0 || one.packed !== one.size)) {
      throw new Error("a file is compressed");
    }
    this.held = new Map(held.map((one) => [one.name, one]));
    this.names = held.map((one) => one.name);
    this.manifest = this.json("manifest.json");
    if (this.manifest.format !== FORMAT) throw new Error("another format");
    this.withheld = positions(has(this.manifest, "withheld") ? this.manifest.withheld : []);
  }

  // The first position from this one on whose entry is not withheld.
  pastWithheld(position) {
    let at = position;
    while (this.withheld.has(at)) at = after(at);
    return at;
  }

  read(name) {
    const one = this.held.get(name);
    if (!one) throw new Error("no such file");
    return lying(this.raw, one);
  }

  text(name) {
    return text(this.read(name));
  }

  json(name) {
    return loaded(this.text(name));
  }

  digest(name) {
    return hex(digest(this.read(name)));
  }

  *entries(name) {
    const raw = this.read(name || "entries.bin");
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    let at = 0;
    while (at + 4 <= raw.length) {
      const end = at + 4 + view.getUint32(at);
      if (end > raw.length) break;
      yield entryOf(raw.subarray(at + 4, end));
      at = end;
    }
    if (at < raw.length) throw new Error("the entries end early");
  }
}
