"use strict";
// The three figures of the overview, and what all figures have in common.

const CONFIG = {
  displaylogo: false, responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "pan2d"],
  toImageButtonOptions: { format: "svg", filename: "vocabulary" },
};

// Plotly reads a little HTML in its texts.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function layout(more = {}) {
  const axis = { gridcolor: themed("--line"), linecolor: themed("--line"), zeroline: false, tickcolor: themed("--line"), ticks: "outside", ticklen: 4, automargin: true, title: { standoff: 10, font: { size: 13, color: themed("--quiet") } } };
  const { xaxis = {}, yaxis = {}, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: themed("--sans"), size: 13, color: themed("--quiet") },
    margin: { l: 8, r: 18, t: 36, b: 8 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: themed("--ink") } },
    showlegend: report.sets.length > 1, hovermode: "closest",
    hoverlabel: { bgcolor: themed("--card"), bordercolor: themed("--faint"), font: { family: themed("--sans"), size: 13, color: themed("--ink") } },
    xaxis: { ...axis, ...xaxis, title: { ...axis.title, ...xaxis.title } },
    yaxis: { ...axis, ...yaxis, title: { ...axis.title, ...yaxis.title } },
    ...rest,
  };
}

// Whole numbers from 1 to `last`, evenly spread on a log axis.
function spread(last, count = 300) {
  const found = new Set();
  for (let step = 0; step <= count; step += 1) found.add(Math.round(last ** (step / count)));
  return [...found];
}

function logAxis(title, lowest, highest) {
  const decades = [];
  for (let at = Math.floor(Math.log10(lowest)); at <= Math.ceil(Math.log10(highest)); at += 1) decades.push(10 ** at);
  const ticks = decades.length > 3 ? decades : decades.flatMap((at) => [at, 2 * at, 5 * at]);
  return { type: "log", title: { text: title }, tickvals: ticks, ticktext: ticks.map(grouped), range: [Math.log10(lowest) - 0.05, Math.log10(highest) + 0.08] };
}

function line(set, points) {
  return { name: plain(report.sets[set].name), mode: "lines", line: { color: setColour(set), width: 2.6, dash: DASHES[set % 6] }, ...points };
}

function drawTail() {
  const used = report.sets.map((_, set) => set).filter((set) => report.ranks[set].order.length);
  const traces = used.map((set) => {
    const { order } = report.ranks[set];
    const x = spread(order.length);
    const ids = x.map((rank) => order[rank - 1]);
    return line(set, { x, y: ids.map((id) => report.support[set][id]), text: ids.map((id) => plain(report.columns.synset[id])), hovertemplate: "<b>%{text}</b><br>rank %{x:,}, in %{y:,} samples<extra></extra>" });
  });
  const named = used.length ? [1, 10, 100, 1000, 10000].filter((rank) => rank <= report.ranks[used[0]].order.length) : [];
  const annotations = named.map((rank) => {
    const id = report.ranks[used[0]].order[rank - 1];
    const side = rank > 0.7 * report.ranks[used[0]].order.length ? -1 : 1;
    return { x: Math.log10(rank), y: Math.log10(report.support[used[0]][id]), text: plain(firstWord(id)), showarrow: true, arrowhead: 0, arrowwidth: 1, arrowcolor: themed("--faint"), ax: 22 * side, ay: -24 * side, font: { color: themed("--ink"), size: 13 }, xanchor: side > 0 ? "left" : "right" };
  });
  const heights = traces.flatMap((trace) => trace.y);
  const widest = Math.max(1, ...traces.map((trace) => trace.x.at(-1)));
  Plotly.react("figure-tail", traces, layout({ xaxis: logAxis("rank of the class", 1, widest), yaxis: logAxis("samples", Math.min(...heights), Math.max(...heights) * 1.3), annotations }), CONFIG);
}

function drawThresholds() {
  const traces = report.sets.map((found, set) => {
    const sorted = report.ranks[set].order.map((id) => report.support[set][id]);
    const lowest = Math.max(1, found.threshold ?? 0);
    const x = spread(Math.max(lowest, sorted[0] ?? 1)).filter((at) => at >= lowest);
    return line(set, { x, y: x.map((at) => above(sorted, at) || null), line: { color: setColour(set), width: 2.6, shape: "hv", dash: DASHES[set % 6] }, hovertemplate: "<b>%{y:,} classes</b><br>in more than %{x:,} samples<extra></extra>" });
  });
  const x = traces.flatMap((trace) => trace.x);
  const y = Math.max(1, ...traces.flatMap((trace) => trace.y));
  Plotly.react("figure-thresholds", traces, layout({ xaxis: logAxis("threshold", Math.min(...x), Math.max(...x)), yaxis: logAxis("classes", 1, y) }), CONFIG);
}

// How many of the falling numbers are above `bound`.
function above(falling, bound) {
  let low = 0;
  let high = falling.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (falling[middle] > bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function drawLabels() {
  const traces = report.sets.map((found, set) => {
    const samples = found.labels_per_sample.reduce((sum, count) => sum + count, 0);
    return { type: "bar", name: plain(found.name), x: found.labels_per_sample.map((_, number) => number), y: found.labels_per_sample.map((count) => count / Math.max(1, samples)), customdata: found.labels_per_sample, marker: { color: setColour(set) }, hovertemplate: "<b>%{y:.1%}</b> of the samples (%{customdata:,})<br>have %{x} labels<extra></extra>" };
  });
  const most = Math.max(1, ...report.sets.map((found) => found.labels_per_sample.length));
  Plotly.react("figure-labels", traces, layout({ barmode: "group", bargap: 0.18, xaxis: { title: { text: "labels" }, showgrid: false, dtick: Math.ceil(most / 12) }, yaxis: { title: { text: "share of samples" }, tickformat: ".0%" } }), CONFIG);
}
