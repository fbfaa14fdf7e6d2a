"use strict";
// The most frequent classes against each other: blue is oftener together than by chance, orange is seldomer.

const PAIRS = 24;
const matrix = { set: 0, clickable: false };

function drawCompany() {
  const { classes, lift } = report.sets[matrix.set].company;
  const seldom = lift.every((row) => row.every((value) => value === null));
  document.getElementById("company-none").hidden = !seldom;
  document.querySelector(".pairing").hidden = seldom;
  if (seldom) return;
  const names = classes.map((id) => plain(firstWord(id)));
  const places = classes.map((_, at) => at);
  const hover = classes.map((a) => classes.map((b) => `${plain(report.columns.synset[a])} and ${plain(report.columns.synset[b])}`));
  const logs = lift.map((row) => row.map((value) => (value === null ? null : Math.log2(value))));
  const reach = 5;
  const middle = isDark() ? "#2a2d31" : "#f4f2ee";
  const colours = isDark() ? ["#f0893b", "#8a5433", middle, "#2f6f99", "#7cc8f5"] : ["#b34700", "#eba878", middle, "#79b3d6", "#004c7a"];
  const ticks = [-5, -3, -1, 0, 1, 3, 5];
  const trace = {
    type: "heatmap", x: places, y: places, z: logs, customdata: lift, text: hover, zmin: -reach, zmax: reach, xgap: 1, ygap: 1, hoverongaps: false,
    colorscale: colours.map((colour, at) => [at / 4, colour]),
    colorbar: { thickness: 12, len: 0.5, y: 1, yanchor: "top", outlinewidth: 0, tickvals: ticks, ticktext: ticks.map((at) => (at < 0 ? `1/${2 ** -at}×` : `${2 ** at}×`)), title: { text: "than by chance", side: "right", font: { size: 12 } } },
    hovertemplate: "<b>%{text}</b><br>%{customdata:.2f} times as often as by chance<extra></extra>",
  };
  const size = names.length > 40 ? 10.5 : 12.5;
  const axis = { tickvals: places, ticktext: names, showgrid: false, ticks: "", tickfont: { size }, constrain: "domain" };
  Plotly.react("figure-company", [trace], layout({ showlegend: false, plot_bgcolor: themed("--card"), margin: { l: 8, r: 8, t: 8, b: 8 }, xaxis: { ...axis, constraintoward: "left", tickangle: -90, side: "bottom" }, yaxis: { ...axis, constraintoward: "top", autorange: "reversed", scaleanchor: "x" } }), CONFIG);
  if (matrix.clickable) return;
  matrix.clickable = true;
  document.getElementById("figure-company").on("plotly_click", ({ points }) => showClass(report.sets[matrix.set].company.classes[points[0].y]));
}

// The pairs of the matrix that are most bound to each other.
function drawPairs() {
  const { classes, lift } = report.sets[matrix.set].company;
  const found = classes.flatMap((a, row) => classes.slice(row + 1).map((b, at) => [a, b, lift[row][row + 1 + at]])).filter(([, , value]) => value > 1);
  found.sort((one, other) => other[2] - one[2]);
  document.getElementById("pairs").replaceChildren(make("h4", {}, "Closest of these"), ...found.slice(0, PAIRS).map(([a, b, value]) =>
    make("div", { class: "pair" }, make("span", {}, classLink(a), " and ", classLink(b)), make("span", { class: "more" }, `${value >= 10 ? Math.round(value) : value.toFixed(1)}×`))));
}

function startCompany() {
  drawPairs();
  drawSegments("company-sets", (set) => { matrix.set = set; drawCompany(); drawPairs(); }, () => matrix.set);
}
