// Files of reports held against what the entries give: what replay/reports.py does.
//
// Invariant: as there, in the same words.
"use strict";

const MOST_NAMED = 20;
const PRIVATE = ["name", "id_number", "auxiliary"];

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
    Object.assign(this, { told, paper, report: COMPARED[name], withheld: 0, count: 0 });
    const report = own(vocabulary.reports, name);
    this.titles = own(report, "words");
    this.codes = given(report, "codes") || {};
    this.speech = paper.language === null ? null : new Speech(vocabulary, paper.language);
    this.columns = new Map();
    for (const column of Object.keys(own(report, "columns"))) {
      const said = paper.language === null ? column : report.columns[column][paper.language];
      this.columns.set(said, column);
    }
    this.there = paper.headings.map((one) => (this.columns.has(one) ? this.columns.get(one) : null));
    this.shown = new Map();
  }

  make() {
    const [{ stated, asked }, there, { keys }] = [this.paper, this.there, this.report];
    const [effective, recorded] = [own(stated, "effective"), own(stated, "recorded")];
    if (!this.saysOfWhat() || !this.reaches(recorded) || !this.at(stated)) return;
    this.show(stated);
    const known = there.filter((one) => one !== null);
    const key = keys.find((one) => one.every((each) => there.includes(each)) || !this.paper.rows.length);
    if (key === undefined || new Set(known).size < known.length) {
      const columns = keys.map((one) => one.join(" "));
      this.told.find(
        KIND.UNPROVED, `报表没有可据以逐行核对的列(${columns.join("、")})`,
        `the report lacks a column by which its rows are found (${columns.join(", ")})`,
      );
      return;
    }
    let made_;
    try {
      const basis = new Basis(this.told, effective, recorded);
      made_ = Array.from(this.report.lines(basis, asked));
    } catch (none) {
      if (!(none instanceof NoSuchUnit)) throw none;
      const unit = none.message;
      this.wrong(
        `所称单位 ${unit} 当日无登记`,
        `it is of a unit ${unit}, of which nothing is recorded that day`,
      );
      return;
    }
    this.rows(made_, key);
    if (this.count === 0) this.agrees(effective, recorded);
  }

  saysOfWhat() {
    const { of, maybe } = this.report;
    let lacking = of.filter((name) => !has(this.paper.asked, name));
    if (!Object.keys(this.paper.asked).length && !lacking.length) lacking = maybe;
    if (lacking.length) {
      this.told.find(
        KIND.UNPROVED, `所给报表未写明范围(${lacking.join("、")}),不能核对`,
        `the report given does not say of what it is (${lacking.join(", ")})`,
      );
    }
    return !lacking.length;
  }

  reaches(recorded) {
    if (this.report.alone) return this.told.tellsOf(own(this.paper.asked, "person"), recorded);
    const before = given(this.paper.asked, "before_recorded");
    return this.told.reaches(before === null ? recorded : Math.max(recorded, integer(before)));
  }

  // What the file shows beside its rows, or says of itself that no report says.
  show(stated) {
    for (const [zh, en] of this.paper.odd) this.wrong(zh, en);
    const others = (held, known) => Object.keys(held).filter((name) => !known.includes(name)).sort(byPoint);
    const { of, maybe } = this.report;
    for (const name of others(this.paper.asked, of.concat(maybe)).concat(others(stated, STATED))) {
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

  // Each row beside the line that it is, else beside the one of its key most like it.
  rows(made_, key) {
    const wanted = key.concat(this.there.filter((one) => one !== null));
    for (const one of this.speech ? wanted : []) {
      this.shown.set(one, this.speech.cells(one, made_, given(this.codes, one) || one));
    }
    const codes_ = new Map(key.map((one) => (
      [one, new Map(Array.from(this.shown.get(one) || [], ([code, said]) => [said, code]))]
    )));
    const [waiting, rest] = [new Map(), []];
    for (const line of made_) {
      const code = keysText(key.map((one) => given(line, one)));
      if (!waiting.has(code)) waiting.set(code, []);
      waiting.get(code).push(line);
    }
    for (const [at, row] of this.paper.rows) {
      const said = key.map((one) => row[this.there.indexOf(one)]);
      const codes = said.map((one, n) => {
        const known = codes_.get(key[n]);
        return one === "" ? null : known.has(one) ? known.get(one) : one;
      });
      const found = waiting.get(keysText(codes)) || [];
      const same_ = found.findIndex((line) => !this.unlike(row, line)[0].length);
      if (same_ < 0) rest.push([at, row, said, codes]);
      else this.withheld += this.unlike(row, found.splice(same_, 1)[0])[1];
    }
    const extra = [];
    for (const [at, row, said, codes] of rest) {
      const found = waiting.get(keysText(codes)) || [];
      if (!found.length) {
        const facet = key.includes("facet") ? codes[key.indexOf("facet")] : null;
        extra.push({ at, key: keysText(said), facet, row });
        continue;
      }
      const apart = found.map((line) => this.unlike(row, line)[0]);
      const least = Math.min.apply(null, apart.map((one) => one.length));
      const best = apart.findIndex((one) => one.length === least);
      found.splice(best, 1);
      for (const one of apart[best]) this.differs(at, keysText(said), one);
    }
    const lacking = [];
    for (const [code, left] of waiting) left.forEach((line) => lacking.push([code, line]));
    this.apart(extra, lacking);
  }

  // Rows of which there is no line, and lines of which there is no row.
  apart(extra, lacking) {
    const cased = extra.filter(({ row }) => this.keptFrom(row) !== null).map(({ facet }) => facet)
      .concat(lacking.filter(([, line]) => ofCase(line)).map(([, line]) => given(line, "facet")));
    const told = (facet) => facet !== null && cased.includes(facet);
    const pairs = this.pairs(extra, lacking);
    const paired = Array.from(pairs.values());
    extra.forEach(({ at, key, facet, row }, n) => {
      if (pairs.has(n)) this.differs(at, key, this.unlike(row, lacking[pairs.get(n)][1])[0][0]);
      else this.extra(at, key, row, told(facet));
    });
    lacking.forEach(([key, line], n) => {
      if (!paired.includes(n)) this.lacks(key, line, told(given(line, "facet")));
    });
  }

  // Where it is plain which line a row is: it differs in one cell, and from no other so.
  pairs(extra, lacking) {
    if (Math.max(extra.length, lacking.length) > MOST_NAMED) return new Map();
    const [near, times, found] = [new Map(), new Map(), new Map()];
    extra.forEach(({ row }, n) => {
      if (this.keptFrom(row) !== null) return;
      const open = lacking.map((_, m) => m).filter((m) => (
        !ofCase(lacking[m][1]) && this.unlike(row, lacking[m][1])[0].length === 1
      ));
      near.set(n, open);
      open.forEach((m) => times.set(m, (times.get(m) || 0) + 1));
    });
    for (const [n, one] of near) if (one.length === 1 && times.get(one[0]) === 1) found.set(n, one[0]);
    return found;
  }

  // The cells of a row that do not say what a line gives; how many cannot be told.
  unlike(row, line) {
    const found = [];
    let hidden_ = 0;
    this.paper.headings.forEach((heading, n) => {
      const [column, said] = [this.there[n], row[n]];
      if (column === null) return;
      const value = given(line, column);
      let [withheld, same_] = [secrets(value).filter((one) => !one.known), false];
      if (this.speech === null) {
        withheld = [];
        same_ = fits(said, value, withheld);
      } else {
        same_ = withheld.length > 0 || this.speech.texts(value, this.shown.get(column)).includes(said);
        if (same_ && secrets(value).length && this.speech.texts(veiled(value), new Map()).includes(said)) {
          withheld = secrets(value);
        }
      }
      if (withheld.length) hidden_ += 1;
      if (!same_) found.push([heading, column, said, value]);
    });
    return [found, hidden_];
  }

  differs(at, key, [heading, column, said, value]) {
    let [zh, en] = ["与登记不符", "it is not what the entries give"];
    if (!PRIVATE.includes(column) && !secrets(value).length && !(column === "value" && value === null)) {
      let right = [value, value];
      if (value instanceof Both) right = value.words;
      else if (this.speech) right = Array(2).fill(this.speech.texts(value, this.shown.get(column))[0]);
      zh = `表中为“${textOf(said)}”,按登记为“${textOf(right[0])}”`;
      en = `it says “${textOf(said)}”, the entries give “${textOf(right[1])}”`;
    }
    this.wrong(`第 ${at} 行(${key})“${heading}”列:${zh}`, `row ${at} (${key}), column “${heading}”: ${en}`);
  }

  // The entry that a row is of, where the bundle withholds that.
  keptFrom(row) {
    const column = this.there.findIndex((one) => ["position", "entry", "entries"].includes(one));
    const said = column < 0 ? [] : several(String(row[column]));
    const kept = said.find((one) => /^[0-9]+$/.test(one) && this.told.bundle.withheld.has(Number(one)));
    return kept === undefined ? null : kept;
  }

  // A row that the entries do not give, as far as they are here.
  extra(at, key, row, cased) {
    const position = this.keptFrom(row);
    if (position !== null) {
      this.told.find(
        KIND.UNPROVED, `所给报表第 ${at} 行的登记 ${position} 属未公开案件,本包不能核对`,
        `row ${at} of the report given is of entry ${position}, which this bundle withholds`,
      );
    } else if (cased) {
      this.told.find(
        KIND.UNPROVED, `所给报表第 ${at} 行(${key})与案件登记同一事项,本包不能核对`,
        `row ${at} (${key}) of the report given is of a facet of which an entry of a case tells: ` +
          "this bundle cannot compare it",
      );
    } else {
      this.wrong(
        `第 ${at} 行(${key})按登记不应在表中`,
        `its row ${at} (${key}) is not in what the entries give`,
      );
    }
  }

  // A line that is in no row; one of a case may have been kept from whoever took it out.
  lacks(key, line, cased) {
    if (ofCase(line)) {
      this.told.find(
        KIND.UNPROVED, `所给报表缺案件登记 ${key} 一行;取表者可否见之,本包不能证明`,
        `the report given lacks the row of ${key}, an entry of a case: whether whoever took it ` +
          "out could see that, this bundle cannot prove",
      );
    } else if (cased) {
      this.told.find(
        KIND.UNPROVED, `所给报表缺 ${key} 一行,与案件登记同一事项,本包不能核对`,
        `the report given lacks the row of ${key}, a facet of which an entry of a case tells: ` +
          "this bundle cannot compare it",
      );
    } else {
      this.wrong(`缺 ${key} 一行`, `it lacks the row of ${key}`);
    }
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

  agrees(effective, recorded) {
    const rows = this.paper.rows.length;
    const unknown = this.paper.headings.filter((one) => !this.columns.has(one));
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

function ofCase(line) {
  return several(given(line, "subjects")).some((tag) => tag.startsWith("case:"));
}

function keysText(keys) {
  return keys.map((key) => (key === "" ? "—" : textOf(key))).join(" ");
}

function textOf(value) {
  if (value === null) return "—";
  return typeof value === "string" ? value : JSON.stringify(value);
}
