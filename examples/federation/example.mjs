// `make example`: two subgraphs and the router over them, and a third that joins while the router serves.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const marketplace = process.env.MARKETPLACE ?? "marketplace";
const here = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "marketplace-example-"));
const supergraph = join(folder, "supergraph.graphql");
const router = "http://127.0.0.1:4200";
const started = [];

function start(command, ...args) {
  const child = spawn(command, args, { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
  child.on("error", (error) => stop(`${command}: ${error.message}`));
  started.push(child);
}

async function stop(reason) {
  const ended = started.map((child) => child.exitCode ?? new Promise((end) => child.once("close", end)));
  for (const child of started) child.kill();
  await Promise.all(ended);
  rmSync(folder, { recursive: true, force: true });
  if (reason) console.error(reason);
  process.exit(reason ? 1 : 0);
}

async function ask(query) {
  const response = await fetch(`${router}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  return response.json();
}

// Asks until the answer is without errors, for thirty seconds at most.
async function answer(query) {
  for (let tries = 0; tries < 300; tries++) {
    const body = await ask(query).catch((error) => ({ errors: [{ message: error.message }] }));
    if (!body.errors) return body.data;
    if (tries === 299) await stop(`no answer to ${query}: ${JSON.stringify(body)}`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

// Waits until somebody listens there.
async function listens(port) {
  while (!(await fetch(`http://127.0.0.1:${port}`).catch(() => null))) {
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const node = (...args) => start(process.execPath, ...args);
node("subgraph.mjs", "books", "4201");
node("subgraph.mjs", "ratings", "4202");
await Promise.all([listens(4201), listens(4202)]);
copyFileSync(join(here, "supergraph.graphql"), supergraph);
start(marketplace, "router", "--state-dir", folder,
  "--set", `router.supergraph=${supergraph}`, "--set", "router.supergraph_reload.interval=200ms",
  "--set", "router.listen=127.0.0.1:4200", "--set", "router.admin_listen=127.0.0.1:4209");

const two = "{ books { title ratings { stars } } }";
console.log(two, JSON.stringify(await answer(two)));

const three = "{ books { title backOn } }";
console.log(three, (await ask(three)).errors[0].message);

console.log("a third subgraph joins:");
node("subgraph.mjs", "loans", "4203");
node("compose.mjs", supergraph, "books=4201", "ratings=4202", "loans=4203");
console.log(three, JSON.stringify(await answer(three)));
await stop();
