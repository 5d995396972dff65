// What earlier answers told, and later operations need: the id of the newest order and the key of the next purchase.
//
// A key names one purchase. A new one is made when something was put into the cart, so that "the same key again" is a
// repeat, and the next shopping is a purchase of its own. Values that a person typed in are never overwritten.

const NO_ORDER_YET = "run 5 Checkout first";
/** The variables that are filled in, by their name in the operation. */
const FILLED = ["key", "orderId"];
/** The user on whose behalf a tab's operation asks, where that is not the one of the switch. */
const ASKED_BY = { NotYours: "2" };

let facts = { key: newKey(), orderId: NO_ORDER_YET };
const ours = new Set(Object.values(facts));
const listeners = new Set();

/** For React's `useSyncExternalStore`: calls back at every change. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is known now; another object after every change. */
export function known() {
  return facts;
}

/** Takes out of an answer what later operations need. */
export function learn(result) {
  for (const payload of Object.values(result?.data ?? {})) {
    if (payload?.userErrors === undefined) continue; // not a mutation's
    if (payload.order?.id) change({ orderId: payload.order.id });
    if (payload.cart) change({ key: newKey() });
  }
}

/** The variables that an operation begins with, as JSON; nothing where it has none that are filled in. */
export function initialVariables(text) {
  const names = FILLED.filter((name) => new RegExp(`\\$${name}\\s*:`).test(text));
  const values = Object.fromEntries(names.map((name) => [name, facts[name]]));
  return names.length > 0 ? JSON.stringify(values, null, 2) : undefined;
}

/** The variables' text with what is known filled in; the text as it is where a person wrote something else. */
export function fill(text) {
  let variables;
  try {
    variables = JSON.parse(text);
  } catch {
    return text; // half typed: leave it alone
  }
  const stale = FILLED.filter((name) => ours.has(variables?.[name]) && variables[name] !== facts[name]);
  if (stale.length === 0) return text;
  return JSON.stringify({ ...variables, ...Object.fromEntries(stale.map((name) => [name, facts[name]])) }, null, 2);
}

/** The id of the user who asks on this tab, unless a person chose another; undefined where it is the switch's. */
export function askedBy(operationName) {
  return ASKED_BY[operationName];
}

function change(news) {
  facts = { ...facts, ...news };
  for (const value of Object.values(news)) ours.add(value);
  for (const listener of listeners) listener();
}

function newKey() {
  // Not `crypto.randomUUID`: a page that is reached by another name than localhost has none without TLS.
  const random = crypto.getRandomValues(new Uint32Array(2));
  return `purchase-${Array.from(random, (word) => word.toString(36)).join("")}`;
}
