// Every library over many kills of the router and of the order service: nothing lost, nothing doubled, in order.
//
// Orders are made over gRPC, which no router is needed for, while the router is dead, while it starts and while it
// serves. KILLS=20 is what the documents speak of. Beside them the libraries as they come from npm show that there was
// something to lose; nothing is demanded of those.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { lossless, stock } from "./libraries.mjs";
import { recipes, skipped } from "./recipes.mjs";
import { createOrder, eventually, pause, payOrder, routerAnswers, start, token } from "./marketplace.mjs";

const KILLS = Number(process.env.KILLS ?? 20);
const USER = 4_711;

let marketplace;
before(async () => (marketplace = await start()), { timeout: 200_000 });
after(() => marketplace?.stop());

/** What one library was given. */
class Taken {
  events = [];
  failures = [];

  take = (event) => {
    if (event?.failed === undefined) this.events.push(event);
    else this.failures.push(event.failed);
  };

  /** What came of the orders that count, in the order in which it came. */
  keys = (orders) => this.events.filter(({ orderId }) => orders.has(orderId)).map(({ orderId, version }) => `${orderId}/${version}`);
}

function startAll(clients, options) {
  return Object.entries(clients).map(([name, open]) => {
    const taken = new Taken();
    return { name, taken, stop: open(options, taken.take) };
  });
}

/** What is killed, and how: kill -9 and a drain by turns, the order service every fourth time. */
const next = (round) => {
  const isLoms = round % 4 === 3;
  return [isLoms ? "loms" : "router", (isLoms ? round >> 2 : round) % 2 === 0 ? "SIGKILL" : "SIGTERM"];
};

test(`${KILLS} kills lose nothing and double nothing`, { timeout: 900_000 }, async (t) => {
  for (const name of skipped) t.diagnostic(`SKIPPED, not here: ${name}`);
  const options = { token: () => token(USER), user: USER, fixedToken: await token(USER) };
  const all = startAll({ ...lossless, ...recipes }, options);
  const compared = startAll(stock, options);
  const orders = new Set();
  const expected = [];
  const order = async (isPaid) => {
    const id = await createOrder(USER);
    orders.add(id);
    if (isPaid) await payOrder(id);
    for (let version = 1; version <= (isPaid ? 3 : 2); version += 1) expected.push(`${id}/${version}`);
  };
  const hasAll = ({ taken }) => new Set(taken.keys(orders)).size === expected.length;

  await eventually("every stream is open", async () => {
    await createOrder(USER);
    await pause(500);
    return [...all, ...compared].every(({ taken }) => taken.events.length > 0);
  });
  const kinds = [];
  for (let round = 0; round < KILLS; round += 1) {
    const [service, signal] = next(round);
    kinds.push(`${service} ${signal}`);
    const killed = marketplace.kill(service, signal);
    for (let made = 0; made < 3; made += 1) await order(made === 1);
    await killed;
    await order(false);
    await eventually("the router answers", routerAnswers);
    await pause(Math.random() * 1_500);
    await order(true);
  }
  t.diagnostic(`${expected.length} events; killed: ${kinds.join(", ")}`);
  await eventually("everybody has everything", async () => all.every(hasAll), 90_000).catch((error) => t.diagnostic(error.message));

  for (const { name, taken, stop } of all) {
    const failures = [...taken.failures];
    stop();
    const keys = taken.keys(orders);
    const lost = expected.filter((key) => !keys.includes(key));
    const doubled = keys.filter((key, at) => keys.indexOf(key) !== at);
    t.diagnostic(`${name}: ${keys.length} events, ${lost.length} lost, ${doubled.length} doubled`);
    assert.deepEqual({ name, failures, lost, doubled }, { name, failures: [], lost: [], doubled: [] });
    assert.ok(inOrder(taken.events), `${name}: the versions of each order rise`);
  }
  for (const { name, taken, stop } of compared) {
    const keys = new Set(taken.keys(orders));
    stop();
    const lost = expected.filter((key) => !keys.has(key)).length;
    t.diagnostic(`${name}: ${lost} of ${expected.length} lost, ${taken.failures.length > 0 ? "and ended" : "still open"}`);
  }
});

function inOrder(events) {
  const last = new Map();
  return events.every(({ orderId, version }) => {
    const rises = version === (last.get(orderId) ?? version - 1) + 1;
    last.set(orderId, version);
    return rises;
  });
}
