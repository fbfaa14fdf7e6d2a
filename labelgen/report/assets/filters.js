"use strict";
// What is typed, chosen and pressed around the table.

function fill(select, everything, options) {
  const chosen = document.getElementById(select);
  chosen.replaceChildren(make("option", { value: "" }, everything), ...options.map(([value, text]) => make("option", { value }, text)));
  chosen.hidden = options.length < 2;
  chosen.addEventListener("change", update);
}

function counted(column, names) {
  const counts = new Map();
  for (const value of column) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => (names[a[0]] < names[b[0]] ? -1 : 1)).map(([value, count]) => [value, `${names[value]} (${grouped(count)})`]);
}

function startFilters() {
  fill("filter-family", "All families", counted(report.columns.family, report.families));
  fill("filter-lexname", "All lexicographer files", counted(report.columns.lexname, report.lexnames));
  fill("filter-set", "In any label set", report.sets.length < 2 ? [] : report.sets.flatMap((found, set) => [[`in-${set}`, `In ${found.name}`], [`only-${set}`, `Only in ${found.name}`]]));
  document.getElementById("search").addEventListener("input", update);
  drawChips();
}

function drawChips() {
  const chips = report.flags.map(([name, text], bit) => {
    const count = report.columns.flags.reduce((sum, bits) => sum + ((bits >> bit) & 1), 0);
    const act = () => { table.flags[table.flags.has(bit) ? "delete" : "add"](bit); drawChips(); update(); };
    return count ? make("button", { type: "button", class: "chip", title: text, "data-flag": name, "aria-pressed": String(table.flags.has(bit)), on: { click: act } }, name, make("span", {}, grouped(count))) : null;
  });
  document.getElementById("filter-flags").replaceChildren(...chips.filter(Boolean));
}

// Only classes in the branch of one node of WordNet, or all with null.
function keepUnder(node) {
  table.under = null;
  const place = document.getElementById("filter-under");
  place.replaceChildren();
  if (node !== null) {
    table.under = new Set(report.above.map((_, at) => at).filter((at) => at === node || ancestors(at).includes(node)));
    place.append(make("button", { type: "button", class: "chip", "aria-pressed": "true", title: "Show all branches again", on: { click: () => keepUnder(null) } }, `under ${report.nodes.name[node]} ×`));
  }
  update();
}

function clearFilters() {
  for (const id of ["search", "filter-set", "filter-family", "filter-lexname"]) document.getElementById(id).value = "";
  table.flags.clear();
  drawChips();
  keepUnder(null);
}

function startKeys() {
  const grid = document.getElementById("grid");
  const search = document.getElementById("search");
  const page = () => Math.max(1, Math.floor(grid.clientHeight / ROW) - 2);
  const moves = { ArrowDown: () => 1, ArrowUp: () => -1, PageDown: page, PageUp: () => -page(), Home: () => -report.size, End: () => report.size };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") {
      if (document.getElementById("detail").classList.contains("open") && getComputedStyle(document.getElementById("detail")).position === "fixed") closeDetail();
      else clearFilters();
    } else if (event.key in moves && (event.target === grid || (event.target === search && event.key.startsWith("Arrow")))) {
      event.preventDefault();
      step(moves[event.key]());
    } else if (event.key === "d" && !typing && report.chosen !== null) {
      toggleDenied(report.chosen);
    } else if (event.key === "Enter" && event.target === search && table.shown.length) {
      openClass(table.shown[0]);
    }
  });
}
