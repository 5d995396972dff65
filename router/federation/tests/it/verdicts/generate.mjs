// Writes random documents with variables, and what graphql-js says to each: one JSON array a line,
// [verdict, text] or [verdict, text, variables]. Usage: node generate.mjs [count] [seed]
//
// Half of them are as the schema has it; the others have one to three faults, of grammar, of names or of values.

import { readFileSync } from "node:fs";
import {
  buildASTSchema, getNamedType, getNullableType, getVariableValues, isAbstractType, isCompositeType, isEnumType,
  isInputObjectType, isLeafType, isListType, isNonNullType, isObjectType, Kind, parse, validate, visit,
} from "graphql";

const count = Number(process.argv[2] ?? 3500);
let state = Number(process.argv[3] ?? 1) >>> 0;

// Mulberry32: the corpus must be the same wherever it is written.
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}
const below = (max) => Math.floor(random() * max);
const chance = (share) => random() < share;
const pick = (items) => items[below(items.length)];

const isOfSupergraph = (name) => /^(join__|link|inaccessible)/.test(name);
const supergraph = parse(readFileSync(new URL("supergraph.graphql", import.meta.url), "utf8"));
const own = supergraph.definitions.filter((found) => !isOfSupergraph(found.name?.value ?? "") && found.name?.value !== "oneOf");
const schema = buildASTSchema(visit({ ...supergraph, definitions: own }, {
  Directive: (node) => (isOfSupergraph(node.name.value) ? null : undefined),
}));

const STRINGS = ['""', '"x"', '"é😀"', '"\\u00e9"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"""block "x" \\""" """', '"a\\n\\t\\\\"'];
const INTS = ["0", "-0", "7", "-3", "2147483647", "-2147483648"];
const LARGE = ["2147483648", "-2147483649", "9223372036854775808", "123456789012345678901234567890"];
const FLOATS = ["0.5", "-1.25e3", "1e5", "3E-2"];
const ANY = [...STRINGS, ...INTS, ...LARGE, ...FLOATS, "true", "false", "null", "CAT", "INCH", "[]", "{}", "[1, [2]]", '{a: 1}', '{id: "1"}', "[null]"];

class Writer {
  constructor() {
    this.variables = new Map();
    this.fragments = [];
    this.budget = 12;
    this.faults = chance(0.5) ? 1 + below(3) : 0;
  }

  fault(share) {
    if (this.faults > 0 && chance(share)) {
      this.faults -= 1;
      return true;
    }
    return false;
  }

  scalar(type) {
    switch (type.name) {
      case "Int": return pick(INTS);
      case "Float": return pick([...FLOATS, ...INTS, ...LARGE]);
      case "String": return pick(STRINGS);
      case "ID": return pick([...STRINGS, ...INTS, ...LARGE]);
      case "Boolean": return pick(["true", "false"]);
      default: return pick(ANY);
    }
  }

  value(type, hasVariables, depth = 0) {
    if (this.fault(0.06)) return pick(ANY);
    if (hasVariables && chance(0.2)) return this.variable(type);
    if (isNonNullType(type)) return this.plain(type.ofType, hasVariables, depth);
    return chance(0.1) ? "null" : this.plain(type, hasVariables, depth);
  }

  plain(type, hasVariables, depth) {
    if (isNonNullType(type)) return this.plain(type.ofType, hasVariables, depth);
    if (isListType(type)) {
      if (chance(0.15)) return this.value(type.ofType, hasVariables, depth);
      return `[${Array.from({ length: below(3) }, () => this.value(type.ofType, hasVariables, depth)).join(pick([" ", ", "]))}]`;
    }
    if (isEnumType(type)) return pick(type.getValues()).name;
    if (!isInputObjectType(type)) return this.scalar(type);
    let fields = Object.values(type.getFields());
    if (type.isOneOf) {
      fields = this.fault(0.2) ? fields.slice(0, 2) : [pick(fields)];
      return `{${fields.map((field) => `${field.name}: ${chance(0.15) && hasVariables ? this.variable(field.type, true) : this.plain(field.type, hasVariables, depth + 1)}`).join(" ")}}`;
    }
    const chosen = fields.filter((field) => {
      const required = isNonNullType(field.type) && field.defaultValue === undefined;
      return required ? !this.fault(0.1) : chance(depth > 2 ? 0 : 0.4);
    });
    const parts = chosen.map((field) => `${field.name}: ${this.value(field.type, hasVariables, depth + 1)}`);
    if (this.fault(0.05)) parts.push(parts[0] ?? "nothing: 1");
    return `{${parts.join(" ")}}`;
  }

  // `mustBeGiven`: where a null is an error of the execution or, in a @oneOf, one that only the specification knows (5.8.5).
  variable(type, mustBeGiven = false) {
    const name = `v${this.variables.size}`;
    let written = String(type);
    if (mustBeGiven) written = `${String(type).replace(/!$/, "")}!`;
    else if (isNonNullType(type) && chance(0.2)) written = String(type.ofType);
    else if (!isNonNullType(type) && chance(0.3)) written = `${type}!`;
    if (this.fault(0.15)) written = pick(["Int", "String", "[ID!]!", "Person", "Nothing", "Kind", "Float!", "PetFilter"]);
    if (mustBeGiven && !written.endsWith("!")) written += "!";
    let text = `$${name}: ${written}`;
    if (chance(0.3) || (isNonNullType(type) && !written.endsWith("!"))) text += ` = ${this.value(type, false, 2)}`;
    if (this.fault(0.04)) text += pick([" @skip(if: true)", " @nothing", ' @deprecated(reason: "x")']);
    if (chance(0.04)) text = `"why" ${text}`;
    if (!this.fault(0.08)) this.variables.set(name, { text, type });
    else this.variables.set(name, { text: "", type });
    return `$${name}`;
  }

  directives(place) {
    let text = "";
    if (chance(0.08)) text += ` @${pick(["skip", "include"])}(if: ${chance(0.4) ? this.variable(nonNullBoolean, true) : pick(["true", "false"])})`;
    if (this.fault(0.03)) text += pick([" @nothing", " @skip", " @include(if: 1)", " @deprecated", " @skip(if: true) @skip(if: true)", ' @skip(unless: true)', " @include(if: null)"]);
    return place === "operation" && !this.fault(0.1) ? "" : text;
  }

  set(type, depth) {
    const items = [];
    const wanted = 1 + below(3);
    for (let at = 0; at < wanted; at += 1) items.push(this.selection(type, depth));
    return `{ ${items.join(" ")} }`;
  }

  selection(type, depth) {
    this.budget -= 1;
    if (isAbstractType(type) ? chance(0.5) : chance(0.08)) return this.spread(type, depth);
    return this.field(type, depth);
  }

  spread(type, depth) {
    let on = pick([type, ...(isAbstractType(type) ? schema.getPossibleTypes(type) : [type, ...type.getInterfaces()])]);
    if (this.fault(0.1)) on = schema.getType(pick(["Dog", "Person", "Query", "Pet", "Kind", "Range"]));
    const inner = isCompositeType(on) ? this.set(on, depth + 1) : "{ id }";
    const name = this.fault(0.04) ? "Nothing" : on.name;
    if (chance(0.7)) return `... ${chance(0.1) && on === type ? "" : `on ${name}`}${this.directives()} ${inner}`;
    const fragment = `F${this.fragments.length}`;
    this.fragments.push(`${chance(0.05) ? '"what" ' : ""}fragment ${fragment} on ${name} ${inner}`);
    if (this.fault(0.08)) this.fragments.push(`fragment ${pick([fragment, "Lost"])} on ${name} { ...${fragment} __typename }`);
    return `...${this.fault(0.05) ? "Missing" : fragment}${this.directives()}`;
  }

  field(type, depth) {
    if (chance(0.08) || !(isObjectType(type) || type.getFields)) {
      if (this.fault(0.1)) return pick(["__typename { id }", "__typename(a: 1)", "__nothing", "__schema { types { name } }", '__type(name: "Query") { name }']);
      return pick(["__typename", "t: __typename"]);
    }
    const fields = Object.values(type.getFields());
    const deep = this.budget < 0 || depth > 4;
    const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)) && !field.args.some(({ type }) => isNonNullType(type)));
    const field = deep && leaves.length > 0 ? pick(leaves) : pick(fields);
    const args = field.args.filter((arg) => (isNonNullType(arg.type) && arg.defaultValue === undefined ? !this.fault(0.08) : chance(0.4)));
    const written = args.map((arg) => `${arg.name}: ${this.value(arg.type, true)}`);
    if (this.fault(0.04)) written.push(written[0] ?? "nothing: 1");
    const result = getNamedType(field.type);
    let inner = "";
    if (isCompositeType(result)) inner = this.fault(0.05) ? "" : ` ${deep ? "{ __typename }" : this.set(result, depth + 1)}`;
    else if (this.fault(0.04)) inner = " { id }";
    const name = this.fault(0.05) ? pick(["nothing", "id", "name", "lives"]) : field.name;
    const alias = chance(0.6) ? `${pick("abcdefgh".split(""))}${below(9)}: ` : "";
    return `${alias}${name}${written.length ? `(${written.join(", ")})` : ""}${this.directives()}${inner}`;
  }

  introspection() {
    return pick([
      "{ __schema { types { name kind fields(includeDeprecated: true) { name type { name ofType { name } } } } } }",
      '{ __type(name: "Person") { name fields { name args { name defaultValue } } interfaces { name } possibleTypes { name } } }',
      "{ __schema { directives { name locations isRepeatable args { name type { name } } } queryType { name } } }",
      '{ __type { name } }', "{ __type(name: 1) { name } }", "{ __schema }", "{ __schema { nothing } }",
      '{ __type(name: "Kind") { enumValues(includeDeprecated: "x") { name } } }', "mutation { __schema { types { name } } }",
      "{ person { __schema { types { name } } } }", '{ __type(name: "Pick") { isOneOf inputFields { name } specifiedByURL } }',
    ]);
  }

  document() {
    if (chance(0.02)) return this.introspection();
    const kind = pick(["query", "query", "query", "query", "mutation", "subscription"]);
    const root = kind === "query" ? schema.getQueryType() : kind === "mutation" ? schema.getMutationType() : schema.getSubscriptionType();
    const set = kind === "subscription" && !this.fault(0.3)
      ? `{ ${pick(["saved", "saved(id: 7)"])} { id name } }` : this.set(root, 0);
    const used = [...this.variables.values()].map(({ text }) => text).filter(Boolean);
    if (this.fault(0.05)) used.push("$unused: Int");
    const isShort = kind === "query" && used.length === 0 && chance(0.4);
    const name = chance(0.5) ? " Q" : "";
    const head = `${chance(0.03) ? '"what" ' : ""}${kind}${name}${used.length ? ` (${used.join(pick([", ", " "]))})` : ""}${this.directives("operation")} `;
    let text = [`${isShort ? "" : head}${set}`, ...this.fragments].join(pick([" ", "\n", "\r\n", " # comment\n"]));
    if (this.fault(0.04)) text += " { person { id } }";
    while (this.faults > 1 && chance(0.5)) {
      this.faults -= 1;
      text = garble(text);
    }
    return text;
  }

  given() {
    const given = {};
    for (const [name, { type }] of this.variables) {
      if (chance(0.8)) given[name] = chance(0.15) ? pick([null, 1, 1.5, "x", true, [], {}, [null], "CAT", 2147483648, 1e20, { id: "1" }, ["CAT"]]) : this.json(type);
    }
    if (chance(0.02)) given.other = 1;
    return given;
  }

  json(type, depth = 0) {
    if (isNonNullType(type)) return this.json(type.ofType, depth);
    if (depth > 0 && chance(0.1)) return null;
    if (isListType(type)) return chance(0.1) ? this.json(type.ofType, depth + 1) : Array.from({ length: below(3) }, () => this.json(type.ofType, depth + 1));
    if (isEnumType(type)) return pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = type.isOneOf ? [pick(Object.values(type.getFields()))]
        : Object.values(type.getFields()).filter((field) => (isNonNullType(field.type) && field.defaultValue === undefined) || chance(depth > 2 ? 0 : 0.4));
      return Object.fromEntries(fields.map((field) => [field.name, this.json(field.type, depth + 1)]));
    }
    switch (type.name) {
      case "Int": return pick([0, -1, 7, 2147483647, 3.0]);
      case "Float": return pick([0, 1.5, -2, 1e10]);
      case "String": return pick(["", "x", "é😀"]);
      case "ID": return pick(["1", "x", 7, -2, 9007199254740991]);
      case "Boolean": return pick([true, false]);
      default: return pick([1, "x", { a: [1] }, null, [true]]);
    }
  }
}

const nonNullBoolean = schema.getQueryType().getFields().grid.args[2].type;

// A character or a token more, less or another.
function garble(text) {
  const at = below(text.length);
  const sign = pick(["{", "}", "(", ")", "[", "]", ":", "$", "@", "!", "...", "..", "|", "&", "=", '"', '"""', "\\", "#", "\n", ",", "\ufeff", "é", "0", "01", "1.", "1.5", "-", "e", "on", "null", "true", "\t", "\u0000", "\\u{110000}", "fragment", '"\\uD800"', '"\\x"']);
  switch (below(4)) {
    case 0: return text.slice(0, at) + text.slice(at + 1);
    case 1: return text.slice(0, at) + sign + text.slice(at);
    case 2: return text.slice(0, at);
    default: {
      const to = at + below(8);
      return text.slice(0, at) + text.slice(to);
    }
  }
}

function verdict(text, variables) {
  let document;
  try {
    document = parse(text);
  } catch {
    return "parse";
  }
  const executable = [Kind.OPERATION_DEFINITION, Kind.FRAGMENT_DEFINITION];
  if (document.definitions.some(({ kind }) => !executable.includes(kind))) return "parse";
  // graphql-js takes an empty selection, which the specification's grammar (2.8) does not have.
  let isEmpty = false;
  visit(document, { SelectionSet: ({ selections }) => { isEmpty ||= selections.length === 0; } });
  if (isEmpty) return "parse";
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  if (operations.length !== 1) return "operation";
  if (validate(schema, document).length > 0) return "invalid";
  const coerced = getVariableValues(schema, operations[0].variableDefinitions ?? [], variables);
  return coerced.errors ? "variables" : "ok";
}

const seen = new Set();
while (seen.size < count) {
  const writer = new Writer();
  const text = writer.document();
  const variables = writer.given();
  // Half a surrogate pair is no text that a request could hold.
  if (text.length > 450 || text.trim() === "" || !text.isWellFormed()) continue;
  const line = [verdict(text, variables), text];
  if (Object.keys(variables).length > 0) line.push(variables);
  const written = JSON.stringify(line);
  if (seen.has(written)) continue;
  seen.add(written);
  console.log(written);
}
