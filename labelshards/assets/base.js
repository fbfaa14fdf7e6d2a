"use strict";
// What all pages share: data that stands in them, elements, light and dark.

async function unpack(id) {
  if (typeof DecompressionStream === "undefined") throw new Error("This page needs a browser of the year 2023 or later.");
  const coded = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(coded.length);
  for (let at = 0; at < coded.length; at += 1) bytes[at] = coded.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

const grouped = (number) => Math.round(number).toLocaleString("en-US");
const percent = (share) => `${(100 * share).toFixed(share >= 0.0995 || share === 0 ? 0 : share >= 0.00995 ? 1 : 2)} %`;

// Texts become text nodes alone, whatever they hold.
function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const isDark = () => document.documentElement.dataset.theme === "dark";
const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const redraws = [];

function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `Show this page ${theme === "dark" ? "light" : "dark"}`);
  for (const redraw of redraws) redraw();
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  document.getElementById("theme").addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    applyTheme(chosen);
  });
  system.addEventListener("change", () => { if (chosen === null) applyTheme(system.matches ? "dark" : "light"); });
  let before = "light";
  addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; applyTheme("light"); });
  addEventListener("afterprint", () => applyTheme(before));
  applyTheme(system.matches ? "dark" : "light");
}

function tellTrouble(error) {
  const place = document.getElementById("trouble");
  place.textContent = error.message;
  place.hidden = false;
  throw error;
}
