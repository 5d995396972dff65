// Composes subgraphs into a supergraph: `node compose.mjs OUTPUT NAME=PORT…`, with `shop` for the four of the marketplace. One
// without a port is a schema and no process: the router answers its streams from a topic.
// Any composer will do, Apollo's `rover supergraph compose` for instance; this one needs no account and no network.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { composeServices } from "@theguild/federation-composition";
import { parse, print } from "graphql";

const [output, ...named] = process.argv.slice(2);
const read = (path) => parse(readFileSync(new URL(path, import.meta.url), "utf8"));
// Where the shop's own supergraph says that they are: by these the router knows them as its own.
const shop = { cart: "http://127.0.0.1:4101/graphql", loms: "http://127.0.0.1:4102/graphql",
  comments: "http://127.0.0.1:4103/graphql", events: "local:events" };
const services = named.flatMap((it) => {
  if (it === "shop") {
    return Object.entries(shop).map(([name, url]) =>
      ({ name, url, typeDefs: read(`../../schema/graphql/${name}.graphql`) }));
  }
  const [path, port] = it.split("=");
  const url = port ? `http://127.0.0.1:${port}/graphql` : `local:${basename(path)}`;
  return { name: basename(path), url, typeDefs: read(`subgraphs/${path}.graphql`) };
});
const { errors, supergraphSdl } = composeServices(services);
if (errors?.length) {
  for (const error of errors) console.error(`composition error: ${error.message}`);
  process.exit(1);
}
// Whole or not at all: the router may look at any moment.
writeFileSync(`${output}.part`, `${print(parse(supergraphSdl))}\n`);
renameSync(`${output}.part`, output);
console.log(`composed ${services.map(({ name }) => name).join(", ")} into ${output}`);
