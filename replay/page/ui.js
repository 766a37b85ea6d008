// The page: takes the bundle and what is asked, shows the verdict.
//
// Invariant: whatever the bundle holds is shown as text and never as markup.
"use strict";

const at = (id) => document.getElementById(id);
let bundle = null;

function made(kind, said, name) {
  const one = document.createElement(kind);
  one.textContent = said;
  if (name) one.className = name;
  return one;
}

function contents(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(new Uint8Array(reader.result));
    reader.onerror = () => failed(reader.error);
    reader.readAsArrayBuffer(file);
  });
}

function chosen(id) {
  return Promise.all(Array.from(at(id).files, contents));
}

function written(id) {
  return at(id).value.trim();
}

async function asked() {
  const [kept, receipts, stamps, report] =
    await Promise.all(["kept", "receipts", "stamps", "report"].map(chosen));
  return {
    key: written("key") || null,
    witnessKeys: written("witness").split(/\s+/).filter((one) => one),
    kept,
    receipts,
    stamps: stamps[0] || null,
    report: report[0] || null,
    replay: written("replay") || null,
    effective: written("effective") || null,
    recorded: written("recorded") ? integer(written("recorded")) : null,
  };
}

function take(file) {
  bundle = file;
  at("name").textContent = file ? `${file.name}(${file.size} 字节)` : "尚未选择";
  at("run").disabled = !file;
}

function sentence(one, name, mark) {
  const item = made("li", "", name);
  item.appendChild(made("p", `${mark} ${one.zh}。`, "zh"));
  const code = one.kind ? ` [${one.kind}]` : "";
  item.appendChild(made("p", `${one.en}.${code}`, "en"));
  return item;
}

function row(cells, kind) {
  const line = document.createElement("tr");
  cells.forEach((cell) => line.appendChild(made(kind, cell)));
  return line;
}

function show(verdict, key) {
  const place = at("verdict");
  place.textContent = "";
  const good = verdict.code === 0;
  place.appendChild(made("h2", good
    ? `✓ ${verdict.good || "证据包核验一致。 / The bundle is what the ledger sealed."}`
    : `✗ 核验不一致(代码 ${verdict.code})。 / The bundle is not what it says (code ${verdict.code}).`,
  good ? "good" : "bad"));
  const list = document.createElement("ul");
  verdict.findings.forEach((one) => list.appendChild(sentence(one, "finding", "✗")));
  if (good) verdict.said.forEach((one) => list.appendChild(sentence(one, "said", "·")));
  place.appendChild(list);
  if (verdict.origin !== undefined) {
    const facts = document.createElement("table");
    facts.appendChild(row(["账本 ledger", verdict.origin], "td"));
    facts.appendChild(row(["封签下的登记条数 entries under the head", verdict.size], "td"));
    facts.appendChild(row(["树根 root", verdict.root], "td"));
    facts.appendChild(row(["包内所附公钥:请与另行取得的公钥逐字比对 key in the bundle", key], "td"));
    place.appendChild(facts);
  }
  if (verdict.remarks.length) remarksShown(place, verdict.remarks);
  if (verdict.reads.length) readsShown(place, verdict.reads);
  if (verdict.replayed) {
    place.appendChild(made("h3", "重放所得档案 / The record replayed"));
    place.appendChild(made("pre", JSON.stringify(verdict.replayed, null, 1), "replayed"));
  }
  place.dataset.code = verdict.code;
}

const MOST_ROWS = 2000;

function remarksShown(place, remarks) {
  place.appendChild(made("h3", "更正、撤销、迟录等 / Corrections, annulments, late entries …"));
  const table = document.createElement("table");
  const heads = ["位置", "种类", "提示", "生效日", "登记日", "相隔日数", "涉及", "登记人", "理由"];
  table.appendChild(row(heads, "th"));
  remarks.slice(0, MOST_ROWS).forEach((one) => {
    const actor = one.actor ? [one.actor.subject, one.actor.role].filter(Boolean).join(" / ") : "";
    table.appendChild(row([
      one.position, one.zh, one.remarks.map((name) => WORDS[name][0]).join("、"), one.effective,
      one.recorded, one.days, one.tags.join(" "), actor,
      [one.reason, one.fields && JSON.stringify(one.fields)].filter(Boolean).join(" "),
    ], "td"));
  });
  place.appendChild(table);
  if (remarks.length > MOST_ROWS) {
    place.appendChild(made("p", `共 ${remarks.length} 条,此处列出前 ${MOST_ROWS} 条。`));
  }
}

function readsShown(place, reads) {
  place.appendChild(made("h3", "何人查阅 / Who has looked"));
  const table = made("table", "", "reads");
  const heads = ["查阅日志位置", "时间", "何人", "经由", "所问", "私密字段", "用途", "案件", "结果"];
  table.appendChild(row(heads, "th"));
  const joined = (many) => (Array.isArray(many) ? many.join(" ") : "");
  reads.slice(0, MOST_ROWS).forEach((one) => {
    const actor = one.actor ? [one.actor.subject, one.actor.role].filter(Boolean).join(" / ") : "";
    const among = one.list ? `${one.count} 人之一${one.sure ? "" : "(不能确定)"}` : "";
    table.appendChild(row([
      one.read, one.at, actor, one.via || "", one.question || "", joined(one.classes),
      one.purpose || "", one.case || "", `${one.outcome || ""} ${among}`,
    ], "td"));
  });
  place.appendChild(table);
  if (reads.length > MOST_ROWS) {
    place.appendChild(made("p", `共 ${reads.length} 条,此处列出前 ${MOST_ROWS} 条。`));
  }
}

async function run() {
  delete at("verdict").dataset.code;
  at("verdict").textContent = "正在核验…… / Checking …";
  at("run").disabled = true;
  await new Promise((done) => setTimeout(done, 30));
  try {
    const raw = await contents(bundle);
    const verdict = await check(raw, await asked());
    let key = "";
    try {
      key = new Bundle(raw).text("key.txt").trim();
    } catch (none) {
      key = "—";
    }
    show(verdict, key);
  } catch (wrong) {
    at("verdict").textContent = "";
    at("verdict").appendChild(made("h2", "所填内容不能读取,请检查。 / What was given cannot be read.", "bad"));
    at("verdict").dataset.code = KIND.UNREADABLE;
  }
  at("run").disabled = false;
}

at("bundle").addEventListener("change", () => take(at("bundle").files[0] || null));
at("run").addEventListener("click", run);
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (name === "drop" && event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}
