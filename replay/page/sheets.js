// Files of reports read by hand: what replay/sheets.py reads in Python.
//
// Invariant: as there; a workbook's parts are unpacked by the browser, where it can.
"use strict";

const MOST_UNPACKED = 1 << 28;
const TITLES = [
  /^(.+?)\(截至([0-9-]{10})\) 登记位置 ([0-9]+)\(([^)]*)\) 账本末位 ([0-9]+) 查阅日志 ([0-9]+)(?: 范围 (.+))?$/,
  /^(.+?) \(as of ([0-9-]{10})\), recorded position ([0-9]+) \(([^)]*)\), head ([0-9]+), read ([0-9]+)(?:, scope (.+))?$/,
];

const TITLED = ["report", "effective", "recorded", "at", "head", "read", "asked"];
const NOTES = {
  report: ["报表", "report"], effective: ["生效时点", "effective"],
  recorded: ["认知位置", "recorded position"], at: ["该位置登记时间", "recorded at"],
  head: ["导出时账本末位", "head when exported"],
  read: ["查阅日志位置", "position in the log of reads"], asked: ["范围", "scope"],
  rows: ["行数", "rows"], until: ["未完,续自登记", "not all: goes on after entry"],
};
const NOTED = [
  ["折叠版本", "fold"], ["含保密列", "private columns"], ["空白单元格", "a blank cell"],
];
const OVER = [
  "drawing", "legacyDrawing", "picture", "mergeCells", "conditionalFormatting", "oleObjects", "controls",
];
const PLAIN = ["0", "1", "2", "3", "4", "49"]; // formats by which a cell shows what it holds
const OF_LINES = ["report", "as_of", "head", "read", "asked", "private", "count", "next"];

// The browser is older than what unpacks: before Chromium 80.
class CannotUnpack extends Error {}

async function paperOf(raw) {
  if (raw.length > 3 && new DataView(raw.buffer, raw.byteOffset).getUint32(0) === 0x504b0304) {
    return workbook(raw);
  }
  let said;
  try {
    said = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (other) {
    said = new TextDecoder("gb18030", { fatal: true }).decode(raw);
  }
  if (said.startsWith("{")) return ofLines(said.split("\n").filter((line) => line));
  const inert = /^'(?=[=+\-@\t\r])/;
  const plain = csvRows(said).map((row, n) => [n + 1, row.map((cell) => cell.replace(inert, ""))]);
  return ofSheet(plain, null, []);
}

function ofLines(written) {
  const said = loaded(written[0]);
  const rows = written.slice(1).map((line, n) => [n + 2, loaded(line)]);
  const headings = rows.length ? Object.keys(rows[0][1]) : [];
  const alike = ([, row]) => Object.keys(row).join("\n") === headings.join("\n");
  if (!rows.every(alike) || rows.length !== own(said, "count")) {
    throw new Error("the rows are not those of one report");
  }
  const others = Object.keys(said).filter((name) => !OF_LINES.includes(name)).sort(byPoint);
  const odd = others.map((name) => [`首行另有“${name}”`, `its first line has “${name}” too`])
    .concat(small(own(said, "head"), own(own(said, "as_of"), "recorded")));
  if (given(said, "next") !== given(own(said, "asked"), "until")) {
    odd.push(["首行的“next”与其范围不符", "its first line says “next” otherwise than its scope"]);
  }
  return {
    read: own(said, "read"), odd, report: own(said, "report"), language: null, stated: own(said, "as_of"),
    asked: own(said, "asked"), headings,
    rows: rows.map(([n, row]) => [n, headings.map((name) => row[name])]),
  };
}

function small(head, recorded) {
  if (head >= recorded) return [];
  return [["所称账本末位小于登记位置", "the head that it names is below its recorded position"]];
}

function ofSheet(rows, notes, odd) {
  const [[first, [title, ...beside]], [, given_], ...below] = rows;
  const headings = given_.slice();
  for (let language = 0; language < 2; language++) {
    const found = TITLES[language].exec(title.trim());
    if (!found) continue;
    const said = {};
    TITLED.forEach((name, n) => { said[name] = found[n + 1]; });
    const [asked, scope] = [{}, (said.asked || "").split(/\s+/).filter((one) => one)];
    for (const pair of scope.filter((one) => one.includes("="))) {
      const [name, value] = partition(pair, "=");
      asked[name] = ["false", "true"].includes(value) ? value === "true" : decodeURIComponent(value);
    }
    const all = scope.length === 1 && scope[0] === ["全部", "all"][language];
    if (scope.includes(["全部", "all"][language])) asked.below = true;
    if (!all && scope.some((one) => !one.includes("="))) {
      odd.push(["标题另有文字", "there are other words in its title"]);
    }
    while (headings.length && !headings[headings.length - 1]) headings.pop();
    const blank = headings.map((_, m) => m).filter((m) => !headings[m]);
    odd.push.apply(odd, outside([[first, [""].concat(beside)]], 0, []));
    odd.push.apply(odd, outside(below, headings.length, blank));
    const wide = below.map(([n, row]) => [n, headings.map((_, at) => row[at] || "")]);
    const filled = wide.filter(([, row]) => row.some((c) => c));
    odd.push.apply(odd, small(integer(said.head), integer(said.recorded)));
    said.rows = String(filled.length);
    said.until = given(asked, "until");
    if (notes !== null) odd.push.apply(odd, noted(notes, said, language));
    return {
      report: said.report, language, asked, headings, rows: filled, read: integer(said.read), odd,
      stated: { effective: said.effective, recorded: integer(said.recorded), recorded_at: said.at },
    };
  }
  throw new Error("no title of a report");
}

// Cells with text that stand under no heading.
function outside(rows, width, blank) {
  const found = [];
  for (const [n, row] of rows) {
    row.forEach((cell, m) => {
      if (!cell || (m < width && !blank.includes(m))) return;
      const where = cellName(m, n);
      found.push([`单元格 ${where} 不在任何列名之下`, `its cell ${where} is under no heading`]);
    });
  }
  return found;
}

// What the notes say otherwise than the title and the table, or beside them.
function noted(notes, title, language) {
  const [said, free, found] = [new Map(), NOTED.map((words) => words[language]), []];
  for (const name of Object.keys(NOTES)) said.set(NOTES[name][language], title[name]);
  for (const [, row] of notes.slice(1)) {
    const [what, first, ...rest] = row.concat(["", ""]);
    if ((!free.includes(what) && said.get(what) !== first) || rest.some((cell) => cell)) {
      found.push([`说明页的“${what}”与标题或表不符`, `its notes say otherwise of “${what}”`]);
    }
  }
  return found;
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

// The first sheet of a workbook, and its notes.
async function workbook(raw) {
  const [lying_, odd] = [directory(raw).held, []];
  const held = new Map(lying_.map((one) => [one.name, one]));
  if (held.size < lying_.length) throw new Error("a part is there twice");
  const part = async (name) => (held.has(name) ? xml(await unpacked(raw, held.get(name))) : []);
  const texts = (await part("xl/sharedStrings.xml")).filter((one) => one.localName === "si").map(stringOf);
  const formats = formatsOf(await part("xl/styles.xml"));
  const sheets = Array.from((await part("xl/workbook.xml")).find((one) => one.localName === "sheets").children);
  const links = await part("xl/_rels/workbook.xml.rels");
  if (sheets.length > 2) odd.push(["另有工作表", "it has more sheets than the report and its notes"]);
  const tables = [];
  for (const sheet of sheets.slice(0, 2)) {
    const n = tables.length + 1;
    const attributes = Array.from(sheet.attributes);
    const id = attributes.find((one) => one.localName === "id" && one.name.includes(":")).value;
    const target = links.find((one) => one.getAttribute("Id") === id).getAttribute("Target");
    const table = await part(`xl/${target.replace(/^\//, "").replace(/^xl\//, "")}`);
    if (said_(sheet, "state", "visible") !== "visible" || conceals(table)) {
      odd.push([`第 ${n} 张表有隐藏的行、列或整表`, `of its sheet ${n} something is hidden`]);
    }
    if (table.some((one) => OVER.includes(one.localName))) {
      odd.push([
        `第 ${n} 张表另有图形、合并单元格或条件格式`,
        `its sheet ${n} has drawings, merged cells or conditions`,
      ]);
    }
    const data = table.find((one) => one.localName === "sheetData");
    tables.push(tableRows(data, texts, formats, n, odd));
  }
  return ofSheet(tables[0], tables.length > 1 ? tables[1] : null, odd);
}

function said_(one, name, otherwise) {
  return one.hasAttribute(name) ? one.getAttribute(name) : otherwise;
}

function conceals(table) {
  const inside = (name) => table.filter((one) => one.localName === name).slice(-1);
  const of = (name, size) => inside(name).some((all) => Array.from(all.children).some((one) => hidden(one, size)));
  const whole = inside("sheetFormatPr").some((one) => said_(one, "zeroHeight", "0") !== "0");
  return whole || of("cols", "width") || of("sheetData", "ht");
}

function hidden(one, size) {
  return !["0", "false"].includes(said_(one, "hidden", "0")) || Number(said_(one, size, "9")) < 1;
}

// Whether a cell of each style shows what it holds.
function formatsOf(styles) {
  const inside = (name) => {
    const found = styles.filter((one) => one.localName === name).slice(-1);
    return found.length ? Array.from(found[0].children) : [];
  };
  const own_ = new Map(inside("numFmts").map((one) => [one.getAttribute("numFmtId"), one.getAttribute("formatCode")]));
  const ids = inside("cellXfs").map((one) => said_(one, "numFmtId", "0"));
  return ids.map((id) => own_.get(id) === "#,##0.00" || (PLAIN.includes(id) && !own_.has(id)));
}

function tableRows(table, texts, formats, sheet, odd) {
  let last = 0;
  return Array.from(table.children, (row) => {
    const [n, cells] = [integer(said_(row, "r", String(last + 1))), []];
    for (const cell of row.children) {
      const at = columnOf(said_(cell, "r", ""), cells.length);
      if (at < cells.length || n <= last) throw new Error("a cell is there twice");
      while (cells.length < at) cells.push("");
      cells.push(cellText(cell, texts));
      const [where, style] = [cellName(at, n), integer(said_(cell, "s", "0"))];
      if (Array.from(cell.children).some((one) => one.localName === "f")) {
        odd.push([
          `第 ${sheet} 张表单元格 ${where} 是公式`,
          `the cell ${where} of its sheet ${sheet} is a formula`,
        ]);
      } else if (cells[at] && !formats.concat([true])[style]) {
        odd.push([
          `第 ${sheet} 张表单元格 ${where} 的格式显示他值`,
          `the format of the cell ${where} of its sheet ${sheet} hides it`,
        ]);
      }
    }
    last = n;
    return [n, cells];
  });
}

function cellName(column, row) {
  let [letters, rest] = ["", column + 1];
  while (rest) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
    rest = Math.floor((rest - 1) / 26);
  }
  return `${letters}${row}`;
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
