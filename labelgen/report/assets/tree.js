"use strict";
// The branches of WordNet as tiles. Only what can be read is drawn: three levels, and no small branch.

const LEVELS = 3;
// Smaller parts of what is shown are put together.
const SMALLEST = 0.0008;
const MOSTLY = 0.2;
const READABLE = 0.65;
const tree = { set: 0, root: null, below: [], sums: [], kinds: [] };

function startTree() {
  const { parent } = report.nodes;
  tree.below = parent.map(() => []);
  tree.mine = parent.map(() => []);
  parent.forEach((above, node) => { if (above >= 0) tree.below[above].push(node); });
  report.columns.node.forEach((node, id) => tree.mine[node].push(id));
  drawSegments("tree-sets", (set) => { tree.set = set; sumTree(); drawTree(); }, () => tree.set);
  document.getElementById("tree-legend").replaceChildren(...KINDS.map(({ name, colour }) => make("span", {}, make("i", { class: "dot", style: { background: colour } }), name)));
  sumTree();
}

function drawSegments(place, choose, chosen) {
  const draw = () => document.getElementById(place).replaceChildren(...(report.sets.length < 2 ? [] : report.sets.map((found, set) =>
    make("button", { type: "button", "aria-pressed": String(set === chosen()), on: { click: () => { choose(set); draw(); } } }, dot(set), found.name))));
  draw();
  redraws.push(draw);
}

// Labels below each node, and which kind most of them are of; a node stands after the node above it.
function sumTree() {
  const { parent } = report.nodes;
  tree.sums = new Float64Array(parent.length);
  const weights = parent.map(() => new Float64Array(KINDS.length));
  for (let node = parent.length - 1; node >= 0; node -= 1) {
    for (const id of tree.mine[node]) {
      tree.sums[node] += report.support[tree.set][id];
      weights[node][kindOf(id)] += report.support[tree.set][id];
    }
    if (parent[node] >= 0) {
      tree.sums[parent[node]] += tree.sums[node];
      weights[node].forEach((weight, kind) => { weights[parent[node]][kind] += weight; });
    }
  }
  tree.kinds = weights.map((mine) => mine.indexOf(Math.max(...mine)));
}

const words = (synset) => synset.split("+").map((name) => name.split(".")[0].replaceAll("_", " ")).join(" ");
const classesAt = (node) => tree.mine[node].filter((id) => report.support[tree.set][id] > 0);
const belowIt = (node) => (node === null ? roots() : tree.below[node]).filter((next) => tree.sums[next] > 0);
const isLeaf = (node) => !belowIt(node).length && classesAt(node).length < 2;

// What to show of a node: its branches, and its own classes. A branch that stands for most of it, or that is no class and
// leads to one branch alone, gives way to what is in it, so that people, animals and things stand beside each other and
// "entity" nowhere. As [branch, null] or [its node, class].
function partsOf(node) {
  const inside = (at) => [...(at === null ? [] : classesAt(at)).map((id) => [at, id]), ...belowIt(at).map((next) => [next, null])];
  const found = inside(node);
  const all = found.reduce((sum, part) => sum + weight(part), 0);
  const gives = ([at, id]) => {
    if (id !== null || isLeaf(at)) return false;
    const own = classesAt(at).length;
    return tree.sums[at] > (own ? 2 : 1) * MOSTLY * all || own + belowIt(at).length === 1;
  };
  for (let at = found.findIndex(gives); at >= 0; at = found.findIndex(gives)) found.splice(at, 1, ...inside(found[at][0]));
  return found.sort((a, b) => weight(b) - weight(a));
}

const weight = ([node, id]) => (id === null ? tree.sums[node] : report.support[tree.set][id]);

function roots() {
  return tree.below.map((_, node) => node).filter((node) => report.nodes.parent[node] < 0);
}

function tiles() {
  const found = { ids: [], labels: [], parents: [], values: [], colors: [], text: [] };
  const base = themed("--card");
  const add = (id, label, parent, value, colour, text) => {
    for (const [name, part] of Object.entries({ ids: id, labels: plain(label), parents: parent, values: value, colors: colour, text: plain(text) })) found[name].push(part);
  };
  const sum = tree.root === null ? roots().reduce((all, node) => all + tree.sums[node], 0) : tree.sums[tree.root];
  const grow = (node, under, level) => {
    let rest = 0;
    let count = 0;
    for (const [next, own] of partsOf(node)) {
      const value = weight([next, own]);
      if (value < SMALLEST * sum) {
        rest += value;
        count += 1;
      } else if (own !== null || isLeaf(next)) {
        const id = own ?? classesAt(next)[0];
        add(`class-${id}`, words(report.columns.synset[id]), under, value, mix(KINDS[kindOf(id)].colour, base, 0.1), `${report.columns.synset[id]}: ${report.columns.gloss[id]}`);
      } else {
        add(`node-${next}`, words(report.nodes.name[next]), under, value, mix(KINDS[tree.kinds[next]].colour, base, 0.5 - 0.14 * level), report.nodes.name[next]);
        if (level + 1 < LEVELS) grow(next, `node-${next}`, level + 1);
      }
    }
    if (count) add(`rest-${under}`, `${grouped(count)} more`, under, rest, mix("#8d8d8d", base, 0.75), "smaller branches");
  };
  add("root", tree.root === null ? "all labels" : words(report.nodes.name[tree.root]), "", sum, base, "");
  grow(tree.root, "root", 0);
  return found;
}

function drawTree() {
  const { colors, ...found } = tiles();
  const { text, ...rest } = found;
  const trace = {
    type: "treemap", ...rest, hovertext: text, branchvalues: "total", sort: true, maxdepth: LEVELS + 1, pathbar: { visible: false },
    marker: { colors, line: { width: 1, color: themed("--card") }, pad: { t: 22, l: 3, r: 3, b: 3 }, cornerradius: 3 }, tiling: { pad: 1, packing: "squarify" },
    texttemplate: "%{label}<br>%{value:,}", textfont: { size: 13, family: themed("--sans") },
    hovertemplate: "<b>%{label}</b><br>%{value:,} labels, %{percentRoot:.1%} of those shown<br>%{hovertext}<extra></extra>",
  };
  Plotly.react("figure-tree", [trace], layout({ margin: { l: 0, r: 0, t: 0, b: 0 }, font: { family: themed("--sans"), size: 13, color: themed("--ink") } }), CONFIG);
  const path = tree.root === null ? [] : nodePath(tree.root);
  const steps = [["all labels", null], ...path.map((node) => [words(report.nodes.name[node]), node])];
  document.getElementById("tree-path").replaceChildren(...steps.flatMap(([name, node], at) => [at ? make("span", { class: "sep" }, "›") : null,
    node === tree.root ? make("b", {}, name) : make("button", { type: "button", class: "link", on: { click: () => zoomTo(node) } }, name)].filter(Boolean)),
    ...(tree.root === null ? [] : [make("span", { class: "sep" }, "·"), make("button", { type: "button", class: "link", on: { click: () => { keepUnder(tree.root); document.getElementById("classes").scrollIntoView(); } } }, "show in the table")]));
}

function zoomTo(node) {
  tree.root = node;
  drawTree();
}

// Plotly shrinks a text until it fits; what nobody can read is only noise.
function hideTinyTexts() {
  for (const text of document.querySelectorAll("#figure-tree .slicetext")) {
    const scale = /scale\(([\d.]+)\)/.exec(text.getAttribute("transform"));
    text.style.visibility = scale && Number(scale[1]) < READABLE ? "hidden" : "visible";
  }
}

// Plotly would zoom within what is drawn; here each branch is drawn anew, so that it shows its own largest ones.
function zoomByClick() {
  const figure = document.getElementById("figure-tree");
  figure.on("plotly_afterplot", hideTinyTexts);
  hideTinyTexts();
  figure.on("plotly_treemapclick", ({ points }) => {
    const [what, number] = String(points[0].id).split("-");
    if (what === "root") zoomTo(tree.root === null ? null : (nodePath(tree.root).at(-2) ?? null));
    else if (what === "class") showClass(Number(number));
    else if (what === "node") zoomTo(Number(number));
    return false;
  });
}

function showClass(id) {
  openClass(id);
  document.getElementById("classes").scrollIntoView();
}
