// Files of rosters, headcounts and units held against the entries: what replay/reports.py does.
//
// Invariant: as there, in the same words.
"use strict";

const ASKED = ["unit", "below", "grade", "post", "category", "by"];
const MOST_NAMED = 20;
const OF_PERSONS = {
  number: ["number", "number"], name: ["name", "name"], id_number: ["id-number", "id_number"],
  category: ["category", "category"], grade: ["grade", "grade"], ladder: ["grade", "ladder"],
  post: ["post", "post"], unit: ["unit", "unit"], host: ["host", "unit"], service: ["service", "state"],
};
const OF_UNITS = {
  name: ["unit-name", "name"], state: ["unit-state", "state"], parent: ["unit-parent", "parent"],
};
const PRIVATE = ["name", "id_number"];
const COMPARED = {
  roster: [rosterLines, ["person", "number"]],
  headcount: [headcountLines, ["key"]],
  units: [unitLines, ["unit"]],
};

class NoSuchUnit extends Error {}

function facetsOf(columns) {
  return Array.from(new Set(Object.keys(columns).map((name) => columns[name][0])));
}

function valuesOf(held, columns) {
  const line = {};
  for (const name of Object.keys(columns)) {
    const [facet, field] = columns[name];
    const value = has(held, facet) ? held[facet].value : null;
    line[name] = value === null ? null : given(value, field);
  }
  return line;
}

// What the entries give as of one pair: the units, and whoever asks for the rest.
function reportBasis(told, effective, recorded) {
  const units = new Map();
  for (const [unit, held] of told.units(effective, recorded, facetsOf(OF_UNITS))) {
    units.set(unit, Object.assign({ unit }, valuesOf(held, OF_UNITS)));
  }
  return { told, effective, recorded, units };
}

function unitName(basis, unit) {
  return basis.units.has(unit || "") ? basis.units.get(unit).name : null;
}

function rosterLines(basis, asked) {
  const [within, lines_] = [unitsWithin(basis, asked), []];
  const facets = facetsOf(OF_PERSONS);
  for (const [person, held] of basis.told.everybody(basis.effective, basis.recorded, facets)) {
    const line = Object.assign({ person }, valuesOf(held, OF_PERSONS));
    if (line.service !== "in") continue;
    line.hired_on = held.service.effective;
    line.since = line.unit ? held.unit.effective : null;
    line.unit_name = unitName(basis, line.unit);
    const here = within === null || within.has(line.unit) || within.has(line.host);
    const met = (name) => given(asked, name) === null || asked[name] === line[name];
    if (here && ["grade", "post", "category"].every(met)) lines_.push(line);
  }
  return lines_;
}

function headcountLines(basis, asked) {
  const [by, counts] = [own(asked, "by"), new Map()];
  for (const line of rosterLines(basis, asked)) counts.set(line[by], (counts.get(line[by]) || 0) + 1);
  return Array.from(counts, ([key, count]) => (
    { by, key, name: by === "unit" ? unitName(basis, key) : null, count }
  ));
}

function unitLines(basis) {
  return Array.from(basis.units.values()).filter((unit) => unit.state !== null);
}

function unitsWithin(basis, asked) {
  const unit = given(asked, "unit");
  if (unit === null) return null;
  if (!basis.units.has(unit) || basis.units.get(unit).state === null) throw new NoSuchUnit(unit);
  const [found, waiting] = [new Set([unit]), given(asked, "below") === false ? [] : [unit]];
  while (waiting.length) {
    const above = waiting.pop();
    for (const [below, said] of basis.units) {
      if (said.parent === above && !found.has(below)) {
        found.add(below);
        waiting.push(below);
      }
    }
  }
  return found;
}

async function compareFile(told, vocabulary, raw) {
  let paper;
  try {
    paper = await paperOf(raw);
  } catch (whatever) {
    if (whatever instanceof CannotUnpack) {
      told.find(
        KIND.UNPROVED, "本浏览器不能解压工作簿,请用 check.py,或改给 .csv、.jsonl 文件",
        "this browser cannot unpack a workbook: use check.py, or give a .csv or .jsonl file",
      );
      return;
    }
    told.find(
      KIND.UNREADABLE, "所给报表不能读取:不是账本导出的文件",
      "the report given cannot be read: it is no file that a ledger wrote",
    );
    return;
  }
  const reports = given(vocabulary, "reports") || {};
  const words = (name) => (paper.language === null ? name : own(reports[name], "words")[paper.language]);
  const name = Object.keys(COMPARED).find((one) => has(reports, one) && words(one) === paper.report);
  if (name === undefined) {
    told.find(
      KIND.UNPROVED, `报表“${paper.report}”不能由本包核对;能核对的为 ${Object.keys(COMPARED).join("、")}`,
      `this bundle cannot be used to compare a report “${paper.report}”; comparable are ` +
        Object.keys(COMPARED).join(", "),
    );
    return;
  }
  new Comparison(told, vocabulary, name, paper).make();
}

class Comparison {
  constructor(told, vocabulary, name, paper) {
    Object.assign(this, { told, paper, name, words: own(vocabulary, "codes"), withheld: 0, count: 0 });
    const report = own(vocabulary.reports, name);
    this.titles = own(report, "words");
    this.columns = new Map();
    for (const column of Object.keys(own(report, "columns"))) {
      const said = paper.language === null ? column : report.columns[column][paper.language];
      this.columns.set(said, column);
    }
  }

  make() {
    const { stated, headings } = this.paper;
    const [effective, recorded] = [own(stated, "effective"), own(stated, "recorded")];
    if (!this.told.reaches(recorded) || !this.at(stated)) return;
    this.show(stated);
    const [make, keys] = COMPARED[this.name];
    const there = headings.map((one) => (this.columns.has(one) ? this.columns.get(one) : null));
    const known = there.filter((one) => one !== null);
    const key = keys.find((one) => there.includes(one) || !this.paper.rows.length);
    if (key === undefined || new Set(known).size < known.length) {
      this.told.find(
        KIND.UNPROVED, `报表没有可据以逐行核对的列(${keys.join("、")})`,
        `the report lacks a column by which its rows are found (${keys.join(", ")})`,
      );
      return;
    }
    let made_;
    try {
      made_ = make(reportBasis(this.told, effective, recorded), this.paper.asked);
    } catch (none) {
      if (!(none instanceof NoSuchUnit)) throw none;
      const unit = none.message;
      this.wrong(
        `所称单位 ${unit} 当日无登记`,
        `it is of a unit ${unit}, of which nothing is recorded that day`,
      );
      return;
    }
    this.rows(made_, key, there);
    if (this.count === 0) {
      this.agrees(effective, recorded, headings.filter((one) => !this.columns.has(one)));
    }
  }

  // What the file shows beside its rows, or says of itself that no report says.
  show(stated) {
    for (const [zh, en] of this.paper.odd) this.wrong(zh, en);
    const others = (held, known) => Object.keys(held).filter((name) => !known.includes(name)).sort(byPoint);
    for (const name of others(this.paper.asked, ASKED).concat(others(stated, STATED))) {
      this.wrong(`不应有“${name}”`, `no report says “${name}” of itself`);
    }
  }

  at(stated) {
    if ((has(stated, "fold") ? stated.fold : FOLD) !== FOLD) {
      this.told.find(
        KIND.UNPROVED, "所给报表由另一版本的折算规则得出",
        "the report given was made under another version of the fold",
      );
      return false;
    }
    const [lies, said] = [this.told.times.get(stated.recorded), own(stated, "recorded_at")];
    if (lies === undefined) return true;
    const there = () => new Date(Math.floor((lies + AHEAD) / 1000)).toISOString();
    const right = this.paper.language === null
      ? instant(said) === lies : said === there().slice(0, 19).replace("T", " ");
    if (!right) {
      this.wrong(
        `第 ${stated.recorded} 条登记并非登记于所称的 ${said}`,
        `entry ${stated.recorded} was not recorded at ${said}`,
      );
    }
    return right;
  }

  rows(made_, key, there) {
    const plain = this.paper.language === null;
    const cells = new Map();
    for (const one of there) {
      if (one !== null) cells.set(one, plain ? new Map() : this.shown(one, made_));
    }
    const waiting = new Map();
    for (const line of made_) {
      const code = keyText(line[key]);
      if (!waiting.has(code)) waiting.set(code, []);
      waiting.get(code).push(line);
    }
    const codes = new Map(Array.from(this.shown(key, made_), ([code, said]) => [said, code]));
    for (const [at, row] of this.paper.rows) {
      const said = row[there.indexOf(key)];
      const code = !plain && codes.has(said) ? codes.get(said) : said;
      const found = waiting.get(keyText(code || null)) || [];
      if (!found.length) {
        this.wrong(
          `第 ${at} 行(${keyText(said)})按登记不应在表中`,
          `its row ${at} (${keyText(said)}) is not in what the entries give`,
        );
        continue;
      }
      const line = found.shift();
      this.paper.headings.forEach((heading, n) => {
        const column = there[n];
        if (column === null) return;
        this.cell(at, said, heading, column, row[n], given(line, column), cells.get(column));
      });
    }
    for (const [code, left] of waiting) {
      left.forEach(() => this.wrong(`缺 ${code} 一行`, `it lacks the row of ${code}`));
    }
  }

  cell(at, key, heading, column, said, value, cells) {
    if (isObject(value)) {
      this.withheld += 1;
      return;
    }
    let [same_, right] = [said === value, value];
    if (this.paper.language !== null) {
      right = value === null ? "" : cells.has(value) ? cells.get(value) : String(value);
      same_ = value === null ? said === "" : said === right || said === String(value);
    }
    if (same_) return;
    let zh = `表中为“${textOf(said)}”,按登记为“${textOf(right)}”`;
    let en = `it says “${textOf(said)}”, the entries give “${textOf(right)}”`;
    if (PRIVATE.includes(column)) [zh, en] = ["与登记不符", "it is not what the entries give"];
    this.wrong(
      `第 ${at} 行(${keyText(key)})“${heading}”列:${zh}`,
      `row ${at} (${keyText(key)}), column “${heading}”: ${en}`,
    );
  }

  // Code → what stands for it in a sheet; a word that two codes share stands for neither.
  shown(column, made_) {
    const language = this.paper.language || 0;
    const of = Object.assign({}, given(this.words, ""), given(this.words, column));
    const [said, times] = [new Map(), new Map()];
    for (const line of made_) {
      const code = given(line, column);
      if (typeof code !== "string" || said.has(code)) continue;
      const word = has(of, code) ? of[code][language] : code;
      said.set(code, word);
      times.set(word, (times.get(word) || 0) + 1);
    }
    return new Map(Array.from(said, ([code, word]) => [code, times.get(word) === 1 ? word : code]));
  }

  wrong(zh, en) {
    this.count += 1;
    if (this.count <= MOST_NAMED) {
      this.told.find(KIND.REPORT, `所给报表与登记重放所得不符:${zh}`, `the report given: ${en}`);
    } else if (this.count === MOST_NAMED + 1) {
      this.told.find(
        KIND.REPORT, `所给报表另有不符之处,只列出前 ${MOST_NAMED} 处`,
        `the report given: there are more differences; the first ${MOST_NAMED} are named`,
      );
    }
  }

  agrees(effective, recorded, unknown) {
    const rows = this.paper.rows.length;
    let zh = `所给报表“${this.titles[0]}”(${rows} 行,生效 ${effective},位置 ${recorded})与登记重放所得一致`;
    let en = `the report given, “${this.titles[1]}” (${rows} rows, effective ${effective}, ` +
      `position ${recorded}), is what the entries give`;
    if (this.withheld) {
      zh += `,未披露的 ${this.withheld} 项未能比对`;
      en += `, but for ${this.withheld} not disclosed`;
    }
    zh += `,所称查阅日志 ${this.paper.read} 未比对`;
    en += `; that it is read ${this.paper.read} is not compared`;
    if (unknown.length) {
      zh += `,未比对的列:${unknown.join("、")}`;
      en += `; columns not compared: ${unknown.join(", ")}`;
    }
    this.told.say(zh, en);
  }
}

function keyText(key) {
  return key === "" ? "—" : textOf(key);
}

function textOf(value) {
  if (value === null) return "—";
  return typeof value === "string" ? value : JSON.stringify(value);
}
