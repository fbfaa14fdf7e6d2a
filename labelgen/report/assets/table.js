"use strict";
// All classes, sorted and filtered; rows exist only where they are seen, so 40,000 of them scroll like forty.

const ROW = 52;
const HEAD = 42;
const table = { shown: [], sort: { by: "flags", up: true }, under: null, flags: new Set(), opened: null };

function sorters() {
  const { synset, lemmas, lexname, family } = report.columns;
  const byText = (column) => (a, b) => (column[a] < column[b] ? -1 : column[a] > column[b] ? 1 : 0);
  return {
    synset: byText(synset), lemmas: byText(lemmas),
    lexname: (a, b) => byText(report.lexnames)(lexname[a], lexname[b]), family: (a, b) => byText(report.families)(family[a], family[b]),
    ambiguity: (a, b) => report.ambiguity[a] - report.ambiguity[b], flags: (a, b) => report.gravity[a] - report.gravity[b],
    ...Object.fromEntries(report.sets.map((_, set) => [`support-${set}`, (a, b) => report.support[set][a] - report.support[set][b]])),
  };
}

const falls = (by) => by === "ambiguity" || by.startsWith("support");

function headers() {
  const many = report.sets.length > 1;
  return [
    { title: [["synset", "synset"], ["lemmas", "words"]] },
    { title: [], text: "gloss", wide: "wide" },
    ...report.sets.map((found, set) => ({ title: [[`support-${set}`, many ? found.name : "support"]], number: true, set: many ? set : null })),
    { title: [["lexname", "file"], ["family", "family"]], wide: "medium" },
    { title: [["ambiguity", "ambiguity"]], number: true, wide: "medium" },
    { title: [["flags", "flags"]], wide: "medium" },
  ];
}

// As many columns as the table is wide enough for; the style sheet hides the same cells.
function fitColumns() {
  const grid = document.getElementById("grid");
  const width = grid.clientWidth;
  const roomy = width > 1020;
  const supports = report.sets.map(() => (roomy ? "104px" : "84px")).join(" ");
  const narrow = `minmax(110px, 1fr) ${supports}`;
  const medium = `minmax(124px, 1fr) ${supports} minmax(116px, 150px) 72px minmax(112px, 180px)`;
  const wide = `minmax(200px, 1fr) minmax(180px, 1.5fr) ${supports} 140px 80px minmax(140px, 220px)`;
  grid.style.setProperty("--columns", roomy ? wide : width > 720 ? medium : narrow);
}

function drawHead() {
  const cells = headers().map((header) => make("div", { role: "columnheader", class: `${header.number ? "number" : ""} ${header.wide ?? ""}` },
    header.text ?? null,
    header.title.map(([by, title]) => make("button", { type: "button", "data-by": by, "data-sorted": table.sort.by === by ? (table.sort.up ? "up" : "down") : null, on: { click: () => sortBy(by) } },
      header.set === null || header.set === undefined ? null : dot(header.set), make("span", { class: "one", style: { maxWidth: "90px" }, title }, title)))));
  const head = document.getElementById("grid-head");
  head.replaceChildren(...cells);
  for (const cell of cells) if (cell.querySelector("[data-sorted]")) cell.setAttribute("aria-sort", table.sort.up ? "ascending" : "descending");
}

function sortBy(by) {
  table.sort = { by, up: table.sort.by === by ? !table.sort.up : !falls(by) };
  update();
}

function matches(id, wanted) {
  const bits = report.columns.flags[id];
  for (const bit of wanted.flags) if (!((bits >> bit) & 1)) return false;
  if (wanted.family !== "" && report.columns.family[id] !== Number(wanted.family)) return false;
  if (wanted.lexname !== "" && report.columns.lexname[id] !== Number(wanted.lexname)) return false;
  if (wanted.in !== null && report.support[wanted.in][id] === 0) return false;
  if (wanted.only !== null && report.support.some((column, set) => set !== wanted.only && column[id] > 0)) return false;
  if (table.under !== null && !table.under.has(report.columns.node[id])) return false;
  return wanted.words.every((word) => report.named[id].includes(word) || report.glosses[id].includes(word));
}

// Those that are called what was typed, before those that have it in a name, before those whose gloss speaks of it.
function closeness(text) {
  if (!text) return null;
  return Int8Array.from(report.all, (id) => {
    const at = report.named[id].indexOf(text);
    if (at < 0) return 2;
    return report.named[id].includes(` ${text},`) || report.named[id].startsWith(`${text}.`) ? 0 : 1;
  });
}

function update() {
  const set = document.getElementById("filter-set").value;
  const wanted = {
    words: document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean),
    family: document.getElementById("filter-family").value, lexname: document.getElementById("filter-lexname").value,
    in: set === "" ? null : Number(set.split("-")[1]), only: set.startsWith("only") ? Number(set.split("-")[1]) : null, flags: table.flags,
  };
  const close = closeness(wanted.words.join(" "));
  const order = sorters()[table.sort.by];
  const sign = table.sort.up ? 1 : -1;
  table.shown = Array.from(report.all).filter((id) => matches(id, wanted)).sort((a, b) => (close ? close[a] - close[b] : 0) || sign * order(a, b) || report.total[b] - report.total[a] || a - b);
  const all = report.total.reduce((sum, count) => sum + count, 0);
  const mine = table.shown.reduce((sum, id) => sum + report.total[id], 0);
  document.getElementById("matching").textContent = `${grouped(table.shown.length)} of ${grouped(report.size)} classes, ${percent(mine / Math.max(1, all))} of the labels`;
  document.getElementById("grid").setAttribute("aria-rowcount", table.shown.length + 1);
  document.getElementById("grid").scrollTop = 0;
  drawHead();
  drawRows();
}

function drawRows() {
  const grid = document.getElementById("grid");
  const body = document.getElementById("grid-body");
  body.style.height = `${Math.max(1, table.shown.length) * ROW}px`;
  const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - 6);
  const last = Math.min(table.shown.length, Math.ceil((grid.scrollTop + grid.clientHeight) / ROW) + 6);
  const rows = [];
  for (let at = first; at < last; at += 1) rows.push(drawRow(table.shown[at], at));
  if (!table.shown.length) rows.push(make("div", { class: "empty" }, "No class is like that. Esc takes all filters away."));
  body.replaceChildren(...rows);
}

function drawRow(id, at) {
  const columns = report.columns;
  const ambiguity = report.ambiguity[id];
  const row = make("div", { class: denied.has(id) ? "grid-row denied" : "grid-row", role: "row", id: `row-${id}`, "aria-rowindex": at + 2, "aria-selected": String(id === report.chosen), style: { top: `${at * ROW}px` } },
    make("div", { class: "cell", role: "gridcell" }, make("div", { title: columns.synset[id] }, make("b", {}, columns.synset[id])), make("div", { class: "second", title: columns.lemmas[id] }, columns.lemmas[id])),
    make("div", { class: "cell wide", role: "gridcell" }, make("span", { class: "gloss", title: columns.gloss[id] }, columns.gloss[id])),
    report.sets.map((_, set) => supportCell(id, set)),
    make("div", { class: "cell medium", role: "gridcell" }, make("div", {}, report.lexnames[columns.lexname[id]]), make("div", { class: "second" }, report.families[columns.family[id]])),
    make("div", { class: "cell medium number", role: "gridcell" }, ambiguity <= 0 ? "–" : percent(ambiguity)),
    make("div", { class: "cell medium flags", role: "gridcell" }, flagsOf(id).map(flagMark)));
  row.addEventListener("click", () => { openClass(id); document.getElementById("grid").focus({ preventScroll: true }); });
  return row;
}

function supportCell(id, set) {
  const support = report.support[set][id];
  const most = report.support[set][report.ranks[set].order[0]] ?? 1;
  const share = support > 0 ? Math.max(0.02, Math.log(support + 1) / Math.log(most + 1)) : 0;
  return make("div", { class: "cell number", role: "gridcell" }, support > 0 ? grouped(support) : "–",
    make("div", { class: "gauge" }, make("i", { style: { width: `${100 * share}%`, background: setColour(set) } })));
}

function flagMark([name, text], at) {
  return make("span", { class: report.grave.includes(name) ? "flag grave" : "flag", title: text, "data-at": at }, name);
}

function reveal(id) {
  const at = table.shown.indexOf(id);
  if (at < 0) return;
  const grid = document.getElementById("grid");
  const top = at * ROW;
  const room = grid.clientHeight - HEAD;
  const above = grid.scrollTop - top;
  const below = top + ROW - grid.scrollTop - room;
  if (Math.max(above, below) > ROW) grid.scrollTop = top - room / 3;
  else if (above > 0) grid.scrollTop = top;
  else if (below > 0) grid.scrollTop = top + ROW - room;
}

function step(by) {
  const at = table.shown.indexOf(report.chosen);
  const next = Math.min(table.shown.length - 1, Math.max(0, at < 0 ? 0 : at + by));
  if (table.shown.length) openClass(table.shown[next]);
}
