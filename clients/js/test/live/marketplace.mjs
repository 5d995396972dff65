// A marketplace of the test's own, each service a process of its own, and what kills it.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MARKETPLACE = process.env.MARKETPLACE ?? "marketplace";
const OFFSET = Number(process.env.PORT_OFFSET ?? 20_000);
/** Of which there is more than the test takes, and which the catalogue knows. */
const SKU = 139_275_865;

export const ORIGIN = `http://127.0.0.1:${4000 + OFFSET}`;
export const LOMS = `http://127.0.0.1:${8083 + OFFSET}`;

export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Asks again until the answer is true. */
export async function eventually(what, ask, limitMs = 60_000) {
  for (const end = Date.now() + limitMs; Date.now() < end; await pause(50)) {
    if (await ask().catch(() => false)) return;
  }
  throw new Error(`${what}: not within ${limitMs} ms`);
}

/** Starts it, with these settings besides its own; ready when it gives. */
export async function start(settings = []) {
  const folder = mkdtempSync(join(tmpdir(), "marketplace-clients-"));
  const set = ["up.restart_pause_max=200ms", ...settings].flatMap((setting) => ["--set", setting]);
  const args = ["up", "--processes", "--port-offset", String(OFFSET), "--state-dir", folder, ...set];
  const child = spawn(MARKETPLACE, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding("utf8").on("data", (text) => (said = (said + text).slice(-8_000)));
  }
  const ended = new Promise((end) => child.once("close", end).once("error", end));
  const failed = ended.then(() => Promise.reject(new Error(`it ended before it was ready: ${said}`)));
  const ready = eventually("ready", async () => said.includes("marketplace is ready"), 180_000);
  await Promise.race([ready, failed]);
  failed.catch(() => {});
  const pid = (name) => JSON.parse(`[${readFileSync(join(folder, "run", `${name}.pid`), "utf8").match(/\d+/)}]`)[0];
  return {
    pid,
    /** Ends a service's process as `signal` does, and waits until another one runs. */
    async kill(name, signal) {
      const old = pid(name);
      process.kill(old, signal);
      await eventually(`another ${name}`, async () => pid(name) !== old);
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function routerAnswers() {
  return (await fetch(`${ORIGIN}/demo/token`, { method: "POST", body: "{}" })).status > 0;
}

/** A demo token of a user; asked for as long as no router answers. */
export async function token(user) {
  let token;
  await eventually("a token", async () => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${ORIGIN}/demo/token`, { method: "POST", headers, body: JSON.stringify({ user }) });
    token = (await response.json()).token;
    return token !== undefined;
  });
  return token;
}

/** Creates an order over gRPC, which no router is needed for, and gives its id; tries again under one key until it is there. */
export async function createOrder(user) {
  const key = crypto.randomUUID();
  const request = [field(1, user), [0x12], length(item()), item()].flat();
  let answer;
  await eventually("an order", async () => {
    answer = await call("OrderCreate", request, { "idempotency-key": key });
    return answer !== undefined;
  });
  return varint(answer, 1);
}

export async function payOrder(order) {
  await eventually("a payment", async () => (await call("OrderPay", field(1, order))) !== undefined);
}

const item = () => [...field(1, SKU), ...field(2, 1)];
const length = (bytes) => [bytes.length];
const field = (number, value) => [number << 3, ...bytesOf(value)];

function bytesOf(value) {
  const bytes = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    const last = rest < 0x80n;
    bytes.push(Number(rest & 0x7fn) | (last ? 0 : 0x80));
    if (last) return bytes;
  }
}

function varint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; at += 1, shift += 7n) {
    value |= BigInt(bytes[at] & 0x7f) << shift;
    if (bytes[at] < 0x80) return String(value);
  }
}

/** One unary call; the answer's bytes, or `undefined` when it was refused or broke. */
function call(method, message, metadata = {}) {
  return new Promise((resolve) => {
    const session = connect(LOMS);
    const give = (answer) => (session.destroy(), resolve(answer));
    session.on("error", () => give(undefined));
    const headers = { ":method": "POST", ":path": `/loms.Loms/${method}`, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ...headers, ...metadata });
    const body = [];
    let status;
    stream.on("response", (head) => (status = head["grpc-status"] ?? status));
    stream.on("trailers", (trailers) => (status = trailers["grpc-status"]));
    stream.on("data", (chunk) => body.push(...chunk));
    stream.on("error", () => give(undefined));
    stream.on("close", () => give(status === "0" ? body.slice(5) : undefined));
    setTimeout(() => give(undefined), 10_000).unref();
    stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  });
}
