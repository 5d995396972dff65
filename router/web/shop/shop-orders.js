// The user's orders, which move as the order stream says: over a kill of the router, too, nothing is missed.
import { button, element, money, moment, named, operation, problem } from "./shop-elements.js";
import { freshKey, link, NAME } from "./shop-graph.js";

const ORDER = "id status version createdAt expiresAt total { amount currency } "
  + `lines { count unitPrice { amount currency } product { sku ${NAME} } } history { version status at }`;
const ORDERS = `query MyOrders {
  me { orders(first: 50) { totalCount nodes { ${ORDER} } } }
}`;
const ONE = `query MyOrder($id: ID!) {
  order(id: $id) { ${ORDER} }
}`;
const MOVES = `subscription MyOrders {
  myOrderEvents { kind orderId version status order { ${ORDER} } }
}`;
const PAY = `mutation Pay($id: ID!) {
  payOrder(input: { orderId: $id }) { order { id status } userErrors { code message } }
}`;
const CANCEL = `mutation Cancel($id: ID!) {
  cancelOrder(input: { orderId: $id }) { order { id status } userErrors { code message } }
}`;
const WORDS = {
  NEW: "new",
  AWAITING_PAYMENT: "awaits payment",
  FAILED: "failed: too little stock",
  PAID: "paid",
  CANCELLED: "cancelled",
};

/** All orders of the user, newest first. */
export async function orders(shop) {
  const read = async () => {
    const { data } = await shop.graph.ask(ORDERS, {}, shop);
    if (!data.me.orders) throw new Error("The orders cannot be read now.");
    return data.me.orders.nodes;
  };
  const list = element("ul", { class: "lines" });
  const live = element("p", { class: "quiet", role: "status" });
  const none = element("p", {}, "Nothing was ordered yet.");
  const shown = new Map();
  const put = (one) => {
    const known = shown.get(one.id);
    if (known && known.version >= one.version) return;
    const row = item(one);
    if (known) known.row.replaceWith(row);
    else list.prepend(row);
    shown.set(one.id, { version: one.version, row });
    none.hidden = true;
  };
  const draw = (nodes) => nodes.toReversed().forEach(put);
  // The stream first, then the list: what happens in between is in both.
  const moves = watch(shop, live, { put, again: async () => draw(await read()) });
  draw(await read());
  none.hidden = shown.size > 0;
  shop.show(element("h2", {}, "My orders"), live, operation(link(MOVES, {}, shop.graph.user.id)), none, list);
  await moves;
}

/** One order, with what can be done about it. */
export async function order(shop, id) {
  const read = async () => (await shop.graph.ask(ONE, { id }, shop)).data.order;
  const page = element("div");
  const live = element("p", { class: "quiet", role: "status" });
  let version = 0;
  const put = (one) => {
    if (one.id !== id || one.version <= version) return;
    version = one.version;
    page.replaceChildren(...detail(one, shop));
  };
  const moves = watch(shop, live, { put, again: async () => put(await read()) });
  const now = await read();
  if (!now) {
    const back = element("a", { href: "#/orders" }, "My orders");
    return shop.show(element("h2", {}, "No such order"), element("p", {}, [`You have no order ${id}. `, back]));
  }
  put(now);
  shop.show(page, live);
  await moves;
}

/** Follows the user's orders until the place is left; says how it goes. */
async function watch(shop, live, { put, again }) {
  const words = { connecting: "Connecting …", live: "Live: this page moves by itself.", hidden: "Paused while nobody looks." };
  const tell = ({ state }) => {
    live.textContent = words[state] ?? "The connection is lost; it goes on where it was.";
  };
  try {
    for await (const { result } of shop.graph.follow(MOVES, shop.signal, tell)) {
      const event = result.data?.myOrderEvents;
      if (event?.kind === "GAP") await again();
      if (event?.order) put(event.order);
    }
  } catch (error) {
    if (!shop.signal.aborted) live.replaceChildren(problem(error, shop.again));
  }
}

function item(one) {
  return element("li", { class: "moved" }, [
    element("a", { href: `#/order/${one.id}` }, `Order ${one.id}`),
    status(one.status),
    element("span", { class: "quiet" }, moment(one.createdAt)),
    element("span", { class: "price" }, money(one.total)),
  ]);
}

function detail(one, shop) {
  const act = (text, what) => async () => {
    await shop.graph.ask(text, { id: one.id }, { key: freshKey(what) });
  };
  const isOpen = one.status === "AWAITING_PAYMENT";
  const buttons = isOpen && element("div", { class: "row start" }, [
    button("Pay", act(PAY, "pay"), { ...shop, main: true }),
    button("Cancel the order", act(CANCEL, "cancel"), shop),
    operation(link(PAY, { id: one.id }, shop.graph.user.id)),
  ]);
  return [
    element("h2", {}, `Order ${one.id}`),
    element("p", { class: "row start moved" }, [
      status(one.status),
      isOpen && one.expiresAt ? element("span", { class: "quiet" }, ["reserved until ", moment(one.expiresAt)]) : null,
    ]),
    buttons || null,
    element("h3", {}, "Lines"),
    element("ul", { class: "lines" }, one.lines.map(({ count, unitPrice, product }) =>
      element("li", {}, [
        element("a", { href: `#/product/${product.sku}` }, named(product)),
        element("span", {}, `${count} ×`),
        element("span", { class: "price" }, money(unitPrice)),
      ]))),
    element("p", { class: "row" }, [element("span", {}, "Total"), element("span", { class: "price" }, money(one.total))]),
    element("h3", {}, "What happened"),
    element("ol", { class: "lines" }, one.history.map((change) =>
      element("li", {}, [element("span", {}, `${change.version}. ${WORDS[change.status]}`), moment(change.at)]))),
  ].filter(Boolean);
}

function status(name) {
  return element("span", { class: "status", "data-status": name }, WORDS[name] ?? name);
}
