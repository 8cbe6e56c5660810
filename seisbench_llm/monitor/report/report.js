// Draws the figures of a monitor's page from the data that it holds.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const EVENTS = new Map(DATA.events.map((event) => [event.id, event]));
const NAMES = DATA.order;
const byId = (id) => document.getElementById(id);
let current = null;

// 16-bit integers in base64, divided by the largest; null where there is no sample.
function decode(part) {
  const bytes = Uint8Array.from(atob(part.data), (letter) => letter.charCodeAt(0));
  const numbers = new DataView(bytes.buffer);
  const values = Array.from({ length: bytes.length / 2 }, (_, i) => numbers.getInt16(2 * i, true));
  return { start: part.start, step: part.step, values: values.map((x) => (x === -32768 ? null : x / 32767)) };
}

const sizeOf = (event) => (event.magnitude === null ? 8 : Math.max(6, Math.min(30, 8 + 5 * event.magnitude)));

function drawEvents() {
  const placed = DATA.events.filter((event) => event.latitude !== null && event.longitude !== null);
  const stations = DATA.stations.filter((station) => station.latitude !== null);
  const rings = { x: [], y: [] };
  for (const event of placed) if (event.ellipse) {
    rings.x.push(...event.ellipse[0], null);
    rings.y.push(...event.ellipse[1], null);
  }
  const alone = placed.filter((event) => event.quality === "S"), several = placed.filter((event) => event.quality !== "S");
  const known = several.filter((event) => event.depth_km !== null), shallow = several.filter((event) => event.depth_km === null);
  const circles = (events, name, marker) => ({
    type: "scatter", mode: "markers", name, x: events.map((e) => e.longitude), y: events.map((e) => e.latitude),
    customdata: events.map((e) => e.id), text: events.map((e) => `${e.text}${e.magnitude === null ? "" : `, M ${e.magnitude.toFixed(1)}`}${e.depth_km === null ? "" : `, ${e.depth_km.toFixed(1)} km`}`),
    hovertemplate: "%{text}<extra></extra>", marker: { size: events.map(sizeOf), line: { color: "#1b1b1b", width: 1 }, ...marker },
  });
  const colours = { color: known.map((e) => e.depth_km), colorscale: "Viridis", reversescale: true, colorbar: { title: { text: "Depth (km)" }, thickness: 12 } };
  const picked = (some) => stations.filter((station) => (station.picks > 0) === some);
  const triangles = (some) => ({
    type: "scatter", mode: stations.length > 40 ? "markers" : "markers+text", name: some ? "stations" : "stations without picks",
    x: picked(some).map((s) => s.longitude), y: picked(some).map((s) => s.latitude), text: picked(some).map((s) => s.id.split(".")[1]),
    textposition: "top center", textfont: { size: 11 }, hoverinfo: "text", visible: picked(some).length ? true : false,
    marker: { symbol: some ? "triangle-up" : "triangle-up-open", size: 12, color: some ? "#555" : "#777", line: { color: "#1b1b1b", width: 1 } },
  });
  const traces = [
    { ...rings, type: "scatter", mode: "lines", name: "68 %", hoverinfo: "skip", line: { color: "rgba(60,60,60,0.55)", width: 1 } },
    triangles(true), triangles(false), circles(known, "events", colours), circles(shallow, "events, depth not known", { color: "#bbb" }),
    circles(alone, "events of a single station", { symbol: "diamond-open", size: 10, color: "#a8417f", line: { color: "#a8417f", width: 2 } }),
  ].filter((trace) => trace.x.length);
  const inside = [...placed, ...stations];
  // One of a single station may be far out: the map shows what most are in.
  const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const of = stations.length ? stations : placed;
  const reach = 6 * Math.max(0.05, ...of.map((s) => Math.abs(s.latitude - middle(of.map((x) => x.latitude)))), ...of.map((s) => Math.abs(s.longitude - middle(of.map((x) => x.longitude)))));
  const near = inside.filter((x) => Math.abs(x.latitude - of[0].latitude) <= reach && Math.abs(x.longitude - of[0].longitude) <= reach);
  Plotly.newPlot(byId("map-plot"), traces, layout(mapLayout(near.map((x) => x.latitude), near.map((x) => x.longitude))), CONFIG);
  byId("map-plot").on("plotly_click", (click) => click.points[0].customdata && choose(click.points[0].customdata));
}

function drawDepths() {
  const known = DATA.events.filter((event) => event.depth_km !== null);
  const points = (column, i) => ({
    type: "scatter", mode: "markers", showlegend: false, x: known.map((e) => e[column]), y: known.map((e) => e.depth_km),
    xaxis: `x${i}`, text: known.map((e) => e.text), customdata: known.map((e) => e.id), hovertemplate: "%{text}, %{y:.1f} km<extra></extra>",
    error_y: { type: "data", array: known.map((e) => e.depth_uncertainty_km || 0), color: "#999", thickness: 1, width: 0 },
    marker: { size: known.map(sizeOf), color: known.map((e) => e.depth_km), colorscale: "Viridis", reversescale: true, line: { color: "#1b1b1b", width: 1 } },
  });
  Plotly.newPlot(byId("depth-plot"), [points("longitude", ""), points("latitude", 2)], layout({
    xaxis: axis({ domain: [0, 0.47], title: { text: "Longitude (°)" } }), xaxis2: axis({ domain: [0.53, 1], title: { text: "Latitude (°)" } }),
    yaxis: axis({ autorange: "reversed", title: { text: "Depth (km)" } }),
  }), CONFIG);
  byId("depth-plot").on("plotly_click", (click) => choose(click.points[0].customdata));
}

function drawMagnitudes() {
  const known = DATA.events.filter((event) => event.magnitude !== null);
  const at = (events) => events.map((event) => new Date(event.timestamp * 1000));
  const spread = known.map((event) => event.magnitude_spread || 0);
  Plotly.newPlot(byId("magnitude-plot"), [
    { type: "scatter", mode: "lines", name: "number of events", x: at(DATA.events), y: DATA.events.map((_, i) => i + 1), yaxis: "y2", line: { shape: "hv", color: "#999" }, hoverinfo: "skip" },
    { type: "scatter", mode: "markers", name: "magnitude", x: at(known), y: known.map((e) => e.magnitude), customdata: known.map((e) => e.id),
      error_y: { type: "data", array: spread, color: "#9cc3df", thickness: 1, width: 0 }, marker: { color: P_COLOUR, size: 8 }, hovertemplate: "%{x|%H:%M:%S}, M %{y:.1f}<extra></extra>" },
  ], layout({
    margin: { l: 52, r: 52, t: 8, b: 36 }, xaxis: axis({ type: "date" }), yaxis: axis({ title: { text: "Magnitude" } }),
    yaxis2: axis({ overlaying: "y", side: "right", showgrid: false, range: [0, 1.1 * DATA.events.length], tick0: 0, dtick: Math.ceil(DATA.events.length / 5), title: { text: "Number of events" } }),
  }), CONFIG);
  byId("magnitude-plot").on("plotly_click", (click) => click.points[0].customdata && choose(click.points[0].customdata));
}

// Vertical components over distance, where it is known, else one below the other.
function drawSection(scene) {
  const rows = scene.rows, levels = rows.map((row, i) => (row.distance === null ? -i : row.distance));
  const sorted = [...levels].sort((a, b) => a - b), extent = (sorted[sorted.length - 1] - sorted[0]) || 1;
  const reach = rows.length > 1 ? extent / (rows.length - 1) : 1;
  const traces = [], annotations = [];
  const names = { P: true, S: true };
  rows.forEach((row, i) => {
    const level = levels[i];
    const channel = row.channels[0];
    for (const part of channel ? channel.parts.map(decode) : []) {
      traces.push({ x: part.values.map((_, j) => part.start + j * part.step - scene.origin), y: part.values.map((v) => (v === null ? null : level + 0.45 * reach * v)), mode: "lines",
        line: { color: "#555", width: 0.8 }, showlegend: false, customdata: part.values.map(() => row.id), hovertemplate: `${row.id}<extra></extra>` });
    }
    for (const [phase, parts] of Object.entries(row.curves)) for (const part of parts.map(decode)) {
      traces.push({ x: part.values.map((_, j) => part.start + j * part.step - scene.origin), y: part.values.map((v) => (v === null ? null : level + 0.45 * reach * v)), mode: "lines",
        line: { color: phase === "P" ? P_COLOUR : S_COLOUR, width: 1.2 }, opacity: 0.75, showlegend: false, hoverinfo: "skip" });
    }
    for (const pick of row.picks) {
      const x = pick.timestamp - scene.origin;
      traces.push({ x: [x, x], y: [level - 0.5 * reach, level + 0.5 * reach], mode: "lines", line: { color: pick.phase === "P" ? P_COLOUR : S_COLOUR, width: 2.5 },
        name: pick.phase, legendgroup: pick.phase, showlegend: names[pick.phase], customdata: [row.id, row.id],
        hovertemplate: `${row.id} ${pick.phase}, probability ${(pick.probability ?? 0).toFixed(2)}${pick.residual === null ? "" : `, residual ${pick.residual.toFixed(2)} s`}<extra></extra>` });
      names[pick.phase] = false;
    }
    annotations.push({ xref: "paper", x: 1, xanchor: "right", y: level, yshift: 7, text: row.id.split(".")[1], showarrow: false, font: { size: 11 }, bgcolor: "rgba(255,255,255,0.7)" });
  });
  const far = rows.some((row) => row.distance !== null);
  Plotly.react(byId("section-plot"), traces, layout({
    annotations, xaxis: axis({ title: { text: EVENTS.has(current) ? "Seconds after the origin" : "Seconds after the P pick" } }),
    yaxis: axis({ title: { text: far ? "Distance (km)" : "" }, showticklabels: far, range: [sorted[0] - 0.8 * reach, sorted[sorted.length - 1] + 0.8 * reach] }),
  }), CONFIG);
  if (!byId("section-plot").dataset.listens) {
    byId("section-plot").on("plotly_click", (click) => click.points[0].customdata && chooseRow(click.points[0].customdata));
    byId("section-plot").dataset.listens = "yes";
  }
  const event = EVENTS.get(current);
  byId("section-text").textContent = `${event ? `Event at ${event.text}` : "P pick"}: vertical components above 1 Hz, each scaled to its peak, with picks${rows.some((row) => Object.keys(row.curves).length) ? " and the curves of P and S" : ""}. A click on one shows all components of the station.`;
}

function chooseRow(id) {
  const scene = DATA.scenes[current], row = scene.rows.find((one) => one.id === id);
  byId("row").value = id;
  const channels = row.channels.map((channel) => ({ ...channel, parts: channel.parts.map(decode) }));
  const picks = row.picks.map((pick) => ({ ...pick, probability: pick.probability ?? 0, status: "confirmed", id: "" }));
  drawWaveform(byId("waveform-plot"), { start: scene.start, end: scene.end, channels, picks }, null);
  const said = picks.map((pick) => `${pick.phase} ${new Date(pick.timestamp * 1000).toISOString().slice(11, 22)} (${pick.probability.toFixed(2)})`);
  byId("waveform-text").textContent = `${row.id}${row.distance === null ? "" : `, ${row.distance.toFixed(0)} km`}: ${said.join(", ")}${channels.length ? "" : "; there are no waveforms"}. Figures: largest amplitude.`;
}

function choose(name, scroll = true) {
  if (!DATA.scenes[name]) return;
  current = name;
  const rows = byId("row"), scene = DATA.scenes[name];
  byId("scene").value = name;
  rows.replaceChildren(...scene.rows.map((row) => new Option(row.distance === null ? row.id : `${row.id}, ${row.distance.toFixed(0)} km`, row.id)));
  drawSection(scene);
  chooseRow(scene.rows[0].id);
  for (const row of document.querySelectorAll("#event-table tbody tr")) row.classList.toggle("chosen", row.dataset.id === name);
  if (scroll) byId("waveforms").scrollIntoView({ block: "start" });
}

if (byId("map-plot")) drawEvents();
if (byId("depth-plot")) { drawDepths(); drawMagnitudes(); }
if (NAMES.length) {
  const text = (name) => {
    const event = EVENTS.get(name), row = DATA.scenes[name].rows[0];
    return event ? `${event.text}${event.magnitude === null ? "" : `, M ${event.magnitude.toFixed(1)}`}, ${event.quality}` : `${row.id}, ${new Date(DATA.scenes[name].origin * 1000).toISOString().slice(11, 22)}`;
  };
  byId("scene").replaceChildren(...NAMES.map((name) => new Option(text(name), name)));
  byId("scene").addEventListener("change", () => choose(byId("scene").value, false));
  byId("row").addEventListener("change", () => chooseRow(byId("row").value));
  const step = (by) => choose(NAMES[(NAMES.indexOf(current) + by + NAMES.length) % NAMES.length], false);
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));
  for (const button of document.querySelectorAll("button.open")) button.addEventListener("click", () => choose(button.dataset.scene));
  // First what most stations have seen.
  choose(NAMES.reduce((a, b) => (DATA.scenes[b].rows.length > DATA.scenes[a].rows.length ? b : a)), false);
}
