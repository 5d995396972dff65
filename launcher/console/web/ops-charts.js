// Small charts of the last 15 minutes, drawn as SVG.
import { element } from "./shop-elements.js";
import { repeat } from "./ops-api.js";
import { bytes, panel } from "./ops-elements.js";

const MINUTES = 15;
const EVERY_MS = 5_000;
const WIDTH = 300;
const HEIGHT = 60;
/** What a series is called on the page, and how its figures are written. */
const SERIES = {
  outbox_backlog: ["Outbox backlog", (value) => `${whole(value)} rows`],
  relay_age_seconds: ["Oldest unsent event", (value) => `${figure(value)} s`],
  consumer_lag: ["Consumer lag", (value) => `${whole(value)} events`],
  stream_lag_ms: ["Lag of live streams", (value) => `${figure(value)} ms`],
  requests_per_second: ["Requests", (value) => `${figure(value)} a second`],
  errors_per_second: ["Errors", (value) => `${figure(value)} a second`],
  memory_bytes: ["Memory", bytes],
};

/** The charts, which are read again every five seconds. */
export function charts(ops) {
  const part = panel(`The last ${MINUTES} minutes`, { id: "charts", wide: true });
  const grid = element("div", { class: "charts" });
  const none = element("p", { class: "quiet" }, "The first figures come within seconds.");
  part.body.append(none, grid);
  const shown = new Map();
  const read = async () => {
    const { stepSeconds, series } = await ops.api.get("gauges", { minutes: MINUTES }, ops.signal);
    const end = Math.max(...series.map(({ points }) => points.at(-1)?.[0] ?? 0));
    none.hidden = end > 0;
    for (const one of series) {
      if (!shown.has(one.name)) {
        shown.set(one.name, chart(one));
        grid.append(shown.get(one.name).root);
      }
      shown.get(one.name).draw(one.points, { end, stepSeconds });
    }
  };
  void repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail, fine: part.fine });
  return part.root;
}

function chart({ name, unit }) {
  const [title, write] = SERIES[name] ?? [name.replaceAll("_", " "), (value) => `${figure(value)} ${unit ?? ""}`];
  const now = element("strong");
  const most = element("span", { class: "quiet" });
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, [area, line]);
  const root = element("figure", { class: "chart", "data-series": name }, [
    element("figcaption", {}, [element("span", {}, title), now]),
    picture,
    element("div", { class: "axis quiet" }, [element("span", {}, `${MINUTES} min ago`), most, element("span", {}, "now")]),
  ]);
  const draw = (points, { end, stepSeconds }) => {
    const known = points.filter(([, value]) => value !== null && Number.isFinite(value));
    const last = known.at(-1)?.[1];
    const top = known.reduce((highest, [, value]) => Math.max(highest, value), 0);
    now.textContent = last === undefined ? "no figure" : write(last);
    most.textContent = last === undefined ? "" : `most: ${write(top)}`;
    picture.setAttribute("aria-label", `${title}: now ${now.textContent}, most ${write(top)} in ${MINUTES} minutes`);
    const runs = place(known, { end, stepSeconds, top });
    line.setAttribute("d", runs.map((run) => `M${run.map(([x, y]) => `${x} ${y}`).join("L")}`).join(""));
    area.setAttribute("d", runs.map((run) => `M${run[0][0]} ${HEIGHT}L${run.map(([x, y]) => `${x} ${y}`).join("L")}L${run.at(-1)[0]} ${HEIGHT}Z`).join(""));
  };
  return { root, draw };
}

/** Points of the picture, in runs: where no figure was taken for a while the line is broken. */
function place(points, { end, stepSeconds, top }) {
  const start = end - MINUTES * 60;
  const runs = [];
  let before = -Infinity;
  for (const [at, value] of points) {
    if (at < start) continue;
    const x = ((at - start) / (end - start)) * WIDTH;
    const y = HEIGHT - 2 - (value / (top || 1)) * (HEIGHT - 6);
    if (at - before > 3 * stepSeconds) runs.push([]);
    runs.at(-1).push([x.toFixed(1), y.toFixed(1)]);
    before = at;
  }
  return runs;
}

function svg(name, attributes, children = []) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function whole(value) {
  return Math.round(value).toLocaleString("en");
}

function figure(value) {
  return value >= 100 ? whole(value) : String(Number(value.toFixed(value >= 10 ? 1 : 2)));
}
