// `make example-streams`: parcels from a topic as a live stream; the router is killed, and no change is lost or comes twice.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Kafka, logLevel } from "kafkajs";

const marketplace = process.env.MARKETPLACE ?? "marketplace";
const brokers = process.env.TEST_KAFKA_BROKERS ?? "127.0.0.1:9092";
const here = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "marketplace-streams-"));
const router = "http://127.0.0.1:4300";
const started = [];

function start(cwd, command, ...args) {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  child.ended = new Promise((end) => child.once("close", end));
  child.on("error", (error) => stop(`${command}: ${error.message}`));
  started.push(child);
  return child;
}

async function stop(reason) {
  for (const child of started) child.kill();
  await Promise.all(started.map((child) => child.ended));
  rmSync(folder, { recursive: true, force: true });
  if (reason) console.error(reason);
  process.exit(reason ? 1 : 0);
}

const serve = () => start(here, marketplace, "router", "--state-dir", folder,
  "--set", "router.supergraph=supergraph.graphql", "--set", `kafka.brokers=${brokers}`,
  "--set", "router.listen=127.0.0.1:4300", "--set", "router.admin_listen=127.0.0.1:4309");

const QUERY = `subscription {
  parcelEvents(parcelId: "p-1") { kind version status place parcel { address } }
}`;

// Reads frames until there are `count`, and gives them with the cursor behind the last.
async function frames(count, after) {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  if (after) headers["last-event-id"] = after;
  for (let tries = 0; ; tries++) {
    const response = await fetch(`${router}/graphql`, { method: "POST", headers, body: JSON.stringify({ query: QUERY }) })
      .catch(() => null);
    if (!response?.ok) {
      if (tries === 300) await stop("the router does not answer");
      await new Promise((wake) => setTimeout(wake, 100));
      continue;
    }
    return { read: read(response, count), response };
  }
}

async function read(response, count) {
  const found = [];
  let text = "", cursor;
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = /^data: ?(.+)$/m.exec(block)?.[1];
      cursor = /^id: ?(.+)$/m.exec(block)?.[1] ?? cursor;
      if (!data || !/^event: ?next$/m.test(block)) continue;
      const { data: body, errors } = JSON.parse(data);
      if (errors) await stop(`the stream is refused: ${data}`);
      found.push(body.parcelEvents);
      console.log(" ", JSON.stringify(body.parcelEvents));
      if (found.length === count) return { found, cursor };
    }
  }
  return { found, cursor };
}

const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: "parcels.changes", numPartitions: 2 }] });
await admin.disconnect();
const producer = kafka.producer();
await producer.connect();
const publish = (value, key = "p-1") => producer.send({ topic: "parcels.changes", messages: [{ key, value }] });
const change = (version, status, place) => publish(JSON.stringify({ version, status, place, at: new Date().toISOString() }));

start(join(here, "../federation"), process.execPath, "subgraph.mjs", "../../streams/parcels", "4301");
const first = serve();
console.log("the parcel as it is, and two changes:");
const opened = await frames(3);
await change(2, "ON_THE_WAY", "Hull");
await change(3, "ON_THE_WAY", "Leeds");
const before = await opened.read;
console.log("the router is killed; the parcel arrives while nobody serves:");
first.kill("SIGKILL");
await first.ended;
await change(4, "DELIVERED", "Mill Lane 1");
serve();
const after = await (await frames(1, before.cursor)).read;
console.log("somebody publishes what is no change:");
const resumed = await frames(1, after.cursor);
await publish("garbage");
const gap = await resumed.read;
const versions = [...before.found, ...after.found].map(({ version }) => version);
await producer.disconnect();
if (`${versions}` !== "1,2,3,4" || gap.found[0].kind !== "GAP") await stop(`wrong: ${versions}, ${JSON.stringify(gap.found)}`);
console.log(`versions ${versions.join(", ")}, each once; and a GAP where nobody can know`);
await stop();
