// Writes what graphql-js says to its full introspection query over the consumer schema of supergraph.graphql. Usage, with
// the packages of ../verdicts: node expected.mjs > expected.json

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../verdicts/", import.meta.url));
const { buildASTSchema, getIntrospectionQuery, graphqlSync, parse, visit } = require("graphql");

const isOfSupergraph = (name) => /^(join__|link|inaccessible)/.test(name);
const supergraph = parse(readFileSync(new URL("supergraph.graphql", import.meta.url), "utf8"));
const own = supergraph.definitions.filter((found) => !isOfSupergraph(found.name?.value ?? "") && found.name?.value !== "oneOf");
const schema = buildASTSchema(visit({ ...supergraph, definitions: own }, {
  Directive: (node) => (isOfSupergraph(node.name.value) ? null : undefined),
}));
const source = getIntrospectionQuery({
  directiveIsRepeatable: true, inputValueDeprecation: true, oneOf: true, schemaDescription: true, specifiedByUrl: true,
});
writeFileSync(new URL("query.graphql", import.meta.url), source.replaceAll(/^ {4}/gm, "").trim() + "\n");

// What is of a draft beyond the specification of September 2025 is left out.
const drafts = ["DIRECTIVE_DEFINITION", "FRAGMENT_VARIABLE_DEFINITION"];
const { data } = graphqlSync({ schema, source });
const type = (name) => data.__schema.types.find((found) => found.name === name);
const locations = type("__DirectiveLocation");
locations.enumValues = locations.enumValues.filter(({ name }) => !drafts.includes(name));
type("__Directive").fields = type("__Directive").fields.filter(({ name }) => !/deprecat/i.test(name));
type("__Schema").fields.find(({ name }) => name === "directives").args = [];
for (const directive of data.__schema.directives) directive.locations = directive.locations.filter((name) => !drafts.includes(name));
console.log(JSON.stringify({ data }, null, 1));
