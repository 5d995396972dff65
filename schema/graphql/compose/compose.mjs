// Composes the four subgraphs' SDL into ../supergraph.graphql.
//
// The output depends on the inputs alone: same inputs, same bytes. Its header holds a SHA-256 of each input, which a
// Rust test recomputes, so a supergraph that was left behind is noticed on machines without Node.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { composeServices } from "@theguild/federation-composition";
import { parse, print } from "graphql";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
// Where a separate subgraph process listens; the router's own settings override these. `events` is the router itself.
const SUBGRAPHS = [
  { name: "cart", url: "http://127.0.0.1:4101/graphql" },
  { name: "loms", url: "http://127.0.0.1:4102/graphql" },
  { name: "comments", url: "http://127.0.0.1:4103/graphql" },
  { name: "events", url: "local:events" },
];

const inputs = SUBGRAPHS.map(({ name, url }) => {
  const text = readFileSync(join(folder, `${name}.graphql`), "utf8");
  const digest = createHash("sha256").update(text).digest("hex");
  return { name, url, digest, typeDefs: parseOrExit(name, text) };
});

const result = composeServices(inputs.map(({ name, url, typeDefs }) => ({ name, url, typeDefs })));
if (result.errors?.length) {
  for (const error of result.errors) {
    const code = error.extensions?.code ?? "COMPOSITION";
    process.stderr.write(`composition error ${code}: ${error.message}\n`);
  }
  process.stderr.write(`${result.errors.length} composition error(s); supergraph.graphql is unchanged\n`);
  process.exit(1);
}

const header = [
  "# Composed by `make compose-schema`; do not edit. SHA-256 of the inputs:",
  ...inputs.map(({ name, digest }) => `# ${name} ${digest}`),
].join("\n");
writeFileSync(join(folder, "supergraph.graphql"), `${header}\n\n${print(parse(result.supergraphSdl))}\n`);
process.stdout.write(`composed ${inputs.map(({ name }) => name).join(", ")} into schema/graphql/supergraph.graphql\n`);

function parseOrExit(name, text) {
  try {
    return parse(text);
  } catch (error) {
    const at = error.locations?.[0];
    process.stderr.write(`${name}.graphql:${at?.line ?? 1}:${at?.column ?? 1}: ${error.message}\n`);
    process.exit(1);
  }
}
