// What may stand in a cell where the entries give a value: what replay/cells.py says of it.
//
// Invariant: as there.
"use strict";

const CLOSED = ["erased", "restricted", "withheld"];
const CONTROLS = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/g;

// The words of one language: 0 Chinese, 1 English.
class Speech {
  constructor(vocabulary, language) {
    Object.assign(this, { codes: own(vocabulary, "codes"), language });
    this.names = given(vocabulary, "names") || {};
    this.said = given(vocabulary, "said") || {};
  }

  // Code → what stands for it; a word that two codes share stands for neither. `field`: the one
  // whose codes the column holds.
  cells(column, made, field) {
    const [said, times] = [new Map(), new Map()];
    for (const line of made) {
      const code = bare(given(line, column));
      if (typeof code !== "string" || said.has(code)) continue;
      const word = this.coded(field, code);
      said.set(code, word);
      times.set(word, (times.get(word) || 0) + 1);
    }
    return new Map(Array.from(said, ([code, word]) => [code, times.get(word) === 1 ? word : code]));
  }

  // What may stand for a value whose private parts are known, the likeliest first.
  texts(value, cells) {
    if (value instanceof Secret) return this.texts(value.value, cells).concat([this.word("withheld")]);
    if (value === null) return [""];
    if (value instanceof Both) return [value.words[this.language]];
    if (typeof value === "string") return [cells.has(value) ? cells.get(value) : value, value];
    return [this.worded(value), this.worded(veiled(value))];
  }

  word(name) {
    return own(this.said, name)[this.language];
  }

  worded(value) {
    if (value === null) return this.word("none");
    if (typeof value === "boolean") return this.word(value ? "yes" : "no");
    if (value instanceof Secret) return this.worded(value.value);
    if (isObject(value) && keysAre(value, ["withheld"]) && value.withheld === true) return this.word("withheld");
    if (isObject(value)) {
      const held = Object.keys(value).filter((name) => value[name] !== null);
      const named = (name) => (has(this.names, name) ? this.names[name][this.language] : name);
      return held.map((name) => `${named(name)}=${this.coded(name, value[name])}`).join(" ");
    }
    if (Array.isArray(value)) return this.joined(value.map((one) => this.worded(one))) || "—";
    return this.coded("", String(value));
  }

  coded(field, one) {
    const value = bare(one);
    if (Array.isArray(value) && value.length) return this.joined(value.map((each) => this.coded(field, each)));
    if (typeof value !== "string") return this.worded(value);
    for (const codes of [given(this.codes, field), given(this.codes, "")]) {
      if (codes !== null && has(codes, value)) return codes[value][this.language];
    }
    return value.replace(CONTROLS, "\ufffd");
  }

  joined(words) {
    return words.join(["、", ", "][this.language]);
  }
}

function bare(value) {
  return value instanceof Secret ? value.value : value;
}

// A value with its private parts withheld.
function veiled(value) {
  if (value instanceof Secret) return { withheld: true };
  if (Array.isArray(value)) return value.map(veiled);
  if (!isObject(value) || value instanceof Both) return value;
  const found = {};
  for (const name of Object.keys(value)) found[name] = veiled(value[name]);
  return found;
}

// The private parts of a value.
function secrets(value) {
  if (value instanceof Secret) return [value];
  if (value instanceof Both || value === null || typeof value !== "object") return [];
  return [].concat.apply([], Object.keys(value).map((name) => secrets(value[name])));
}

// Whether JSON says a value; what is withheld there, or not known here, is only noted.
function fits(said, value, withheld) {
  if (value instanceof Both) return typeof said === "string" && value.words.includes(said);
  if (value instanceof Secret) {
    const closed = CLOSED.some((name) => isObject(said) && keysAre(said, [name]) && said[name] === true);
    if (!closed && value.known) return fits(said, value.value, withheld);
    withheld.push(value);
    return closed || !isObject(said);
  }
  if (isObject(value) && isObject(said) && keysAre(said, Object.keys(value))) {
    return Object.keys(value).every((name) => fits(said[name], value[name], withheld));
  }
  if (Array.isArray(value) && Array.isArray(said) && value.length === said.length) {
    return value.every((one, n) => fits(said[n], one, withheld));
  }
  return said === value;
}
