// The operations console: services, orders, traces and logs of a running marketplace, and what an operator can do to a demo.
//
// A place is the part of the address behind `#`: `#orders`, `#trace=ID`, `#logs&service=cart`. What a place reads again and
// again ends with it, and nothing is read while nobody sees the page.
import { element, problem } from "./shop-elements.js";
import { Api } from "./ops-api.js";
import { faults, load, verify } from "./ops-actions.js";
import { Book } from "./ops-book.js";
import { charts } from "./ops-charts.js";
import { logs } from "./ops-logs.js";
import { events, order, orders } from "./ops-orders.js";
import { services } from "./ops-services.js";
import { Session } from "./ops-session.js";
import { stock } from "./ops-stock.js";
import { trace, traceOf, traces } from "./ops-traces.js";

/** Places by their first word, with the one of the navigation that they belong to. */
const PLACES = {
  overview: { title: "Overview", under: "overview", draw: overview },
  orders: { title: "Orders", under: "orders", draw: orders },
  order: { title: "Order", under: "orders", draw: order },
  stock: { title: "Stock", under: "stock", draw: stock },
  traces: { title: "Traces", under: "traces", draw: traces },
  trace: { title: "Trace", under: "traces", draw: trace },
  "trace-of": { title: "Trace", under: "traces", draw: traceOf },
  logs: { title: "Logs", under: "logs", draw: logs },
};
const SERVICES = ["router", "cart", "loms", "comments", "notifier", "product", "console"];
const EVENTS_OF_OVERVIEW = 8;

const at = (id) => document.getElementById(id);
/** Ends what the place on the screen still waits for. */
let leaving = new AbortController();
let streaming = new AbortController();

void begin();

async function begin() {
  let about;
  try {
    about = await aboutConsole();
  } catch (error) {
    at("stream").textContent = "Not connected.";
    at("view").replaceChildren(problem(error, begin));
    return;
  }
  // Tokens that were given so far, and as of which one the stream goes.
  let given = 0;
  let followed = 0;
  const had = () => {
    at("ask-token").hidden = true;
    given += 1;
    // The one before was refused there, too.
    if (isOver(at("stream").dataset.state)) follow();
  };
  const session = new Session(about, { wanted: askToken, had });
  at("ask-token").addEventListener("submit", (event) => {
    event.preventDefault();
    session.give(at("token").value);
    at("token").value = "";
  });
  const api = new Api(session, about.router);
  const book = new Book(api, (said) => {
    told(said);
    // Another token was given before it was known that the stream's was refused.
    if (isOver(said.state) && given > followed) follow();
  });
  const elsewhere = about.pages ?? about.router;
  at("elsewhere").replaceChildren(...[["Shop", "/shop"], ["Playground", "/"]].map(([text, path]) =>
    element("a", { href: `${elsewhere}${path}`, target: "_blank", rel: "noopener" }, text)));
  const follow = () => {
    streaming.abort();
    streaming = new AbortController();
    followed = given;
    void book.follow(streaming.signal);
  };
  at("reconnect").addEventListener("click", follow);
  const serviceNames = SERVICES.map((name) => [name, name]);
  const visit = () => go({ api, book, about, serviceNames });
  addEventListener("hashchange", visit);
  follow();
  await visit();
}

/** What this console is: the router's address, and what may be done here. It needs no token. */
async function aboutConsole() {
  const response = await fetch("/ops/api/session").catch(() => {
    throw new Error("The console does not answer. Start it with `marketplace up`.");
  });
  if (response.status === 404) throw new Error("No console is served here: it is off in this profile. The setting console.enabled=true switches it on.");
  if (!response.ok) throw new Error(`The console answers with status ${response.status}.`);
  return response.json();
}

async function go(shared) {
  leaving.abort();
  const mine = new AbortController();
  leaving = mine;
  const params = new URLSearchParams(location.hash.slice(1));
  const [name = "overview", of = ""] = params.entries().next().value ?? [];
  const place = PLACES[name] ?? { title: "Not here", under: null, draw: nowhere };
  document.title = `${place.title}${of && ` ${of}`} · Operations`;
  for (const link of document.querySelectorAll("[data-place]")) {
    if (link.dataset.place === place.under) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const show = (...children) => {
    if (!mine.signal.aborted) at("view").replaceChildren(...children.filter(Boolean));
  };
  show(element("p", { class: "quiet" }, "Loading …"));
  at("view").focus({ preventScroll: true });
  scrollTo(0, 0);
  try {
    await place.draw({ ...shared, params, signal: mine.signal, show }, of);
  } catch (error) {
    if (!mine.signal.aborted) show(problem(error, () => go(shared)));
  }
}

async function overview(ops) {
  const { about } = ops;
  ops.show(
    services(ops),
    charts(ops),
    events(ops, EVENTS_OF_OVERVIEW),
    verify(ops),
    about.load ? load(ops) : null,
    about.faults ? faults(ops) : null,
    about.faults ? null : element("p", { class: "quiet" }, `Faults are for a demo alone; this marketplace runs in the profile ${about.profile}.`),
  );
}

async function nowhere({ show }) {
  show(element("h2", {}, "There is nothing here"), element("p", {}, element("a", { href: "#overview" }, "The overview")));
}

function askToken(why, source) {
  const isNew = at("ask-token").hidden;
  at("ask-token").hidden = false;
  if (why || isNew) at("ask-token-why").textContent = why ?? `This page gets no token by itself. Put in an operator's: ${source}.`;
  if (isNew) at("token").focus();
}

/** Whether a stream in this state goes on by nothing but a new one: a refusal is one, and an end after a refusal. */
function isOver(state) {
  return state === "refused" || state === "ended";
}

/** The state of the live stream, in the header. */
function told({ state, why, code, connections }) {
  const words = {
    connecting: "Connecting …",
    live: connections > 0 ? `Live, resumed ${connections === 1 ? "once" : `${connections} times`}: nothing was missed.` : "Live",
    waiting: `Connection lost (${why}). Trying again; nothing is missed.`,
    hidden: "Not watching while nobody looks.",
    unread: `Live, but the orders before now are unread. ${why}`,
    ended: "The stream has ended.",
    refused: `The live stream is refused: ${why}${code ? ` (${code})` : ""}. The rest of the page goes on.`,
  };
  at("stream").dataset.state = state;
  at("stream").textContent = words[state];
  at("reconnect").hidden = !isOver(state);
}
