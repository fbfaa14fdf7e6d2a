"use strict";
// What stands in this page, unpacked. Columns have a place for each class; labels are counted for each label set.

const report = { sets: [], flags: [], columns: {}, nodes: {}, chosen: null };

async function loadData() {
  const found = JSON.parse(await unpack("data-core"));
  Object.assign(report, found);
  const columns = report.columns;
  report.size = columns.synset.length;
  report.all = Int32Array.from({ length: report.size }, (_, id) => id);
  report.support = columns.support.map((column) => Float64Array.from(column));
  report.total = Float64Array.from(report.all, (id) => report.support.reduce((sum, column) => sum + column[id], 0));
  report.ambiguity = Float64Array.from(report.all, (id) => Math.max(...columns.ambiguity.map((column) => column[id] ?? -1)));
  // Flags stand in the order of their gravity, so the lowest bit is the gravest; no flag comes last.
  report.gravity = Int32Array.from(columns.flags, (bits) => (bits ? Math.log2(bits & -bits) : report.flags.length));
  report.named = Array.from(report.all, (id) => `${columns.synset[id]}, ${columns.lemmas[id]}, ${columns.synset[id].replaceAll("_", " ")}, ${columns.wnid[id]},`.toLowerCase());
  report.glosses = columns.gloss.map((gloss) => gloss.toLowerCase());
  report.byName = new Map(columns.synset.map((name, id) => [name, id]));
  report.classOf = new Map(columns.node.map((node, id) => [node, id]).filter(([node, id]) => report.nodes.name[node] === columns.synset[id]));
  report.above = report.nodes.parent.map((parent) => (parent < 0 ? [] : [parent]));
  for (const [node, above] of report.nodes.others) report.above[node].push(above);
  report.ranks = report.support.map((column) => {
    const order = Array.from(report.all).filter((id) => column[id] > 0).sort((a, b) => column[b] - column[a] || a - b);
    const ranks = new Int32Array(report.size);
    order.forEach((id, at) => { ranks[id] = at + 1; });
    return { order, ranks };
  });
}

const blocks = new Map();

// All nodes that are above one, nearest first, itself left out.
function ancestors(node) {
  const found = new Set([node]);
  for (const at of found) for (const above of report.above[at]) found.add(above);
  return [...found].slice(1);
}

function detailsOf(id) {
  const number = Math.floor(id / report.classes_per_block);
  if (!blocks.has(number)) blocks.set(number, unpack(`data-details-${number}`).then(JSON.parse));
  return blocks.get(number).then((found) => found[id % report.classes_per_block]);
}

const albums = new Map();

function pictureOf(id) {
  const number = Math.floor(id / report.pictures_per_block);
  if (!albums.has(number)) albums.set(number, JSON.parse(document.getElementById(`data-pictures-${number}`).textContent));
  const [source, key, caption] = albums.get(number)[id % report.pictures_per_block];
  return { source: `data:image/webp;base64,${source}`, key, caption };
}

function flagsOf(id) {
  return report.flags.filter((_, bit) => (report.columns.flags[id] >> bit) & 1);
}

function firstWord(id) {
  return report.columns.lemmas[id].split(", ")[0];
}

function dot(set) {
  return make("span", { class: "dot", style: { background: setColour(set) } });
}
