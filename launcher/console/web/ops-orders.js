// Orders and their events, live, and one order with what happened to it and the way to its trace.
import { element, money, moment, named, button } from "./shop-elements.js";
import { badge, clock, field, keep, options, panel, row, table } from "./ops-elements.js";

const SHOWN = 100;
export const STATUSES = ["NEW", "AWAITING_PAYMENT", "FAILED", "PAID", "CANCELLED"];
const ONE = `query OrderOfConsole($id: ID!) {
  order(id: $id) {
    id status version createdAt expiresAt user { id } total { amount currency }
    lines { count unitPrice { amount currency } product { sku name stock { available total reserved } } }
    history { version status at }
  }
}`;

/** All orders that are known, with a filter, and a search that also finds older ones by their number. */
export async function orders(ops) {
  const part = panel("Orders", { id: "orders", wide: true });
  const status = field("Status", "order-status", "select", {}, options([["", "any"], ...STATUSES.map((name) => [name, words(name)])], ops.params.get("status") ?? ""));
  const text = field("Order, user or SKU", "order-search", "search", { value: ops.params.get("q") ?? "" });
  const rows = table("Orders, newest first", [["order"], ["status"], ["user", "wide"], ["units", "number wide"], ["total", "number"], ["changed", "wide"], ["trace"]]);
  const found = element("p", { class: "quiet", role: "status" });
  let older = null;
  const more = button("Read older orders", async () => {
    older = await ops.book.read({ status: status.input.value || null, after: older });
    more.hidden = older === null;
    part.fine();
  }, { say: part.fail });
  const draw = () => {
    const wanted = text.input.value.trim();
    const all = ops.book.orders;
    const fit = all.filter((one) => (!status.input.value || one.status === status.input.value) && matches(one, wanted));
    found.textContent = `${fit.length} of ${all.length} orders that this page knows${fit.length > SHOWN ? `; the newest ${SHOWN} are shown` : ""}`;
    keep(rows.rows, fit.slice(0, SHOWN), { key: ({ id }) => id, stamp: (one) => `${one.version} ${one.userId}`, make: orderRow });
  };
  const read = async () => {
    try {
      older = await ops.book.read({ status: status.input.value || null });
      more.hidden = older === null;
      part.fine();
    } catch (error) {
      part.fail(error);
    }
  };
  status.input.addEventListener("change", () => (draw(), read()));
  text.input.addEventListener("input", draw);
  const search = element("form", { class: "filters", role: "search" }, [status.root, text.root]);
  search.addEventListener("submit", async (event) => {
    event.preventDefault();
    const id = text.input.value.trim();
    if (/^\d+$/.test(id) && (await ops.book.find(id).catch(() => false))) location.hash = `#order=${id}`;
  });
  part.body.append(search, found, rows.root, more);
  ops.show(part.root, events(ops));
  ops.book.onChange(draw, ops.signal);
  draw();
  await read();
}

/** The newest events, each with the way to its order and its trace. */
export function events(ops, shown = 50) {
  const part = panel("Order events", { id: "events", wide: true });
  const rows = table("Order events, newest first", [["at"], ["order"], ["version", "number"], ["status"], ["trace"]]);
  const none = element("p", { class: "quiet" }, "None since this page was opened. What happens in the shop comes here by itself.");
  const draw = () => {
    const newest = ops.book.events.slice(0, shown);
    none.hidden = newest.length > 0;
    keep(rows.rows, newest, { key: ({ number }) => number, stamp: () => "", make: eventRow });
  };
  part.body.append(none, rows.root);
  ops.book.onChange(draw, ops.signal);
  draw();
  return part.root;
}

/** One order. */
export async function order(ops, id) {
  const part = panel(`Order ${id}`, { id: "order", wide: true });
  ops.show(part.root);
  let shown = 0;
  let reading = false;
  const read = async () => {
    reading = true;
    try {
      const { order: one } = await ops.api.ask(ONE, { id }, ops.signal);
      if (ops.signal.aborted) return;
      shown = one?.version ?? 0;
      part.body.replaceChildren(...(one ? whole(one) : [element("p", {}, "There is no such order.")]));
      part.fine();
    } catch (error) {
      if (!ops.signal.aborted) part.fail(error);
    }
    reading = false;
  };
  ops.book.onChange(() => !reading && (ops.book.order(id)?.version ?? 0) > shown && read(), ops.signal);
  await read();
}

function whole(one) {
  return [
    element("p", { class: "facts" }, [badge(words(one.status), one.status), ` version ${one.version}, of user ${one.user.id}, made `, moment(one.createdAt)]),
    element("p", { class: "facts" }, [
      traceLink({ id: one.id }, "Its trace"),
      " ",
      element("a", { href: `#logs&q=${encodeURIComponent(one.id)}` }, "Log lines that name its number"),
    ]),
    element("h3", {}, "Lines"),
    element("ul", { class: "lines" }, one.lines.map(({ count, unitPrice, product }) =>
      element("li", {}, [
        element("a", { href: `#stock&q=${product.sku}` }, named(product)),
        element("span", {}, `${count} × ${money(unitPrice)}`),
        element("span", { class: "quiet" }, product.stock ? `stock: ${product.stock.available} free, ${product.stock.reserved ?? "?"} reserved` : "no stock kept"),
      ]))),
    element("p", {}, `Total: ${money(one.total)}`),
    element("h3", {}, "What happened"),
    element("ol", { class: "lines" }, one.history.map((change) =>
      element("li", {}, [element("span", {}, [`${change.version}. `, badge(words(change.status), change.status)]), moment(change.at)]))),
  ];
}

function matches(one, wanted) {
  if (!wanted) return true;
  return one.id.startsWith(wanted) || one.userId === wanted || (one.skus ?? []).includes(wanted);
}

function orderRow(one, isChange) {
  return row([
    [element("a", { href: `#order=${one.id}` }, one.id)],
    [badge(words(one.status), one.status)],
    [one.userId ?? "…", "wide"],
    [String(one.units ?? "…"), "number wide"],
    [one.userId === undefined ? "…" : money(one.total), "number"],
    [clock(one.changedAt ?? one.createdAt), "wide"],
    [traceLink(one)],
  ], { class: isChange && "moved" });
}

function eventRow(event) {
  if (event.kind === "GAP") {
    const told = row([["Events between here and the last one are gone; the orders were read again."]], { class: "seam" });
    told.firstChild.colSpan = 5;
    return told;
  }
  return row([
    [clock(event.at)],
    [element("a", { href: `#order=${event.orderId}` }, event.orderId)],
    [String(event.version), "number"],
    [badge(words(event.status), event.status)],
    [traceLink({ id: event.orderId, cursor: event.cursor })],
  ], { class: "moved" });
}

/** The way to an order's trace, which is looked for when somebody goes there: among the last ones, it may be gone. */
function traceLink({ id, cursor }, text = "trace") {
  const place = new URLSearchParams({ "trace-of": id, ...(cursor && { cursor }) });
  return element("a", { href: `#${place}`, "aria-label": text === "trace" ? `Trace of order ${id}` : null }, text);
}

function words(status) {
  return status.toLowerCase().replaceAll("_", " ");
}
