"use strict";
// Classes that a person leaves out, as the file that `catlip vocab prune --deny` reads.

const denied = new Set();
const MEMORY = `catlip denied ${document.currentScript.nonce}`;

// The browser may forbid a page from a file to remember anything; then it forgets when it is closed.
function remember() {
  try { localStorage.setItem(MEMORY, JSON.stringify([...denied])); } catch { /* not remembered */ }
}

function startDecisions() {
  try { for (const id of JSON.parse(localStorage.getItem(MEMORY) ?? "[]")) if (id < report.size) denied.add(id); } catch { /* nothing remembered */ }
  drawDecisions();
}

function toggleDenied(id) {
  denied[denied.has(id) ? "delete" : "add"](id);
  remember();
  drawDecisions();
  drawRows();
  if (report.chosen !== null) openClass(report.chosen, { quietly: true });
}

function denyFile() {
  const lines = [...denied].sort((a, b) => a - b).map((id) => `${report.columns.synset[id]}  # ${report.columns.lemmas[id]}`);
  return `${lines.join("\n")}\n`;
}

function drawDecisions() {
  const place = document.getElementById("decisions");
  place.hidden = !denied.size;
  const address = URL.createObjectURL(new Blob([denyFile()], { type: "text/plain" }));
  const forget = () => { denied.clear(); remember(); drawDecisions(); drawRows(); };
  place.replaceChildren(make("span", {}, make("b", {}, denied.size === 1 ? "1 class" : `${grouped(denied.size)} classes`), " to leave out, for ", make("code", {}, "catlip vocab prune DIR --deny deny.txt --out DIR2")),
    make("a", { class: "quiet", href: address, download: "deny.txt" }, "Save deny.txt"),
    make("button", { type: "button", class: "quiet", on: { click: forget } }, "Forget"));
}

function denyButton(id) {
  return make("button", { type: "button", class: "quiet", "aria-pressed": String(denied.has(id)), title: "Key: d", on: { click: () => toggleDenied(id) } }, denied.has(id) ? "Keep" : "Leave out");
}
