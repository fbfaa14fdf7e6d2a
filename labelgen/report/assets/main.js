"use strict";
// From the data to the page.

function fact(value, text) {
  return make("div", { class: "fact" }, make("b", {}, value), make("span", {}, text));
}

function drawSets() {
  const cards = report.sets.map((found, set) => {
    const flagged = Array.from(report.all).filter((id) => report.support[set][id] > 0 && report.gravity[id] < report.grave.length);
    return make("div", { class: "set" },
      make("div", { class: "set-name" }, dot(set), make("span", {}, found.name)),
      make("div", { class: "set-made" }, found.made),
      make("div", { class: "facts" }, fact(grouped(found.classes), "classes"), fact(grouped(found.samples), "samples"),
        found.samples ? [fact(percent(found.labelled / found.samples), "with labels"), fact((found.labels / found.samples).toFixed(2), "labels per sample")] : null,
        fact(grouped(flagged.length), "to look at first")),
      make("ul", { class: "notes" }, [...found.notes, found.pictures_note].filter(Boolean).map((note) => make("li", {}, note))));
  });
  document.getElementById("sets").replaceChildren(...cards);
}

function openByHash() {
  const [name, value] = location.hash.slice(1).split("=");
  if (name !== "class" || value === undefined) return false;
  let synset;
  try { synset = decodeURIComponent(value); } catch { return false; }
  const id = report.byName.get(synset) ?? report.columns.wnid.indexOf(synset);
  if (id === undefined || id < 0) return false;
  if (!table.shown.includes(id)) clearFilters();
  openClass(id).then(() => document.getElementById("classes").scrollIntoView({ behavior: "instant" }));
  return true;
}

async function loadPlotly(nonce) {
  const script = make("script", { nonce });
  script.textContent = await unpack("data-plotly");
  document.head.append(script);
}


async function start(nonce) {
  startTheme();
  await loadData();
  drawSets();
  redraws.push(drawSets);
  startFilters();
  startKeys();
  startDecisions();
  fitColumns();
  update();
  const grid = document.getElementById("grid");
  grid.addEventListener("scroll", () => requestAnimationFrame(drawRows), { passive: true });
  new ResizeObserver(() => { fitColumns(); drawRows(); }).observe(grid);
  redraws.push(() => { drawHead(); drawRows(); if (report.chosen !== null) openClass(report.chosen, { quietly: true }); });
  document.getElementById("foot").textContent = report.foot;
  addEventListener("hashchange", openByHash);
  if (!openByHash() && table.shown.length) openClass(table.shown[0], { quietly: true });
  await loadPlotly(nonce);
  startTree();
  startCompany();
  for (const draw of [drawTail, drawThresholds, drawLabels, drawTree, drawCompany]) {
    redraws.push(draw);
    draw();
  }
  zoomByClick();
  document.documentElement.dataset.ready = "true";
}

start(document.currentScript.nonce).catch(tellTrouble);
