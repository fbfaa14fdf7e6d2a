"use strict";
// The colours of figures: Okabe and Ito's, which people with any colour vision tell apart.

const SET_COLOURS = { light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#5b5b5b"], dark: ["#56b4e9", "#f0893b", "#2cc295", "#e39fc4", "#d9b93b", "#b0b0b0"] };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

// What classes are, by lexicographer file; in a treemap grey is what cannot be seen.
const KINDS = [
  { name: "people", colour: "#cc79a7", files: ["person"] },
  { name: "animals", colour: "#e69f00", files: ["animal"] },
  { name: "plants and food", colour: "#009e73", files: ["plant", "food"] },
  { name: "things made", colour: "#0072b2", files: ["artifact"] },
  { name: "nature and places", colour: "#56b4e9", files: ["object", "location", "phenomenon", "substance"] },
  { name: "bodies", colour: "#d55e00", files: ["body"] },
  { name: "deeds and events", colour: "#b5a800", files: ["act", "event", "process", "motion", "contact"] },
  { name: "groups, qualities, ideas", colour: "#8d8d8d", files: [] },
];
// Synsets of the topmost file stand above a whole kind.
const TOPS = { "person.n.01": 0, "animal.n.01": 1, "plant.n.02": 2, "food.n.01": 2, "artifact.n.01": 3, "location.n.01": 4, "object.n.01": 4, "substance.n.01": 4 };

function kindOf(id) {
  const file = report.lexnames[report.columns.lexname[id]].split(".")[1];
  const found = KINDS.findIndex((kind) => kind.files.includes(file));
  return found >= 0 ? found : (TOPS[report.columns.synset[id]] ?? KINDS.length - 1);
}

const setColour = (set) => SET_COLOURS[isDark() ? "dark" : "light"][set % 6];

function mix(colour, other, share) {
  const parts = [colour, other].map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return `#${parts[0].map((value, at) => Math.round(value * (1 - share) + parts[1][at] * share).toString(16).padStart(2, "0")).join("")}`;
}
