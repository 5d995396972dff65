// What an operator does to a demo: check it, load it, break it and see it heal.
import { button, element } from "./shop-elements.js";
import { repeat } from "./ops-api.js";
import { badge, duration, field, keep, panel } from "./ops-elements.js";

const EVERY_MS = 1_000;
const SETTLED_MS = 300;

/** Runs all checks of `marketplace verify`, and shows each. */
export function verify(ops) {
  const part = panel("Verify", { id: "verify", note: "Compares every order, its stock, its events and what the notifier did with each other." });
  const said = element("p", { role: "status" });
  const list = element("ul", { class: "checks" });
  const check = button("Verify now", async () => {
    part.fine();
    said.textContent = "Checking …";
    try {
      const { ok, took_ms: tookMs, checks } = await ops.api.send("POST", "verify");
      const failed = checks.filter((one) => !one.ok).length;
      said.textContent = ok ? `All ${checks.length} checks hold, in ${duration(tookMs)}.` : `${failed} of ${checks.length} checks do not hold (${duration(tookMs)}).`;
      list.replaceChildren(...checks.map(checkLine));
    } catch (error) {
      said.textContent = "";
      throw error.status === 409 ? new Error("A check is running already: its result is told to whoever began it. Try again in a moment.") : error;
    }
  }, { say: part.fail, main: true });
  part.body.append(check, said, list);
  return part.root;
}

function checkLine({ name, ok, detail }) {
  return element("li", {}, [badge(ok ? "holds" : "broken", ok ? "up" : "down"), element("span", {}, [name, detail ? element("span", { class: "detail" }, detail) : null])]);
}

/** Shoppers who order, as many a second as the slider says. */
export function load(ops) {
  const part = panel("Load", { id: "load" });
  const rate = field("Orders a second", "load-rate", "range", { min: 0, max: 200, step: 1, value: 0 });
  const wanted = element("output", { for: "load-rate" }, "0");
  const said = element("p", { role: "status" }, "Reading …");
  /** While somebody moves the slider it is theirs. */
  let timer;
  const send = async () => {
    try {
      const now = await ops.api.send("PUT", "load", { rate: Number(rate.input.value) });
      part.fine();
      draw(now);
    } catch (error) {
      part.fail(error);
    }
    timer = undefined;
  };
  const draw = (now) => {
    const { rate: asked, running, ordered, failed, p99Ms, error } = now;
    if (error) part.fail(new Error(`The load has stopped: ${error}`));
    const figures = `${ordered ?? 0} ordered, ${failed ?? 0} failed${p99Ms ? `, 99 of 100 within ${duration(p99Ms)}` : ""}`;
    said.textContent = running ? `${asked} a second: ${figures}` : `Nobody orders now${ordered ? `. Last time: ${figures}` : "."}`;
    if (timer !== undefined) return;
    rate.input.value = asked ?? 0;
    wanted.textContent = rate.input.value;
  };
  rate.input.addEventListener("input", () => {
    wanted.textContent = rate.input.value;
    clearTimeout(timer);
    timer = setTimeout(send, SETTLED_MS);
  });
  const stop = button("Stop", async () => {
    clearTimeout(timer);
    rate.input.value = 0;
    await send();
  }, { say: part.fail, label: "Stop the load" });
  rate.root.append(wanted);
  part.body.append(rate.root, said, stop);
  const read = async () => {
    const now = await ops.api.get("load", {}, ops.signal);
    part.fine();
    draw(now);
  };
  void repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail });
  return part.root;
}

/** What can be broken; each heals by itself, and its button counts down. */
export function faults(ops) {
  const part = panel("Faults", { id: "faults", wide: true, note: "Each heals by itself. What it does is seen above, in the traces and in the logs." });
  const list = element("ul", { class: "faults" });
  part.body.append(list);
  const lines = new Map();
  const begin = async (name) => {
    part.fine();
    await ops.api.send("POST", `faults/${encodeURIComponent(name)}`);
    await read();
  };
  const read = async () => {
    const all = await ops.api.get("faults", {}, ops.signal);
    for (const one of all) {
      if (!lines.has(one.name)) lines.set(one.name, faultLine(one, begin, part.fail));
      lines.get(one.name).draw(one);
    }
    keep(list, all, { key: ({ name }) => name, stamp: ({ name }) => name, make: ({ name }) => lines.get(name).root });
  };
  void repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail, fine: part.fine });
  return part.root;
}

function faultLine({ name, title }, begin, say) {
  let now = {};
  const state = element("span", { class: "detail", id: `fault-${name}-state` });
  const left = element("progress", { "aria-label": `${title} heals`, hidden: true });
  const press = element("button", { type: "button", "data-fault": name, "aria-describedby": state.id }, title);
  press.addEventListener("click", async () => {
    if (press.getAttribute("aria-disabled") === "true") return;
    press.setAttribute("aria-disabled", "true");
    await begin(name).catch(say);
    draw(now);
  });
  const draw = (one) => {
    now = one;
    const { active, available, remainingSeconds, healsAfterSeconds, healed } = one;
    // Not `disabled`: the focus stays on the button that somebody has just pressed.
    press.setAttribute("aria-disabled", String(active || !available));
    press.dataset.active = String(active);
    left.hidden = !active;
    left.max = healsAfterSeconds || 1;
    left.value = Math.max(0, (remainingSeconds ?? 0));
    state.textContent = words(one);
    press.dataset.healed = String(healed ?? "");
  };
  return { root: element("li", {}, [press, state, left]), draw };
}

/** How a fault is. */
function words({ active, available, remainingSeconds, healsAfterSeconds, healed, why }) {
  if (active) return remainingSeconds > 0 ? `heals in ${Math.ceil(remainingSeconds)} s` : "healing …";
  if (!available) return `not here: ${why ?? "it is not available"}`;
  if (healed === false) return "has not healed: start the marketplace anew";
  const after = healsAfterSeconds ? `heals after ${healsAfterSeconds} s` : "happens once";
  return healed ? `has healed; ${after}` : after;
}
