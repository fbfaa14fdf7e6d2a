"use strict";
// Pictures with their tags: search, a least probability, one picture from near.

const CHIPS = 14; // of tags, and of what stands above them
const COMMONEST = 0.8;
const CARDS_AT_ONCE = 120;
const TAGS_ON_CARD = 5;

const found = { core: null, names: [], asked: new Set(), query: "", least: 0, shown: [], drawn: 0 };
const albums = new Map();

function sourceOf(id) {
  const size = found.core.pictures_per_block;
  const number = Math.floor(id / size);
  if (!albums.has(number)) albums.set(number, JSON.parse(document.getElementById(`data-pictures-${number}`).textContent));
  return `data:image/webp;base64,${albums.get(number)[id % size]}`;
}

const share = (probability) => `${Math.round(100 * probability)} %`;
const word = (synset) => found.core.words[synset];

// Which synsets a person means: a name as it is, else every one in which a word of the query begins a word.
function asked(query) {
  const text = query.trim().toLowerCase();
  const exact = found.core.synsets.indexOf(text);
  if (!text) return null;
  if (exact >= 0) return new Set([exact]);
  const start = ` ${text.replaceAll("_", " ")}`;
  return new Set(found.names.flatMap((name, synset) => (name.includes(start) ? [synset] : [])));
}

function surest(picture, synsets) {
  let best = 0;
  for (const [synset, probability] of [...picture.tags, ...picture.above]) {
    if (synsets.has(synset) && probability > best) best = probability;
  }
  return best;
}

function search() {
  const synsets = asked(found.query);
  found.asked = synsets ?? new Set();
  const every = found.core.pictures.map((picture, id) => ({ id, score: synsets ? surest(picture, synsets) : (picture.tags[0]?.[1] ?? 0) }));
  found.shown = every.filter(({ score }) => score >= found.least && (synsets === null || score > 0));
  if (synsets) found.shown.sort((a, b) => b.score - a.score || a.id - b.id);
  const count = `${grouped(found.shown.length)} of ${grouped(found.core.pictures.length)} pictures`;
  document.getElementById("matching").textContent = synsets || found.least ? count : "";
  document.getElementById("least-said").textContent = share(found.least);
  for (const chip of document.querySelectorAll("#chips .chip")) chip.setAttribute("aria-pressed", String(chip.dataset.synset === found.query));
  drawCards();
}

function ask(query) {
  found.query = query;
  document.getElementById("search").value = query;
  history.replaceState(null, "", query ? `#${encodeURIComponent(query)}` : "#");
  search();
}

function tagRows(tags, near) {
  if (!tags.length) return [make("span", { class: "none" }, "no tag reaches its threshold")];
  return tags.flatMap(([synset, probability]) => {
    const name = found.core.synsets[synset];
    const text = near ? [word(synset), make("small", {}, found.core.glosses[synset] || name)] : word(synset);
    const press = () => { document.getElementById("one").close(); ask(name); };
    return [
      make("button", { class: found.asked.has(synset) ? "link asked" : "link", type: "button", title: name, on: { click: press } }, text),
      make("span", { class: "track" }, make("i", { style: { width: `${100 * probability}%` } })),
      make("span", { class: "value" }, share(probability)),
    ];
  });
}

function card(id) {
  const picture = found.core.pictures[id];
  const hit = found.asked.size ? picture.tags.filter(([synset]) => found.asked.has(synset)) : [];
  const tags = [...new Set([...hit.slice(0, 1), ...picture.tags])].slice(0, TAGS_ON_CARD);
  return make("article", { class: "card" },
    make("button", { class: "open", type: "button", "aria-label": `Open ${picture.key}`, on: { click: () => openOne(id) } },
      make("img", { src: sourceOf(id), alt: picture.tags.slice(0, 3).map(([synset]) => word(synset)).join(", "), loading: "lazy" })),
    make("div", { class: "tags" }, tagRows(tags, false)));
}

function drawCards() {
  found.drawn = 0;
  document.getElementById("cards").replaceChildren(found.shown.length ? "" : make("p", { class: "empty" }, "No picture here has such a tag."));
  drawMore();
}

function drawMore() {
  const cards = document.getElementById("cards");
  cards.querySelector(".more")?.remove();
  const next = found.shown.slice(found.drawn, found.drawn + CARDS_AT_ONCE);
  cards.append(...next.map(({ id }) => card(id)));
  found.drawn += next.length;
  const left = found.shown.length - found.drawn;
  if (left) cards.append(make("button", { class: "quiet more", type: "button", on: { click: drawMore } }, `${grouped(left)} more`));
}

function openOne(id) {
  const picture = found.core.pictures[id];
  const dialog = document.getElementById("one");
  const above = picture.above.length ? [make("h4", {}, "Above them"), make("div", { class: "tags" }, tagRows(picture.above, false))] : [];
  dialog.replaceChildren(make("div", { class: "whole" },
    make("img", { src: sourceOf(id), alt: "" }),
    make("div", { class: "said" },
      make("div", { class: "top" }, make("h2", {}, picture.key),
        make("button", { class: "quiet", type: "button", on: { click: () => dialog.close() } }, "Close")),
      make("div", { class: "identity" }, found.core.sources[picture.source]),
      make("div", { class: "tags" }, tagRows(picture.tags, true)), above)));
  dialog.showModal();
}

function drawChips() {
  const { core } = found;
  // What nearly all have finds nothing, and what stands above one tag alone finds the same as that.
  const ofTags = new Set(core.counts.filter((_, synset) => !core.is_above[synset]));
  const telling = core.counts.map((count, synset) => [count, synset])
    .filter(([count, synset]) => count <= COMMONEST * core.total && !(core.is_above[synset] && ofTags.has(count)));
  const some = [false, true].flatMap((above) => telling.filter(([, synset]) => core.is_above[synset] === above).slice(0, CHIPS));
  const chips = some.map(([count, synset]) => {
    const name = core.synsets[synset];
    const press = () => ask(found.query === name ? "" : name);
    return make("button", { class: core.is_above[synset] ? "chip above" : "chip", type: "button", title: core.glosses[synset] || name, "data-synset": name, "aria-pressed": "false", on: { click: press } },
      word(synset), make("span", {}, grouped(count)));
  });
  document.getElementById("chips").replaceChildren(...chips);
}

function startSearch() {
  const input = document.getElementById("search");
  const least = document.getElementById("least");
  input.addEventListener("input", () => ask(input.value));
  least.addEventListener("input", () => { found.least = least.value / 100; search(); });
  addEventListener("keydown", (event) => {
    if (document.getElementById("one").open) return;
    if (event.key === "/" && document.activeElement !== input) { event.preventDefault(); input.focus(); }
    if (event.key === "Escape") ask("");
  });
  const byHash = () => { try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; } };
  addEventListener("hashchange", () => ask(byHash()));
  document.getElementById("one").addEventListener("click", (event) => { if (event.target.id === "one") event.target.close(); });
  ask(byHash());
}

async function start() {
  startTheme();
  found.core = JSON.parse(await unpack("data-core"));
  found.names = found.core.synsets.map((synset, at) => ` ${found.core.words[at]} ${synset.replaceAll("_", " ")}`.toLowerCase());
  document.getElementById("lede").textContent = found.core.lede;
  document.getElementById("foot").textContent = found.core.foot;
  drawChips();
  startSearch();
  document.documentElement.dataset.ready = "true";
}

start().catch(tellTrouble);
