// Files of reports read by hand: what replay/sheets.py reads in Python.
//
// Invariant: as there; a workbook's parts are unpacked by the browser, where it can.
"use strict";

const MOST_UNPACKED = 1 << 28;
const TITLES = [
  /^(.+?)\(截至([0-9-]{10})\) 登记位置 ([0-9]+)\(([^)]*)\) 账本末位 [0-9]+ 查阅日志 [0-9]+(?: 范围 (.+))?$/,
  /^(.+?) \(as of ([0-9-]{10})\), recorded position ([0-9]+) \(([^)]*)\), head [0-9]+, read [0-9]+(?:, scope (.+))?$/,
];

// The browser is older than what unpacks: before Chromium 80.
class CannotUnpack extends Error {}

async function paperOf(raw) {
  if (raw.length > 3 && new DataView(raw.buffer, raw.byteOffset).getUint32(0) === 0x504b0304) {
    return ofSheet(await workbook(raw));
  }
  let said;
  try {
    said = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (other) {
    said = new TextDecoder("gb18030", { fatal: true }).decode(raw);
  }
  if (said.startsWith("{")) return ofLines(said.split("\n").filter((line) => line));
  const inert = /^'(?=[=+\-@\t\r])/;
  return ofSheet(csvRows(said).map((row, n) => [n + 1, row.map((cell) => cell.replace(inert, ""))]));
}

function ofLines(written) {
  const said = loaded(written[0]);
  const rows = written.slice(1).map((line, n) => [n + 2, loaded(line)]);
  const headings = rows.length ? Object.keys(rows[0][1]) : [];
  const alike = ([, row]) => Object.keys(row).join("\n") === headings.join("\n");
  if (!rows.every(alike) || rows.length !== own(said, "count")) {
    throw new Error("the rows are not those of one report");
  }
  return {
    report: own(said, "report"), language: null, stated: own(said, "as_of"),
    asked: own(said, "asked"), headings,
    rows: rows.map(([n, row]) => [n, headings.map((name) => row[name])]),
  };
}

function ofSheet(rows) {
  const [[, [title]], [, given_], ...below] = rows;
  const headings = given_.slice();
  for (let language = 0; language < 2; language++) {
    const found = TITLES[language].exec(title.trim());
    if (!found) continue;
    const asked = {};
    for (const pair of (found[5] || "").split(/\s+/).filter((one) => one.includes("="))) {
      const [name, value] = partition(pair, "=");
      asked[name] = value === "false" ? false : decodeURIComponent(value);
    }
    while (headings.length && !headings[headings.length - 1]) headings.pop();
    const wide = below.map(([n, row]) => [n, headings.map((_, at) => row[at] || "")]);
    return {
      report: found[1], language, asked, headings, rows: wide.filter(([, row]) => row.some((c) => c)),
      stated: { effective: found[2], recorded: integer(found[3]), recorded_at: found[4] },
    };
  }
  throw new Error("no title of a report");
}

// Records as Python's csv reads them.
function csvRows(said) {
  const rows = [];
  let [row, cell, at] = [[], "", 0];
  let [quoted, begun] = [false, false];
  const ended = () => {
    if (row.length || begun || cell) row.push(cell);
    rows.push(row);
    [row, cell, begun] = [[], "", false];
  };
  while (at < said.length) {
    const one = said[at++];
    if (quoted) {
      if (one !== "\"") cell += one;
      else if (said[at] === "\"") [cell, at] = [cell + one, at + 1];
      else quoted = false;
    } else if (one === "\"" && !cell && !begun) {
      [quoted, begun] = [true, true];
    } else if (one === ",") {
      row.push(cell);
      [cell, begun] = ["", false];
      if (at === said.length || said[at] === "\r" || said[at] === "\n") begun = true;
    } else if (one === "\r" || one === "\n") {
      if (one === "\r" && said[at] === "\n") at++;
      ended();
    } else {
      cell += one;
    }
  }
  if (row.length || cell || begun) ended();
  return rows;
}

async function workbook(raw) {
  const held = new Map(directory(raw).map((one) => [one.name, one]));
  const part = async (name) => (held.has(name) ? xml(await unpacked(raw, held.get(name))) : []);
  const texts = (await part("xl/sharedStrings.xml")).filter((one) => one.localName === "si").map(stringOf);
  const sheets = (await part("xl/workbook.xml")).find((one) => one.localName === "sheets");
  const first = sheets.firstElementChild.attributes;
  const named_ = Array.from(first).find((one) => one.localName === "id" && one.name.includes(":")).value;
  const links = await part("xl/_rels/workbook.xml.rels");
  const target = links.find((one) => one.getAttribute("Id") === named_).getAttribute("Target");
  const where = target.replace(/^\//, "").replace(/^xl\//, "");
  const table = (await part(`xl/${where}`)).find((one) => one.localName === "sheetData");
  return Array.from(table.children, (row, n) => {
    const cells = [];
    for (const cell of row.children) {
      const at = columnOf(cell.getAttribute("r") || "", cells.length);
      while (cells.length < at) cells.push("");
      cells.push(cellText(cell, texts));
    }
    return [row.hasAttribute("r") ? integer(row.getAttribute("r")) : n + 1, cells];
  });
}

// The elements within the root of a part.
function xml(raw) {
  const said = text(raw);
  const read = new DOMParser().parseFromString(said, "application/xml");
  if (said.includes("<!DOCTYPE") || read.getElementsByTagName("parsererror").length) {
    throw new Error("no workbook that is read here");
  }
  return Array.from(read.documentElement.children);
}

// The browser unpacks gzip: a file of a zip is that between another head and end.
async function unpacked(raw, one) {
  const packed = lying(raw, one);
  if (one.size > MOST_UNPACKED) throw new Error("no workbook that is read here");
  if (one.method === 0) return packed;
  if (one.method !== 8) throw new Error("no workbook that is read here");
  if (typeof DecompressionStream === "undefined") throw new CannotUnpack();
  const head = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  const end = new DataView(new ArrayBuffer(8));
  end.setUint32(0, one.crc, true);
  end.setUint32(4, one.size, true);
  const stream = new Blob([head, packed, end.buffer]).stream();
  const through = stream.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(through).arrayBuffer());
}

function stringOf(one) {
  const runs = [one].concat(Array.from(one.children).filter((run) => run.localName === "r"));
  const parts = runs.map((run) => Array.from(run.children).filter((t) => t.localName === "t"));
  return [].concat.apply([], parts).map((t) => t.textContent).join("");
}

function cellText(cell, texts) {
  const inside = (name) => Array.from(cell.children).find((one) => one.localName === name);
  if (inside("is")) return stringOf(inside("is"));
  const value = inside("v") ? inside("v").textContent : "";
  if (cell.getAttribute("t") !== "s") return value;
  const shared = texts[integer(value)];
  if (shared === undefined) throw new Error("no such text");
  return shared;
}

function columnOf(reference, otherwise) {
  const found = /^[A-Z]+/.exec(reference);
  if (!found) return otherwise;
  let column = 0;
  for (const letter of found[0]) column = column * 26 + letter.charCodeAt(0) - 64;
  if (column > 1 << 14) throw new Error("no column");
  return column - 1;
}
