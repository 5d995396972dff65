// `node join.mjs shop.graphql`: warranty joins a shop that runs over that file, with a stopwatch, while a live stream is open.
// ROUTER is the router's address, http://127.0.0.1:4000 unless it is set.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const [supergraph = "shop.graphql"] = process.argv.slice(2);
const router = process.env.ROUTER ?? "http://127.0.0.1:4000";
const here = fileURLToPath(new URL(".", import.meta.url));
const began = performance.now();
const say = (text) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${text}`);

async function post(path, body, headers = {}) {
  const response = await fetch(`${router}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return response.ok ? response : Promise.reject(new Error(`${path}: ${await response.text()}`));
}

const { token } = await (await post("/demo/token", { user: "424242" })).json();
const authorization = `Bearer ${token}`;
const ask = async (query) => (await post("/graphql", { query }, { authorization })).json();
const order = async () => {
  const query = `mutation { createOrder(input: {lines: [{sku: "1076963", count: 1}]}) { order { id } userErrors { code } } }`;
  const { data } = await ask(query);
  return data.createOrder.order.id;
};

// The stream's events so far, and whether it has ended.
const stream = { orders: [], ended: false };
const query = "subscription { myOrderEvents { orderId } }";
const opened = await post("/graphql", { query }, { authorization, accept: "text/event-stream" });
(async () => {
  let text = "";
  for await (const chunk of opened.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.match(/^data: ?(.+)$/m)?.[1];
      if (data) stream.orders.push(JSON.parse(data).data.myOrderEvents.orderId);
    }
  }
})().catch(() => {}).finally(() => { stream.ended = true; });

// Tries for thirty seconds at most.
async function until(what, isSo) {
  for (let tries = 0; tries < 300; tries++) {
    if (await isSo()) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`${what} did not come`);
}
const seen = async (id) => until(`the event of order ${id}`, () => stream.orders.includes(id));

const before = await order();
await seen(before);
const field = "{ products(first: 2) { nodes { name warrantyMonths } } }";
say(`a stream is open, and the router says: ${(await ask(field)).errors[0].message}`);

const warranty = spawn(process.execPath, ["subgraph.mjs", "warranty", "4204"], { cwd: here, stdio: ["ignore", "pipe", "inherit"] });
try {
  await once(warranty.stdout, "data");
  say("warranty listens");
  execFileSync(process.execPath, ["compose.mjs", supergraph, "shop", "warranty=4204"], { cwd: here });
  say("composed");
  let answer;
  await until("the field", async () => { answer = await ask(field); return !answer.errors; });
  say(`served: ${JSON.stringify(answer.data)}`);
  await seen(await order());
  if (stream.ended) throw new Error("the stream was closed");
  say("the stream is open still, and had the next event");
} finally {
  warranty.kill();
}
process.exit(0);
