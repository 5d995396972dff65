// What panels are made of. No text of a service or a user is ever read as HTML.
import { element } from "./shop-elements.js";

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };

/** A part of a page with a heading, a line for what went wrong, and a body. */
export function panel(title, { id, note, wide = false } = {}) {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const body = element("div", { class: "body" });
  const heading = element("h2", { id: `${id}-title` }, title);
  const root = element("section", { id, class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` }, [
    heading,
    note ? element("p", { class: "quiet" }, note) : null,
    problem,
    body,
  ]);
  return {
    root,
    body,
    heading,
    /** Shows what went wrong; what was there before stays, and is old. */
    fail(error) {
      problem.hidden = false;
      if (problem.textContent !== error.message) problem.textContent = error.message;
      root.classList.add("old");
    },
    fine() {
      problem.hidden = true;
      problem.textContent = "";
      root.classList.remove("old");
    },
  };
}

/** A table with these columns, `[title, class]` each, in a box that scrolls by itself. */
export function table(label, columns) {
  const heads = columns.map(([title, kind]) => element("th", { scope: "col", class: kind }, title));
  const rows = element("tbody");
  const made = element("table", { "aria-label": label }, [element("thead", {}, element("tr", {}, heads)), rows]);
  return { root: element("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": `Table: ${label}` }, made), rows };
}

/** A row of cells, `[children, class]` each. */
export function row(cells, attributes = {}) {
  return element("tr", attributes, cells.map(([children, kind]) => element("td", { class: kind }, children ?? "")));
}

/**
 * Makes the children of `list` those of `items`, in their order. `key` tells which is which, `stamp` whether it has changed, and
 * only what has is made anew: what is focused stays focused.
 */
export function keep(list, items, { key, stamp, make }) {
  const there = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map((item) => String(key(item))));
  for (const [name, child] of there) if (!wanted.has(name)) child.remove();
  let place = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const mark = String(stamp(item));
    let child = there.get(name);
    if (child?.dataset.stamp !== mark) {
      const made = make(item, child !== undefined);
      Object.assign(made.dataset, { key: name, stamp: mark });
      if (child === place && child) place = made;
      child?.replaceWith(made);
      child = made;
    }
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
}

/** A field with its label. `kind` is an element's name or a type of input. */
export function field(label, id, kind = "search", attributes = {}, children = []) {
  const isElement = kind === "select";
  const input = element(isElement ? kind : "input", { id, ...(!isElement && { type: kind, autocomplete: "off" }), ...attributes }, children);
  const name = element("label", { for: id }, label);
  return { input, root: element("div", { class: kind === "checkbox" ? "field tick" : "field" }, kind === "checkbox" ? [input, name] : [name, input]) };
}

/** The choices of a `select`, `[value, text]` each. */
export function options(choices, chosen = "") {
  return choices.map(([value, text]) => element("option", { value, selected: value === chosen }, text));
}

/** A time of day in the visitor's own zone, to the millisecond; the whole moment where one points at it. */
export function clock(text) {
  if (!text) return "";
  const at = new Date(text);
  const shown = at.toLocaleTimeString("en-GB", CLOCK);
  return element("time", { datetime: text, title: at.toLocaleString() }, shown);
}

/** How long ago. */
export function ago(text) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(text)) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** A number of bytes. */
export function bytes(count) {
  if (count === null || count === undefined) return "";
  const [by, unit] = count >= 2 ** 30 ? [2 ** 30, "GiB"] : count >= 2 ** 20 ? [2 ** 20, "MiB"] : [2 ** 10, "KiB"];
  return `${(count / by).toFixed(by === 2 ** 30 ? 2 : 0)} ${unit}`;
}

/** A span of time in milliseconds. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 100 ? `${Math.round(ms)} ms` : `${ms.toFixed(ms >= 10 ? 1 : 2)} ms`;
}

/** A status in words, with its colour. */
export function badge(text, kind = text) {
  return element("span", { class: "badge", "data-kind": kind }, text);
}
