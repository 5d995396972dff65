// The live page: one subscription to order events, resumed behind its cursor over everything that can end it.
import { fetchToken, USERS } from "./demo-token.js";
import { follow } from "./resume.js";
import { open } from "./websocket.js";

const ROWS_KEPT = 500;
const FIELDS = "kind orderId version status at cursor";
const ORDER = 'mutation { createOrder(input: { lines: [{ sku: "1076963", count: 1 }] }) '
  + "{ order { id } userErrors { message } } }";
const PAY = "mutation ($id: ID!) { payOrder(input: { orderId: $id }) { order { status } userErrors { message } } }";

const at = (id) => document.getElementById(id);
const breaker = { current: () => {} };
let user = USERS[0];
let end = new AbortController();
let frames = 0;

for (const one of USERS) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = one.label;
  button.dataset.user = one.id;
  button.addEventListener("click", () => remember(one, null) || watch());
  at("users").append(button);
}
at("order").addEventListener("click", placeAndPay);
at("break").addEventListener("click", () => breaker.current());
at("stop").addEventListener("click", () => end.abort());
at("resume").addEventListener("click", () => watch());
watch();

/** Who watches and behind which cursor, as the page's address says. */
function remembered() {
  const from = new URLSearchParams(location.hash.slice(1));
  return { user: USERS.find((one) => one.id === from.get("user")) ?? USERS[0], cursor: from.get("after") };
}

function remember(who, cursor) {
  const to = new URLSearchParams({ user: who.id, ...(cursor && { after: cursor }) });
  history.replaceState(null, "", `#${to}`);
}

async function watch() {
  end.abort();
  const mine = new AbortController();
  end = mine;
  const { user: who, cursor } = remembered();
  if (who !== user) at("frames").replaceChildren();
  user = who;
  for (const button of at("users").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.user === who.id));
  }
  if (cursor) seam(`goes on behind ${cursor}`);
  const field = who.ops ? "allOrderEvents" : "myOrderEvents";
  const payload = { query: `subscription { ${field} { ${FIELDS} } }` };
  const connect = async function* (connection) {
    const headers = await authorization(who);
    yield* open({ url: "/graphql", payload, headers, ...connection });
  };
  const tell = (news) => end === mine && say(news, who);
  running(true);
  try {
    for await (const frame of follow({ connect, from: cursor, tell, breaker, signal: mine.signal })) {
      if (end === mine) draw(frame, who);
    }
    if (end === mine) at("state").textContent = "Stopped. Nothing is lost meanwhile: resume when you like.";
  } catch (error) {
    if (end === mine) at("state").textContent = `Not watching: ${error.message}`;
  }
  if (end === mine) running(false);
}

function running(isRunning) {
  at("break").disabled = at("stop").disabled = !isRunning;
  at("resume").hidden = isRunning;
}

function say({ state, cursor, connections, why }, who) {
  const words = {
    connecting: "Connecting …",
    live: `Live, as ${who.label}. ${connections > 0 ? `Resumed ${connections === 1 ? "once" : `${connections} times`}.` : ""}`,
    waiting: `Connection lost (${why}). Trying again.`,
    hidden: "Not watching while nobody looks. It goes on where it was.",
  };
  at("state").dataset.state = state;
  at("state").textContent = words[state];
  if (state === "live" && connections > 0) seam(`resumed behind ${cursor ?? "the stream's end"}`);
}

function draw({ cursor, result }, who) {
  const event = Object.values(result.data ?? {})[0] ?? {};
  const problem = result.errors?.[0]?.message;
  const kind = event.kind ?? "error";
  const time = event.at?.replace("T", " ").replace(/(\.\d{3})?\d*Z$/, "$1");
  at("frames").querySelector(".fresh")?.classList.remove("fresh");
  const row = add([++frames, kind, event.orderId, event.version, event.status ?? problem, time, cursor]);
  row.classList.add(kind === "GAP" ? "gap" : "fresh");
  if (cursor) remember(who, cursor);
}

/** A row between the frames of two connections. */
function seam(text) {
  const row = add([text]);
  row.className = "seam";
  row.firstChild.colSpan = 7;
}

function add(texts) {
  const row = document.createElement("tr");
  for (const [index, text] of texts.entries()) {
    const cell = row.insertCell();
    const place = index === 6 ? cell.appendChild(document.createElement("code")) : cell;
    place.textContent = text ?? "";
  }
  at("frames").prepend(row);
  while (at("frames").rows.length > ROWS_KEPT) at("frames").lastChild.remove();
  return row;
}

async function placeAndPay() {
  at("order").disabled = true;
  try {
    const { createOrder } = await ask(USERS[0], ORDER);
    const refused = createOrder.userErrors[0]?.message;
    if (refused) throw new Error(refused);
    await ask(USERS[0], PAY, { id: createOrder.order.id });
    at("said").textContent = `Order ${createOrder.order.id} is placed and paid.`;
  } catch (error) {
    at("said").textContent = error.message;
  }
  at("order").disabled = false;
}

async function ask(who, query, variables) {
  const headers = { ...(await authorization(who)), "content-type": "application/json", accept: "application/json" };
  const response = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const answer = await response.json();
  if (answer.errors) throw new Error(answer.errors[0].message);
  return answer.data;
}

async function authorization(who) {
  return { authorization: `Bearer ${await fetchToken(who)}` };
}
