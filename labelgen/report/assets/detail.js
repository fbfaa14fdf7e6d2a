"use strict";
// One class: what it means, where it came from, what it looks like, and what stands near it.

const SHOWN_NEAR = 24;

async function openClass(id, { quietly = false } = {}) {
  report.chosen = id;
  const grid = document.getElementById("grid");
  reveal(id);
  drawRows();
  grid.setAttribute("aria-activedescendant", `row-${id}`);
  if (!quietly) {
    history.replaceState(null, "", `#class=${encodeURIComponent(report.columns.synset[id])}`);
    document.getElementById("detail").classList.add("open");
  }
  const details = await detailsOf(id);
  if (report.chosen === id) drawDetail(id, details);
}

function closeDetail() {
  document.getElementById("detail").classList.remove("open");
}

function classLink(id, text = null) {
  return make("button", { type: "button", class: "link name", title: report.columns.gloss[id], on: { click: () => openClass(id) } }, text ?? firstWord(id));
}

function drawDetail(id, details) {
  const columns = report.columns;
  const parts = [
    make("div", { class: "detail-top" }, make("h3", {}, columns.synset[id]),
      make("div", { class: "detail-steps" }, denyButton(id),
        make("button", { type: "button", class: "quiet", "aria-label": "Class before", on: { click: () => step(-1) } }, "↑"),
        make("button", { type: "button", class: "quiet", "aria-label": "Next class", on: { click: () => step(1) } }, "↓"),
        make("button", { type: "button", class: "quiet close", "aria-label": "Close", on: { click: closeDetail } }, "×"))),
    make("div", { class: "identity" }, `${columns.wnid[id]} · ${report.lexnames[columns.lexname[id]]} · ${report.families[columns.family[id]]}`),
    make("p", { class: "words" }, columns.lemmas[id]),
    make("p", { class: "meaning" }, columns.gloss[id]),
    reasons(id, details),
    pictures(details),
    supports(id),
    terms(details),
    captions(details),
    company(details),
    make("h4", {}, "In WordNet"), wordnetPath(id), ...neighbours(id),
  ];
  const place = document.getElementById("detail");
  place.replaceChildren(...parts.flat().filter(Boolean));
  place.scrollTop = 0;
}

function reasons(id, details) {
  const others = [...new Set(details.map((mine) => mine?.other).filter(Boolean))];
  const told = flagsOf(id).map(([name]) => name).find((name) => name === "odd sense" || name === "ambiguous");
  return flagsOf(id).map(([name, text], at) => make("div", { class: "why" }, flagMark([name, text], at), make("span", {}, `${text[0].toUpperCase()}${text.slice(1)}. `,
    name === told && others.length ? ["Another sense: ", make("b", {}, others.join(", "))] : null)));
}

function pictures(details) {
  const found = [...new Set(details.flatMap((mine) => mine?.pictures ?? []))].map(pictureOf);
  return found.length ? make("div", { class: "strip" }, found.map(({ source, key, caption }) => make("img", { src: source, loading: "lazy", alt: caption ?? key, title: caption ?? key }))) : null;
}

function bar(name, share, colour, value) {
  return [name, make("div", { class: "track" }, make("i", { style: { width: `${100 * Math.min(1, share)}%`, background: colour } })), make("div", { class: "value" }, value)];
}

function supports(id) {
  // Bars compare shares of the samples, or counts where a vocabulary came without samples.
  const size = report.sets.every((found) => found.samples) ? (set) => report.sets[set].samples : () => 1;
  const most = Math.max(...report.sets.map((_, set) => report.support[set][id] / size(set)));
  const rows = report.sets.flatMap((found, set) => {
    const support = report.support[set][id];
    const name = make("div", {}, report.sets.length > 1 ? [dot(set), ` ${found.name}`] : `rank ${grouped(report.ranks[set].ranks[id])}`);
    if (!support) return bar(name, 0, "none", "no class");
    const share = found.support_of === null && found.samples ? `, ${percent(support / Math.max(1, found.samples))}` : "";
    return bar(name, support / size(set) / most, setColour(set), `${grouped(support)}${share}`);
  });
  const ambiguity = report.columns.ambiguity.map((column, set) => [set, column[id]]).filter(([, value]) => value !== null && value !== undefined && value > 0);
  return [make("h4", {}, "Support"), make("div", { class: "bars" }, rows),
    ambiguity.length ? make("p", { class: "more" }, ambiguity.map(([set, value]) => `${report.sets.length > 1 ? `${report.sets[set].name}: ` : ""}${percent(value)} of it by words that may mean something else. `).join("")) : null];
}

function bySet(title, details, draw) {
  const found = details.map((mine, set) => (mine ? draw(mine, set) : null));
  if (!found.some(Boolean)) return null;
  return [make("h4", {}, title), ...found.flatMap((drawn, set) => (drawn && report.sets.length > 1 ? [make("div", { class: "more" }, dot(set), ` ${report.sets[set].name}`), drawn] : [drawn])).flat()];
}

function terms(details) {
  return bySet("Words that gave it", details, ({ terms: found, more_terms: more }, set) => (found.length ? [
    make("div", { class: "bars" }, found.flatMap(([term, count]) => bar(make("div", { title: term }, term), count / found[0][1], setColour(set), grouped(count)))),
    more ? make("p", { class: "more" }, `and ${grouped(more)} more`) : null] : null));
}

function marked(caption, term) {
  const at = caption.toLowerCase().indexOf(term.toLowerCase());
  return at < 0 || !term ? [caption] : [caption.slice(0, at), make("mark", {}, caption.slice(at, at + term.length)), caption.slice(at + term.length)];
}

function captions(details) {
  return bySet("Captions", details, ({ captions: found }) => (found.length ? make("ul", { class: "captions" }, found.map(([caption, term]) => make("li", {}, marked(caption, term)))) : null));
}

function company(details) {
  return bySet("Seen together", details, ({ associates: found }, set) => {
    const most = Math.max(...found.map(([, , lift]) => Math.log2(Math.max(1, lift))), 1);
    return found.length ? make("div", { class: "bars" }, found.flatMap(([other, together, lift]) => bar(classLink(other), Math.log2(Math.max(1, lift)) / most, setColour(set), `${lift >= 10 ? Math.round(lift) : lift.toFixed(1)}× · ${grouped(together)}`))) : null;
  });
}

function nodePath(node) {
  const path = [];
  for (let at = node; at >= 0; at = report.nodes.parent[at]) path.unshift(at);
  return path;
}

function wordnetPath(id) {
  const steps = nodePath(report.columns.node[id]).map((node) => make("button", { type: "button", class: "link", title: "Show this branch in the table", on: { click: () => keepUnder(node) } }, report.nodes.name[node]));
  return make("div", { class: "path" }, steps.flatMap((element, at) => (at ? [make("span", { class: "sep" }, "›"), element] : [element])));
}

function neighbours(id) {
  const node = report.columns.node[id];
  const among = (wanted) => Array.from(report.all).filter((other) => other !== id && wanted(report.columns.node[other])).sort((a, b) => report.total[b] - report.total[a]);
  const parents = report.above[node];
  const above = ancestors(node).map((at) => report.classOf.get(at)).filter((other) => other !== undefined);
  const groups = [["Above", above], ["Below", among((other) => (other === node && report.nodes.name[node] === report.columns.synset[id]) || report.above[other].includes(node))], ["Beside", among((other) => other !== node && report.above[other].some((at) => parents.includes(at)))]];
  return groups.filter(([, found]) => found.length).map(([title, found]) => [make("h4", {}, title),
    make("div", { class: "near" }, found.slice(0, SHOWN_NEAR).map((other) => make("div", {}, classLink(other), make("span", {}, grouped(report.total[other]))))),
    found.length > SHOWN_NEAR ? make("p", { class: "more" }, `and ${grouped(found.length - SHOWN_NEAR)} more`) : null]).flat();
}
