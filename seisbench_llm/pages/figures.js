// Figures that pages share: axes, maps and waveforms. Plotly draws them.
"use strict";
const P_COLOUR = "#0072B2", S_COLOUR = "#D55E00";
// Colours of text, which needs more contrast than lines.
const DARK = { P: "#005a8f", S: "#a84600" };
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false };
const FONT = { family: "system-ui, sans-serif", size: 12, color: "#1b1b1b" };

function layout(more) {
  return {
    margin: { l: 52, r: 12, t: 8, b: 36 }, font: FONT, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hovermode: "closest", ...more,
  };
}

// A figure stays as wide as its frame, also if the width of the frame changes.
const watcher = new ResizeObserver((entries) => {
  for (const entry of entries) if (entry.target.data && entry.contentRect.width) Plotly.Plots.resize(entry.target);
});
for (const plot of document.querySelectorAll(".plot")) watcher.observe(plot);

const axis = (more) => ({ showline: true, linecolor: "#777", ticks: "outside", gridcolor: "#ececec", zeroline: false, ...more });

// Length of a scale bar in km: 1, 2 or 5 times a power of ten, at most a quarter of the width.
function scaleOf(km) {
  const power = 10 ** Math.floor(Math.log10(km / 4));
  return [5, 2, 1].map((x) => x * power).find((x) => x <= km / 4) || power;
}

// Axes and scale bar of a map that shows all these places.
function mapLayout(latitudes, longitudes) {
  const [south, north] = [Math.min(...latitudes), Math.max(...latitudes)];
  const [west, east] = [Math.min(...longitudes), Math.max(...longitudes)];
  const shrink = Math.max(0.05, Math.cos(((south + north) / 2) * Math.PI / 180));
  const pad = Math.max(0.02, 0.12 * Math.max((east - west) * shrink, north - south));
  const width = (east - west + 2 * pad / shrink) * 111.2 * shrink, km = scaleOf(width);
  const x0 = west - pad / shrink * 0.8, x1 = x0 + km / (111.2 * shrink), y = south - pad * 0.75;
  return {
    uirevision: "map",
    xaxis: axis({ title: { text: "Longitude (°)" }, range: [west - pad / shrink, east + pad / shrink] }),
    yaxis: axis({ title: { text: "Latitude (°)" }, range: [south - pad, north + pad], scaleanchor: "x", scaleratio: 1 / shrink }),
    shapes: [{ type: "line", x0, x1, y0: y, y1: y, line: { color: "#1b1b1b", width: 3 } }],
    annotations: [{ x: (x0 + x1) / 2, y, text: `${km >= 1 ? km : km.toPrecision(1)} km`, showarrow: false, yshift: 10 }],
  };
}

function drawWaveform(element, figure, chosen) {
  const rows = figure.channels.length, traces = [], shapes = [], annotations = [];
  const more = {};
  figure.channels.forEach((channel, i) => {
    const name = i ? `y${i + 1}` : "y";
    const top = 1 - i / rows, bottom = top - 0.94 / rows;
    more[`yaxis${i ? i + 1 : ""}`] = axis({
      domain: [bottom, top], range: [-1.08, 1.08], showticklabels: false, ticks: "", showgrid: false, fixedrange: true,
    });
    for (const part of channel.parts) {
      traces.push({
        mode: "lines", yaxis: name, hoverinfo: "skip", showlegend: false,
        x: part.values.map((_, j) => new Date((part.start + j * part.step) * 1000)), y: part.values,
        line: { color: "#333", width: 1 },
      });
    }
    annotations.push({
      xref: "paper", yref: "paper", x: 0, y: (top + bottom) / 2, text: channel.channel, showarrow: false,
      xanchor: "right", xshift: -6, font: { size: 13 },
    });
    annotations.push({
      xref: "paper", yref: "paper", x: 1, y: bottom, text: `± ${Number(channel.peak.toPrecision(3)).toLocaleString("en")}`, showarrow: false,
      xanchor: "right", yanchor: "bottom", font: { size: 10, color: "#4a4a4a" }, bgcolor: "rgba(255,255,255,0.8)",
    });
  });
  for (const pick of figure.picks) {
    const x = new Date(pick.timestamp * 1000), color = pick.phase === "P" ? P_COLOUR : S_COLOUR;
    const dash = { preliminary: "dash", confirmed: "solid", rejected: "dot" }[pick.status];
    shapes.push({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color, dash, width: pick.id === chosen ? 3 : 1.5 } });
    annotations.push({
      x, yref: "paper", y: 1, yanchor: "bottom", showarrow: false, font: { color: DARK[pick.phase], size: 13 },
      // Labels of P are on the left and those of S on the right, so that they do not overlap.
      xanchor: pick.phase === "P" ? "right" : "left",
      text: `${pick.phase} ${pick.probability.toFixed(2)}`,
    });
  }
  // An empty trace, if there are no data any more.
  if (!traces.length) traces.push({ x: [], y: [], showlegend: false });
  Plotly.react(element, traces, layout({
    margin: { l: 52, r: 12, t: 24, b: 36 }, shapes, annotations,
    xaxis: axis({ type: "date", range: [figure.start * 1000, figure.end * 1000], anchor: rows > 1 ? `y${rows}` : "y" }),
    ...more,
  }), CONFIG);
}
