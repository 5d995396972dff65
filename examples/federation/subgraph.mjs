// A federation subgraph in Node: `node subgraph.mjs products 4201` serves subgraphs/products.graphql with the
// resolvers of subgraphs/products.mjs. Nothing here knows the router.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { graphql, buildASTSchema, parse, concatAST } from "graphql";

const [name, port] = process.argv.slice(2);
const sdl = readFileSync(new URL(`subgraphs/${name}.graphql`, import.meta.url), "utf8");
const { Query, entities = {} } = await import(`./subgraphs/${name}.mjs`);

// What every subgraph has beside its own schema; the union's members are its entities.
// Source: Apollo Federation subgraph specification.
const members = Object.keys(entities);
const federation = parse(`
  scalar _Any
  type _Service { sdl: String! }
  ${/^type Query\b/m.test(sdl) ? "extend " : ""}type Query { _service: _Service! }
  ${members.length ? `union _Entity = ${members.join(" | ")}
  extend type Query { _entities(representations: [_Any!]!): [_Entity]! }` : ""}
`);
const schema = buildASTSchema(concatAST([parse(sdl), federation]), { assumeValidSDL: true });
if (members.length) {
  schema.getType("_Entity").resolveType = (entity) => entity.__typename;
}
const root = {
  ...Query,
  _service: () => ({ sdl }),
  _entities: ({ representations }) =>
    representations.map(({ __typename, ...key }) => {
      const found = entities[__typename]?.(key);
      return found ? { __typename, ...found } : null;
    }),
};

const server = createServer(async (request, response) => {
  const answer = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { query, variables } = JSON.parse(Buffer.concat(chunks));
    answer(200, await graphql({ schema, source: query, rootValue: root, variableValues: variables }));
  } catch {
    answer(400, { errors: [{ message: "send {\"query\": \"...\"}" }] });
  }
});

server.listen(Number(port), "127.0.0.1", () => console.log(`${name} listens on ${port}`));
