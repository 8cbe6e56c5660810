// Keeps the page up to date. Picks arrive as events, and the rest is requested regularly.
"use strict";
const MOST_ROWS = 200;
const SIGNS = { preliminary: "◌", confirmed: "●", rejected: "✕", live: "●", late: "◐", silent: "○" };
const STATES = { live: "#009E73", late: "#E69F00", silent: "#8a8a8a" };
// Ticks of the axis of latencies.
const SECONDS = [0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 3600];
const byId = (id) => document.getElementById(id);
// Picks by id, newest report last, and the pick or station of the waveform.
const picks = new Map();
let chosen = null, stations = [], asked = 0;

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.json();
}

const seconds = (value) => value < 100 ? `${value.toFixed(value < 10 ? 2 : 1)} s` : value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(0)} h`;

function set(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function cell(row, text, name, value) {
  const td = row.insertCell();
  td.textContent = text;
  if (name) td.className = name;
  if (value !== undefined) td.dataset.value = value;
  return td;
}

function button(parent, text, label, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  parent.append(made);
}

function pickRow(pick) {
  const row = document.createElement("tr");
  row.dataset.id = pick.id;
  const date = pick.time.slice(0, 10), time = pick.time.slice(11, 22);
  button(row.insertCell(), time, `Waveform of ${pick.phase} at ${pick.trace_id}, ${date} ${time}`, () => choose({ pick: pick.id }));
  row.title = date;
  cell(row, pick.trace_id);
  cell(row, pick.phase, pick.phase);
  cell(row, pick.probability.toFixed(2));
  cell(row, `${SIGNS[pick.status]} ${pick.status}`, pick.status);
  cell(row, seconds(pick.data_latency));
  return row;
}

function showPicks() {
  const wanted = byId("show").value, body = byId("pick-rows"), rows = [];
  const focused = document.activeElement.closest("#pick-rows tr")?.dataset.id;
  for (const pick of [...picks.values()].reverse()) {
    if (wanted !== "all" && pick.status !== wanted) continue;
    rows.push(pickRow(pick));
    if (rows.length === MOST_ROWS) break;
  }
  body.replaceChildren(...rows);
  byId("no-picks").hidden = rows.length > 0;
  const again = focused && rows.find((row) => row.dataset.id === focused);
  if (again) again.querySelector("button").focus({ preventScroll: true });
  mark();
}

function mark() {
  for (const row of document.querySelectorAll("tbody tr")) {
    row.classList.toggle("chosen", chosen !== null && (row.dataset.id === chosen.pick || row.dataset.id === chosen.trace_id));
  }
}

function showStations() {
  const body = byId("station-rows");
  const rows = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  for (const station of stations) {
    let row = rows.get(station.id);
    if (!row) {
      row = body.insertRow();
      row.dataset.id = station.id;
      const head = document.createElement("th");
      head.scope = "row";
      row.append(head);
      button(head, station.id, `Newest minute of ${station.id}`, () => choose({ trace_id: station.id }));
      for (let i = 0; i < 7; i++) row.insertCell();
    }
    const texts = [
      `${SIGNS[station.state]} ${station.state}`, `${seconds(Math.max(0, station.delay))} ago`,
      `${(100 * station.complete).toFixed(station.complete > 0.9995 ? 0 : 1)} %`, station.samples_per_second.toFixed(0), String(station.gaps),
      String(station.late), String(station.picks),
    ];
    const values = [undefined, station.delay, station.complete, station.samples_per_second, station.gaps, station.late, station.picks];
    texts.forEach((text, i) => {
      const td = row.cells[i + 1];
      if (td.textContent !== text) td.textContent = text;
      if (values[i] !== undefined) td.dataset.value = values[i];
    });
    row.cells[1].className = station.state;
  }
  mark();
}

function showSummary(about, latency) {
  set("about", [about.source, about.weight].filter(Boolean).join(", "));
  set("tile-stations", String(about.instruments));
  set("tile-states", `${about.live} live, ${about.late} late, ${about.silent} silent`);
  const count = (status) => (about.picks[`${status} P`] || 0) + (about.picks[`${status} S`] || 0);
  set("tile-picks", String(count("confirmed")));
  set("tile-statuses", `${count("preliminary")} preliminary, ${count("rejected")} rejected`);
  const of = (latency.preliminary.length ? latency.preliminary : latency.confirmed).map((row) => row[2]);
  of.sort((a, b) => a - b);
  set("tile-latency", of.length ? seconds(of[Math.floor(of.length / 2)]) : "–");
  set("tile-packets", `${about.packets_per_second.toFixed(1)} /s`);
  set("tile-waiting", about.waiting === null ? `${about.packets} in all` : `${about.waiting} waiting`);
  set("tile-time", new Date(about.now * 1000).toISOString().slice(11, 19));
}

function drawMap(element, stations, recent, choose) {
  const placed = stations.filter((s) => s.latitude !== null);
  const traces = Object.entries(STATES).map(([state, color]) => {
    const those = placed.filter((s) => s.state === state);
    return {
      type: "scatter", mode: placed.length > 40 ? "markers" : "markers+text", name: state,
      x: those.map((s) => s.longitude), y: those.map((s) => s.latitude),
      text: those.map((s) => s.id.split(".")[1]), customdata: those.map((s) => s.id),
      textposition: "top center", textfont: { size: 11 }, hovertemplate: "%{customdata}<extra></extra>",
      marker: { symbol: "triangle-up", size: 13, color, line: { color: "#1b1b1b", width: 1 } },
    };
  });
  const hit = placed.filter((s) => recent.has(s.id));
  traces.unshift({
    type: "scatter", mode: "markers", name: "pick in the last minute", hoverinfo: "skip",
    x: hit.map((s) => s.longitude), y: hit.map((s) => s.latitude),
    marker: { symbol: "circle", size: 26, color: "rgba(213, 94, 0, 0.25)", line: { color: S_COLOUR, width: 2 } },
  });
  const [latitudes, longitudes] = [placed.map((s) => s.latitude), placed.map((s) => s.longitude)];
  Plotly.react(element, traces, layout(mapLayout(latitudes, longitudes)), CONFIG);
  if (!element.dataset.listens) {
    element.on("plotly_click", (event) => {
      const id = event.points[0].customdata;
      if (id) choose(id);
    });
    element.dataset.listens = "yes";
  }
}

function drawLatency(element, latency) {
  const at = (rows) => rows.map((row) => new Date(row[0] * 1000));
  // A logarithmic axis has no zero.
  const least = (rows, column) => rows.map((row) => Math.max(row[column], 0.01));
  const packets = latency.packets;
  const traces = [
    { x: at(packets), y: least(packets, 1), mode: "lines", name: "packets, median", line: { color: "#444", width: 2 } },
    { x: at(packets), y: least(packets, 2), mode: "lines", name: "packets, largest", line: { color: "#999", width: 1, dash: "dot" } },
    { x: at(latency.preliminary), y: least(latency.preliminary, 2), mode: "markers", name: "preliminary picks",
      marker: { color: S_COLOUR, size: 7, symbol: "circle-open", line: { width: 2 } } },
    { x: at(latency.confirmed), y: least(latency.confirmed, 2), mode: "markers", name: "confirmed picks",
      marker: { color: STATES.live, size: 7 } },
  ];
  for (const trace of traces) trace.hovertemplate = "%{y:.2f} s<extra></extra>";
  Plotly.react(element, traces, layout({
    uirevision: "latency",
    xaxis: axis({ type: "date", tickangle: 0, nticks: 6 }),
    yaxis: axis({ type: "log", title: { text: "Seconds after the fact" }, tickvals: SECONDS, ticktext: SECONDS.map(String) }),
  }), CONFIG);
}

async function refresh() {
  if (document.hidden || asked) return;
  asked++;
  try {
    const [about, latency, health] = await Promise.all(["api/summary", "api/latency", "api/stations"].map(ask));
    stations = health;
    showSummary(about, latency);
    showStations();
    drawLatency(byId("latency-plot"), latency);
    const recent = new Set([...picks.values()].filter((p) => p.status !== "rejected" && about.now - p.timestamp < 60).map((p) => p.trace_id));
    byId("map").hidden = !stations.some((s) => s.latitude !== null);
    if (!byId("map").hidden) drawMap(byId("map-plot"), stations, recent, (id) => choose({ trace_id: id }));
    if (chosen?.trace_id) showWaveform();
  } catch (error) {
    // The stream of events reports lost connections and tries again.
  } finally {
    asked--;
  }
}

function choose(what, followed = false) {
  chosen = what;
  if (!followed) byId("follow").checked = false;
  mark();
  return showWaveform(!followed);
}

async function showWaveform(scroll = false) {
  const wanted = chosen;
  try {
    const figure = await ask(`api/waveform?${new URLSearchParams({ ...wanted, highpass: byId("highpass").checked ? 1 : 0 })}`);
    if (wanted !== chosen) return;
    const pick = figure.pick;
    set("waveform-text", pick ? `${pick.trace_id}: ${pick.phase} at ${pick.time.slice(11, 22)}, probability ${pick.probability.toFixed(2)}, ${pick.status}`
      : `${figure.trace_id}: the newest minute, ${figure.picks.length} picks`);
    if (!figure.channels.length) set("waveform-text", "There are no data of that time any more.");
    drawWaveform(byId("waveform-plot"), figure, pick && pick.id);
    if (scroll) byId("waveform").scrollIntoView({ block: "nearest" });
  } catch (error) {
    set("waveform-text", error.message);
  }
}

function newest() {
  const pick = [...picks.values()].filter((p) => p.status !== "rejected").pop();
  if (byId("follow").checked && pick) choose({ pick: pick.id }, true);
}

// Many picks may arrive together. The page is then drawn once.
let due = false;
function soon() {
  if (due) return;
  due = true;
  setTimeout(() => { due = false; showPicks(); newest(); }, 250);
}

function take(pick) {
  picks.delete(pick.id);
  picks.set(pick.id, pick);
  while (picks.size > 1000) picks.delete(picks.keys().next().value);
}

function connection(text, name) {
  set("connection", text);
  byId("connection").className = `badge ${name}`;
}

function listen() {
  const events = new EventSource("api/events");
  events.addEventListener("hello", async () => {
    connection("● connected", "connected");
    for (const pick of (await ask("api/picks")).reverse()) take(pick);
    soon();
    refresh();
  });
  events.addEventListener("pick", (event) => { take(JSON.parse(event.data)); soon(); });
  events.onerror = () => {
    connection("✕ no connection", "lost");
    // After a refusal, the browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 10000);
  };
}

byId("show").addEventListener("change", showPicks);
byId("highpass").addEventListener("change", () => chosen && showWaveform());
byId("follow").addEventListener("change", newest);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);
listen();
