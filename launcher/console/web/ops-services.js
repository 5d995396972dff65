// The services: whether each is up, since when, and what it takes.
import { element } from "./shop-elements.js";
import { repeat } from "./ops-api.js";
import { ago, badge, bytes, keep, panel, row, table } from "./ops-elements.js";

const EVERY_MS = 2_000;

/** The table of services, which is read again every two seconds. */
export function services(ops) {
  const part = panel("Services", { id: "services", wide: true });
  const rows = table("Services", [["service"], ["state"], ["for", "number"], ["memory", "number"], ["version", "wide"], ["process", "number wide"], ["ports", "wide"]]);
  const shared = element("p", { class: "quiet", hidden: true });
  part.body.append(rows.root, shared);
  const read = async () => {
    const all = await ops.api.get("services", {}, ops.signal);
    const isShared = all.some((one) => one.shared);
    shared.hidden = !isShared;
    shared.textContent = isShared ? "One process runs all of the product's services, so they share its memory: it is said once." : "";
    keep(rows.rows, saidOnce(all), { key: ({ name }) => name, stamp: (one) => JSON.stringify([one, one.since && ago(one.since)]), make: serviceRow });
  };
  void repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail, fine: part.fine });
  return part.root;
}

/** Of those that share a process the first alone keeps its memory. */
function saidOnce(all) {
  const first = all.find((one) => one.shared);
  return all.map((one) => (one.shared && one !== first ? { ...one, memoryBytes: null } : one));
}

function serviceRow(one) {
  const name = element("span", {}, [one.name, one.detail ? element("span", { class: "detail" }, one.detail) : null]);
  return row([
    [name],
    [badge(one.state)],
    [one.since ? ago(one.since) : "", "number"],
    [bytes(one.memoryBytes), "number"],
    [one.version, "wide"],
    [one.pid ? String(one.pid) : "", "number wide"],
    [(one.ports ?? []).map(port), "wide ports"],
  ]);
}

/** A port, with the way to it where a browser can show it. */
function port({ name, port: number, url }) {
  const text = `${name} ${number}`;
  const isPage = /^https?:\/\//.test(url ?? "");
  return isPage ? element("a", { href: url, target: "_blank", rel: "noopener" }, text) : element("span", {}, text);
}
