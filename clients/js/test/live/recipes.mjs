// The programs of docs/clients.md in other languages: each prints a line of order and version for every event.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { LOMS, ORIGIN } from "./marketplace.mjs";

const clients = fileURLToPath(new URL("../../../", import.meta.url));
const PYTHON = process.env.PYTHON ?? "python3";
const EXAMPLES = process.env.EXAMPLES ?? join(clients, "../target/debug/examples");

const works = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
const python = (...modules) => works(PYTHON, "-c", `import ${modules}`);

const PROGRAMS = [
  ["Python, httpx-sse", python("httpx", "httpx_sse"), [PYTHON, join(clients, "python/follow_sse.py")]],
  ["Python, gql", python("gql", "websockets"), [PYTHON, join(clients, "python/follow_ws.py")]],
  ["Go", works("go", "version"), ["go", "-C", join(clients, "go"), "run", "."]],
  ["Rust, server-sent events", existsSync(join(EXAMPLES, "follow_sse")), [join(EXAMPLES, "follow_sse")]],
  ["Rust, gRPC", existsSync(join(EXAMPLES, "follow_grpc")), [join(EXAMPLES, "follow_grpc")]],
];

/** Those that can run here, as the libraries are; and the names of those that cannot. */
export const recipes = Object.fromEntries(PROGRAMS.filter(([, runs]) => runs).map(([name, , command]) => [name, run(command)]));
export const skipped = PROGRAMS.filter(([, runs]) => !runs).map(([name]) => name);

function run([command, ...args]) {
  return ({ user, fixedToken }, take) => {
    const env = {
      ...process.env,
      MARKETPLACE_URL: `${ORIGIN}/graphql`,
      MARKETPLACE_GRPC: LOMS,
      MARKETPLACE_TOKEN: fixedToken,
      MARKETPLACE_USER: String(user),
    };
    // In a group of its own: `go run` starts the program as another process.
    const child = spawn(command, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let isStopped = false;
    let said = "";
    child.stderr.on("data", (text) => (said = (said + text).slice(-2_000)));
    child.on("close", (code) => isStopped || take({ failed: `it ended with ${code}: ${said}` }));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [orderId, version] = line.split(" ");
      take({ orderId, version: Number(version) });
    });
    return () => {
      isStopped = true;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended already.
      }
    };
  };
}
