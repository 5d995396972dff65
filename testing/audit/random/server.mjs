// Serves the audit's graphs over made-up values, with the same paths as the audit's own server: /ids, and for each graph
// /ID/supergraph, /ID/tests?count=&seed= (random queries with what graphql-js answers to them over one schema) and a path for
// each subgraph. Usage, in a clone of the audit with its packages installed: tsx server.mjs PORT

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { writeQuery } from "./queries.mjs";
import { World } from "./values.mjs";

const require = createRequire(`${process.cwd()}/package.json`);
const graphql = require("graphql");
const { buildSubgraphSchema } = require("@apollo/subgraph");
const { Supergraph } = require("@apollo/federation-internals");

const port = Number(process.argv[2]);
const origin = `http://127.0.0.1:${port}`;
// The audit says what its graphs are; its resolvers are not asked.
const audit = `http://127.0.0.1:${port + 9}`;
const { serve } = await import(pathToFileURL(`${process.cwd()}/src/index.ts`));
await serve(port + 9);
const ids = await (await fetch(`${audit}/ids`)).json();

// What the audit wants an error for: a subgraph has the field of an interface, and not of each of its objects.
const REFUSED = new Map([["corrupted-supergraph-node-id", { type: "Node", field: "id" }]]);

const isDropped = ({ directives }) =>
  directives.some(({ name, arguments: [condition] }) => condition.value.value === (name.value === "skip"));

// Whether a field of an interface is asked of all of its objects at once. Queries have neither variables nor named fragments.
function asksFor(api, refused, set, objects) {
  const possible = (type) => (graphql.isAbstractType(type) ? api.getPossibleTypes(type) : [type]);
  const all = possible(api.getType(refused.type));
  return set.selections.some((item) => {
    if (isDropped(item)) return false;
    if (item.kind === "InlineFragment") {
      const on = item.typeCondition && possible(api.getType(item.typeCondition.name.value));
      return asksFor(api, refused, item.selectionSet, objects.filter((object) => !on || on.includes(object)));
    }
    if (item.name.value === refused.field && all.every((object) => objects.includes(object))) return true;
    if (!item.selectionSet) return false;
    const type = graphql.getNamedType(objects[0]?.getFields()[item.name.value].type);
    return type !== undefined && asksFor(api, refused, item.selectionSet, possible(type));
  });
}

const worlds = new Map();
async function world(id) {
  if (!worlds.has(id)) {
    const subgraphs = await (await fetch(`${audit}/${id}/subgraphs`)).json();
    const supergraph = await (await fetch(`${audit}/${id}/supergraph`)).text();
    const api = Supergraph.build(supergraph).apiSchema().toGraphQLJSSchema();
    const schemas = new Map(subgraphs.map(({ name, sdl }) => [name, buildSubgraphSchema({ typeDefs: graphql.parse(sdl) })]));
    worlds.set(id, { supergraph: supergraph.replaceAll(audit, origin), api, made: new World(graphql, api, schemas, subgraphs) });
  }
  return worlds.get(id);
}

async function tests(id, { api, made }, search) {
  const refused = REFUSED.get(id);
  const cases = [];
  const state = { value: Number(search.get("seed") ?? 1) >>> 0 };
  for (let tries = 0; cases.length < Number(search.get("count") ?? 100) && tries < 100_000; tries += 1) {
    const query = writeQuery(graphql, api, made, state);
    const document = graphql.parse(query);
    if (graphql.validate(api, document).length > 0) continue;
    const root = document.definitions[0].selectionSet;
    if (refused && asksFor(api, refused, root, [api.getQueryType()])) {
      cases.push({ query, expected: { data: null, errors: true } });
      continue;
    }
    const { data, errors } = await graphql.execute({ schema: api, document, ...made.whole });
    if (errors) throw new Error(`${query}\n${errors.join("\n")}`);
    cases.push({ query, expected: { data, errors: false } });
  }
  return cases;
}

async function answer(request, url) {
  const [id, name] = url.pathname.slice(1).split("/");
  if (id === "ids") return ids;
  const graph = await world(id);
  if (name === "supergraph") return graph.supergraph;
  if (name === "tests") return tests(id, graph, url.searchParams);
  let body = "";
  for await (const chunk of request) body += chunk;
  const { query, variables } = JSON.parse(body);
  const { schema, ...resolvers } = graph.made.subgraph(name);
  const document = graphql.parse(query);
  const errors = graphql.validate(schema, document);
  if (errors.length > 0) return { errors };
  return graphql.execute({ schema, document, variableValues: variables, ...resolvers });
}

createServer((request, response) => {
  answer(request, new URL(request.url, origin)).then(
    (found) => response.end(typeof found === "string" ? found : JSON.stringify(found)),
    (error) => {
      process.stderr.write(`${request.url}: ${error.stack}\n`);
      response.writeHead(500).end(JSON.stringify({ errors: [{ message: String(error) }] }));
    },
  );
}).listen(port, "127.0.0.1");
