// A value for every field of a graph, the same in each of its subgraphs and in the whole.
//
// An object is a number from 0 to 2. A leaf is made from its field's name, its arguments and the number of its object; key
// fields show that number, so that a representation tells which object it is. A field's object has the number of its
// parent, a list goes on from there, and an abstract type's number says which object type it is.

const OBJECTS = 3;

function hash(text) {
  let mixed = 2166136261;
  for (const char of text) mixed = Math.imul(mixed ^ char.codePointAt(0), 16777619);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

export class World {
  constructor(graphql, api, schemas, subgraphs) {
    Object.assign(this, { graphql, api });
    this.subgraphs = new Map();
    this.schemas = [...schemas.values()];
    this.rules = new Map(subgraphs.map(({ name, sdl }) => [name, this.read(graphql.parse(sdl))]));
    this.keys = new Set([...this.rules.values()].flatMap((rules) => rules.keys));
    this.overridden = new Set([...this.rules.values()].flatMap((rules) => rules.overridden));
    this.nullable = this.nullableFields();
    const resolve = { fieldResolver: this.resolver(), typeResolver: (value) => value.type };
    this.whole = resolve;
    for (const [name, schema] of schemas) {
      const rules = this.rules.get(name);
      const fieldResolver = this.resolver(name, rules);
      const entities = schema.getQueryType()?.getFields()._entities;
      if (entities) entities.resolve = (_, { representations }) => representations.map((found) => this.entity(schema, found));
      for (const type of Object.values(schema.getTypeMap())) {
        if (graphql.isAbstractType(type)) type.resolveType = (value) => value.type;
      }
      this.subgraphs.set(name, { schema, fieldResolver, typeResolver: resolve.typeResolver });
    }
  }

  subgraph(name) {
    return this.subgraphs.get(name);
  }

  // What the directives of a subgraph say, by "Type.field".
  read(document) {
    const rules = { keys: [], external: new Set(), requires: new Map(), provides: new Set(), overridden: [] };
    const argument = (directive, name) => directive.arguments.find((found) => found.name.value === name)?.value.value;
    const select = (text) => this.graphql.parse(`{ ${text} }`).definitions[0].selectionSet;
    const leaves = (set) => set.selections.flatMap((item) => (item.selectionSet ? leaves(item.selectionSet) : [item.name.value]));
    for (const type of document.definitions) {
      for (const directive of type.directives ?? []) {
        if (directive.name.value.endsWith("key")) rules.keys.push(...leaves(select(argument(directive, "fields"))));
      }
      for (const field of type.fields ?? []) {
        const name = `${type.name.value}.${field.name.value}`;
        for (const directive of field.directives) {
          const kind = directive.name.value.replace("federation__", "");
          if (kind === "external") rules.external.add(name);
          if (kind === "requires") rules.requires.set(name, select(argument(directive, "fields")));
          if (kind === "provides") rules.provides.add(name);
          if (kind === "override") rules.overridden.push(`${argument(directive, "from")}:${name}`);
        }
      }
    }
    return rules;
  }

  // Names of fields that no schema says are never null; a key always has a value.
  nullableFields() {
    const { isNonNullType, isObjectType, isInterfaceType } = this.graphql;
    const [nullable, never] = [new Set(), new Set(this.keys)];
    for (const schema of [this.api, ...this.schemas]) {
      const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) || isInterfaceType(type));
      for (const field of types.flatMap((type) => Object.values(type.getFields()))) {
        (isNonNullType(field.type) ? never : nullable).add(field.name);
      }
    }
    return new Set([...nullable].filter((name) => !never.has(name)));
  }

  // The object types that an abstract type can be in every subgraph that has it as one.
  possible(abstract) {
    const { isAbstractType } = this.graphql;
    const of = (schema) => schema.getPossibleTypes(schema.getType(abstract)).map((type) => type.name);
    const having = [this.api, ...this.schemas].filter((schema) => isAbstractType(schema.getType(abstract)));
    const [first = [], ...others] = having.map(of);
    return first.filter((name) => others.every((other) => other.includes(name))).sort();
  }

  resolver(subgraph, rules) {
    return (parent, given, _, info) => {
      const { fieldName, parentType, schema, operation } = info;
      const name = `${parentType.name}.${fieldName}`;
      const isRoot = parentType === schema.getQueryType() || parentType === schema.getMutationType();
      const known = this.api.getType(parentType.name)?.getFields?.()[fieldName];
      const sent = Object.entries(given).filter(([key]) => !known || known.args.some((found) => found.name === key));
      const args = sent.length > 0 ? JSON.stringify(sent.sort()) : "";
      const number = isRoot ? hash(fieldName + args) % OBJECTS : parent.number;
      if (rules && !isRoot) this.check(rules, subgraph, name, fieldName, parent, operation);
      const isProvided = parent?.isProvided || rules?.provides.has(name);
      return this.value(info.returnType, fieldName, args, number, isProvided);
    };
  }

  // Whether a router may ask this of a subgraph.
  check(rules, subgraph, name, field, parent) {
    if (this.keys.has(field)) return;
    if (rules.external.has(name) && !parent.isProvided) throw new Error(`${name} is external`);
    if (this.overridden.has(`${subgraph}:${name}`)) throw new Error(`${name} is overridden`);
    const required = rules.requires.get(name);
    if (!required) return;
    if (!parent.sent) throw new Error(`${name} was asked without what it requires`);
    const expected = this.expected(required, parent.type, parent.number);
    if (!isPart(expected, parent.sent)) {
      throw new Error(`${name} requires ${JSON.stringify(expected)}, got ${JSON.stringify(parent.sent)}`);
    }
  }

  // What a selection of an object is.
  expected(set, typeName, number) {
    const { valueFromASTUntyped, isAbstractType } = this.graphql;
    const found = {};
    const holder = [this.api, ...this.schemas].map((schema) => schema.getType(typeName));
    for (const item of set.selections) {
      if (item.kind === "InlineFragment") {
        const wanted = item.typeCondition.name.value;
        const fits = [this.api, ...this.schemas].some((schema) => {
          const [own, other] = [schema.getType(typeName), schema.getType(wanted)];
          return own && other && (own === other || (isAbstractType(other) && schema.isSubType(other, own)));
        });
        if (fits) Object.assign(found, this.expected(item.selectionSet, typeName, number));
        continue;
      }
      const name = item.name.value;
      const type = holder.map((type) => type?.getFields?.()[name]?.type).find((type) => type);
      if (!type) continue;
      const sent = item.arguments.map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]);
      const args = sent.length > 0 ? JSON.stringify(sent.sort()) : "";
      const deep = (value) => {
        if (Array.isArray(value)) return value.map(deep);
        return value?.type ? this.expected(item.selectionSet, value.type, value.number) : value;
      };
      found[name] = deep(this.value(type, name, args, number));
    }
    return found;
  }

  value(type, field, args, number, isProvided) {
    const { getNullableType, getNamedType, isListType, isLeafType, isAbstractType } = this.graphql;
    if (this.nullable.has(field) && hash(`${field}?${number}`) % 5 === 0) return null;
    const nullable = getNullableType(type);
    if (isListType(nullable)) {
      const items = [number, (number + 1) % OBJECTS];
      return items.map((item) => this.item(nullable.ofType, field, args, item, isProvided));
    }
    const named = getNamedType(type);
    if (isLeafType(named)) return this.leaf(named, field, args, number);
    if (!isAbstractType(named)) return { type: named.name, number, isProvided };
    const possible = this.possible(named.name);
    return { type: possible[number % possible.length], number, isProvided };
  }

  // An item of a list is there, whatever its type says.
  item(type, field, args, number, isProvided) {
    const nullable = new Set(this.nullable);
    this.nullable.delete(field);
    const found = this.value(type, field, args, number, isProvided);
    this.nullable = nullable;
    return found;
  }

  leaf(type, field, args, number) {
    if (this.keys.has(field) && type.name !== "Boolean") return ["Int", "Float"].includes(type.name) ? number : `${field}-${number}`;
    const made = hash(`${field}${args}${number}`);
    switch (type.name) {
      case "Int": return made % 1000;
      case "Float": return (made % 1000) + 0.5;
      case "Boolean": return made % 2 === 0;
    }
    if (!this.graphql.isEnumType(type)) return `${field}${args}:${number}`;
    const having = [this.api, ...this.schemas].map((schema) => schema.getType(type.name)).filter((found) => found);
    const values = having[0].getValues().map((value) => value.name);
    const shared = values.filter((value) => having.every((found) => found.getValue(value)));
    return shared[made % shared.length];
  }

  entity(schema, sent) {
    const type = schema.getType(sent.__typename);
    if (!type) throw new Error(`no type ${sent.__typename}`);
    const number = numberOf(sent, this.keys);
    if (number === undefined) throw new Error(`no key in ${JSON.stringify(sent)}`);
    if (!this.graphql.isAbstractType(type)) return { type: type.name, number, sent };
    const possible = this.possible(type.name);
    return { type: possible[number % possible.length], number, sent };
  }
}

// The number that the keys of a representation show.
function numberOf(sent, keys) {
  if (Array.isArray(sent)) return sent.map((item) => numberOf(item, keys)).find((found) => found !== undefined);
  if (sent === null || typeof sent !== "object") return undefined;
  for (const [name, value] of Object.entries(sent)) {
    if (!keys.has(name)) continue;
    if (typeof value === "number") return value;
    const shown = typeof value === "string" && value.match(/-(\d)$/);
    if (shown) return Number(shown[1]);
  }
  return Object.values(sent).map((value) => numberOf(value, keys)).find((found) => found !== undefined);
}

function isPart(expected, found) {
  if (Array.isArray(expected)) {
    return Array.isArray(found) && found.length === expected.length && expected.every((item, at) => isPart(item, found[at]));
  }
  if (expected === null || typeof expected !== "object") return expected === found;
  return found !== null && typeof found === "object" && Object.entries(expected).every(([name, value]) => isPart(value, found[name]));
}
