// The shop: products, a cart, orders that move live. Everything it does is an operation of the public graph.
//
// A place is the part of the address behind `#`, so that the browser's own buttons work and a link leads back.
import { USERS } from "./demo-token.js";
import { Graph, Problem } from "./shop-graph.js";
import { cart, countOf } from "./shop-cart.js";
import { element, problem } from "./shop-elements.js";
import { order, orders } from "./shop-orders.js";
import { product, products } from "./shop-products.js";

const PLACES = [
  { path: /^\/?$/, name: "products", title: "Products", draw: products },
  { path: /^\/product\/(\d+)$/, name: "products", title: "Product", draw: product },
  { path: /^\/cart$/, name: "cart", title: "Cart", draw: cart },
  { path: /^\/orders$/, name: "orders", title: "My orders", draw: orders },
  { path: /^\/order\/(\d+)$/, name: "orders", title: "Order", draw: order },
];
const LOG_KEPT = 30;
const USER = "marketplace:shop-user";

const at = (id) => document.getElementById(id);
let graph;
/** Ends what the place on the screen still waits for. */
let leaving = new AbortController();

drawUsers();
actAs(USERS.find(({ id }) => id === stored()) ?? USERS[0]);
addEventListener("hashchange", () => go());

function drawUsers() {
  for (const user of USERS.filter(({ ops }) => !ops)) {
    const button = element("button", { type: "button", "data-user": user.id }, user.label);
    button.addEventListener("click", () => actAs(user));
    at("users").append(button);
  }
}

function actAs(user) {
  graph = new Graph(user, log);
  try {
    sessionStorage.setItem(USER, user.id);
  } catch {
    // A browser that stores nothing begins with the first user again.
  }
  for (const button of at("users").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.user === user.id));
  }
  // A place that shows the cart says the number itself, and a cart that cannot be read is told there.
  counted(0);
  const mine = graph;
  countOf(mine).then((items) => mine === graph && counted(items), () => {});
  void go();
}

function stored() {
  try {
    return sessionStorage.getItem(USER);
  } catch {
    return null;
  }
}

async function go() {
  leaving.abort();
  const mine = new AbortController();
  leaving = mine;
  say(null);
  const path = decodeURI(location.hash.slice(1));
  const found = PLACES.map((place) => ({ ...place, match: place.path.exec(path) })).find(({ match }) => match);
  const place = found ?? { name: null, title: "Not here", draw: nowhere, match: [] };
  document.title = `${place.title} · Shop`;
  for (const link of document.querySelectorAll("[data-place]")) {
    if (link.dataset.place === place.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  at("view").replaceChildren(element("p", { class: "quiet" }, "Loading …"));
  const shop = { graph, signal: mine.signal, say, show, counted, again: () => go() };
  try {
    await place.draw(shop, ...place.match.slice(1));
  } catch (error) {
    if (!mine.signal.aborted) show(problem(error, () => go()));
  }
  if (!mine.signal.aborted) at("view").focus({ preventScroll: true });

  function show(...children) {
    if (!mine.signal.aborted) at("view").replaceChildren(...children);
  }
}

async function nowhere({ show }) {
  show(element("h2", {}, "There is nothing here"), element("p", {}, element("a", { href: "#/" }, "All products")));
}

/** A sentence above the page, until the next one; an error in its own words. */
function say(what) {
  const text = what instanceof Error ? what.message : what;
  at("said").hidden = !text;
  at("said").textContent = text ?? "";
  at("said").classList.toggle("problem", what instanceof Problem);
}

/** How many units are in the cart, beside its name. */
function counted(items) {
  at("in-cart").hidden = !items;
  at("in-cart").textContent = items ?? "";
}

/** One row for each operation: how it was answered, and the way to it. */
function log({ name, link, answer, ms, left }) {
  const row = element("tr", {}, [
    element("td", {}, element("a", { href: link, target: "_blank", rel: "noopener" }, name)),
    ...[answer, ms, left].map((text) => element("td", {}, String(text ?? ""))),
  ]);
  at("log").prepend(row);
  while (at("log").rows.length > LOG_KEPT) at("log").lastChild.remove();
  at("asked").textContent = `${name}, ${answer}`;
}
