// The last traces as a list, and one as a waterfall: each span under its parent, as long as it took.
import { element } from "./shop-elements.js";
import { repeat } from "./ops-api.js";
import { badge, clock, duration, field, keep, options, panel, row, table } from "./ops-elements.js";

const KEPT = 200;
const EVERY_MS = 3_000;
/** A trace goes on after its first answer: relay, notifier and frames come later. */
const GROWS_FOR_MS = 15_000;
const GONE = `It is not among the last ${KEPT} traces any more, or no span of it was recorded.`;

/** The list, newest first. */
export async function traces(ops) {
  const part = panel("Traces", { id: "traces", wide: true, note: `The last ${KEPT}. A trace's number, as errors and the load generator print it, opens it.` });
  const text = field("Number or text", "trace-search", "search", { value: ops.params.get("q") ?? "" });
  const service = field("Service", "trace-service", "select", {}, options([["", "any"], ...ops.serviceNames]));
  const minMs = field("At least, ms", "trace-ms", "number", { min: 0, step: 1, inputmode: "numeric" });
  const errors = field("with errors only", "trace-errors", "checkbox");
  const rows = table("Traces, newest first", [["trace"], ["service"], ["at"], ["took", "number"], ["spans", "number wide"], ["result"]]);
  const found = element("p", { class: "quiet", role: "status" });
  const form = element("form", { class: "filters", role: "search" }, [
    text.root, service.root, minMs.root, errors.root,
    // Without a button, Enter does nothing in a form of several fields.
    element("button", { type: "submit" }, "Open"),
  ]);
  const read = async () => {
    const asked = { limit: KEPT, q: text.input.value.trim(), service: service.input.value, minMs: minMs.input.value, errors: errors.input.checked };
    const all = await ops.api.get("traces", asked, ops.signal);
    found.textContent = `${all.length} ${all.length === 1 ? "trace" : "traces"}`;
    keep(rows.rows, all, { key: ({ traceId }) => traceId, stamp: ({ spans, durationMs }) => `${spans} ${durationMs}`, make: traceRow });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = text.input.value.trim().toLowerCase();
    if (/^[0-9a-f]{32}$/.test(wanted)) location.hash = `#trace=${wanted}`;
  });
  for (const { input } of [text, service, minMs, errors]) input.addEventListener("input", () => read().then(part.fine, part.fail));
  part.body.append(form, found, rows.root);
  ops.show(part.root);
  await repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail, fine: part.fine });
}

function traceRow(one) {
  return row([
    [element("a", { href: `#trace=${one.traceId}` }, one.name), "text"],
    [one.service],
    [clock(one.startedAt)],
    [duration(one.durationMs), "number"],
    [String(one.spans), "number wide"],
    [one.error ? badge("error") : ""],
  ]);
}

/** The trace of an order's change, by the frame that told of it or by the order's number. It comes seconds after the change. */
export async function traceOf(ops, id) {
  const part = panel(`The trace of order ${id}`, { id: "trace", wide: true });
  const state = element("p", { class: "quiet", role: "status" }, "Looking for it …");
  const elsewhere = element("p", {}, [element("a", { href: `#order=${id}` }, "The order itself"), " ", element("a", { href: "#traces" }, "All traces")]);
  part.body.append(state, elsewhere);
  ops.show(part.root);
  const cursor = ops.params.get("cursor");
  const over = new AbortController();
  const until = Date.now() + GROWS_FOR_MS;
  let found;
  const look = async () => {
    for (const q of [cursor && `cursor=${cursor}`, `order.id=${id}`].filter(Boolean)) {
      [found] = await ops.api.get("traces", { q, limit: 1 }, ops.signal);
      if (found) return over.abort();
    }
    state.textContent = "None is there yet; one comes within seconds of its change.";
    if (Date.now() < until) return undefined;
    state.textContent = `No trace of order ${id} is kept: ${KEPT} newer ones have come since, or its request was not sampled.`;
    return over.abort();
  };
  await repeat(look, { everyMs: EVERY_MS, signal: AbortSignal.any([ops.signal, over.signal]), fail: part.fail, fine: part.fine });
  if (found && !ops.signal.aborted) await trace(ops, found.traceId, ` of order ${id}`);
}

/** One trace. While it is young it is read again: what follows a request comes seconds later. */
export async function trace(ops, id, of = "") {
  const part = panel(`Trace${of}`, { id: "trace", wide: true });
  const facts = element("p", { class: "facts" }, [element("code", {}, id), " ", element("a", { href: `#logs&trace=${id}` }, "Its log lines"), " ", element("a", { href: "#traces" }, "All traces")]);
  const state = element("p", { class: "quiet", role: "status" }, "Reading …");
  const spans = element("ol", { class: "waterfall" });
  part.body.append(facts, state, spans);
  ops.show(part.root);
  const until = Date.now() + GROWS_FOR_MS;
  const growing = new AbortController();
  const signal = AbortSignal.any([ops.signal, growing.signal]);
  const read = async () => {
    if (Date.now() > until) growing.abort();
    const found = await ops.api.get(`traces/${encodeURIComponent(id)}`, {}, ops.signal);
    const lines = inOrder(found.spans);
    const length = Math.max(1, ...found.spans.map(({ startUs, durationUs }) => startUs + durationUs));
    const failed = found.spans.filter(({ error }) => error).length;
    state.textContent = `${lines.length} ${lines.length === 1 ? "span" : "spans"} in ${duration(length / 1_000)}${failed ? `, ${failed} with an error` : ""}`;
    keep(spans, lines, { key: ({ span }) => span.spanId, stamp: ({ span }) => `${length} ${span.durationUs}`, make: (one) => spanLine(one, length) });
  };
  const fail = (error) => {
    if (error.status === 404) state.textContent = spans.childElementCount > 0 ? "It has left the ring meanwhile." : GONE;
    if (error.status === 404) growing.abort();
    else part.fail(error);
  };
  await repeat(read, { everyMs: EVERY_MS, signal, fail, fine: part.fine });
}

/** Spans with their depth, each after its parent, by their start. A span whose parent is not known stands on its own. */
function inOrder(spans) {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const children = Map.groupBy(spans.toSorted((one, other) => one.startUs - other.startUs), ({ parentId }) => (known.has(parentId) ? parentId : null));
  const lines = [];
  const open = [...(children.get(null) ?? [])].reverse().map((span) => ({ span, depth: 0 }));
  while (open.length > 0) {
    const { span, depth } = open.pop();
    lines.push({ span, depth });
    for (const child of [...(children.get(span.spanId) ?? [])].reverse()) open.push({ span: child, depth: depth + 1 });
  }
  return lines;
}

function spanLine({ span, depth }, length) {
  const bar = element("span", { class: span.error ? "bar failed" : "bar", "data-service": span.service });
  bar.style.left = `${(100 * span.startUs) / length}%`;
  bar.style.width = `${(100 * span.durationUs) / length}%`;
  const name = element("span", { class: "name" }, [span.name, span.error ? " " : null, span.error ? badge("error") : null]);
  name.style.paddingLeft = `${Math.min(depth, 12) * 0.7}rem`;
  const summary = element("summary", {}, [
    name,
    element("span", { class: "service" }, span.service),
    element("span", { class: "number" }, duration(span.durationUs / 1_000)),
    element("span", { class: "lane", "aria-hidden": "true" }, bar),
  ]);
  const facts = Object.entries({ "starts after": duration(span.startUs / 1_000), span: span.spanId, ...span.attributes });
  const list = element("dl", {}, facts.map(([key, value]) => element("div", {}, [element("dt", {}, key), element("dd", {}, String(value))])));
  return element("li", {}, element("details", {}, [summary, list]));
}
