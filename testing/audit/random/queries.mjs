// Random queries over a schema. Most are valid; whoever asks for them validates them.

const DEPTH = 5;

// Mulberry32: a seed gives the same queries wherever it is used.
function random(state) {
  state.value = (state.value + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state.value ^ (state.value >>> 15), 1 | state.value);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

export function writeQuery(graphql, schema, world, state) {
  const { getNamedType, isAbstractType, isCompositeType, isEnumType, isInputObjectType, isListType, isNonNullType } = graphql;
  const below = (max) => Math.floor(random(state) * max);
  const chance = (share) => random(state) < share;
  const pick = (items) => items[below(items.length)];
  const names = Object.values(schema.getTypeMap()).flatMap((type) => (type.getFields && !isInputObjectType(type) ? Object.keys(type.getFields()) : []));

  function literal(type, depth = 0) {
    if (isNonNullType(type)) return literal(type.ofType, depth);
    if (isListType(type)) return `[${literal(type.ofType, depth)}]`;
    if (isEnumType(type)) return pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const wanted = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || (depth < 2 && chance(0.5)));
      return `{${wanted.map((field) => `${field.name}: ${literal(field.type, depth + 1)}`).join(", ")}}`;
    }
    if (type.name === "Int") return String(below(9));
    if (type.name === "Float") return `${below(9)}.5`;
    if (type.name === "Boolean") return String(chance(0.5));
    return `"${pick(["a", "b", "1"])}"`;
  }

  function condition() {
    if (!chance(0.06)) return "";
    return chance(0.5) ? ` @include(if: ${chance(0.7)})` : ` @skip(if: ${chance(0.3)})`;
  }

  function field(found, depth) {
    const type = getNamedType(found.type);
    const given = found.args.filter((argument) => isNonNullType(argument.type) || chance(0.4));
    const args = given.length > 0 ? `(${given.map((argument) => `${argument.name}: ${literal(argument.type)}`).join(", ")})` : "";
    const alias = chance(0.12) ? `${pick([...names, "a", "b"])}: ` : "";
    const selection = isCompositeType(type) ? ` ${set(type, depth + 1)}` : "";
    return `${alias}${found.name}${args}${condition()}${selection}`;
  }

  // A field whose type has no object that all subgraphs know has no value that all agree on.
  const hasValue = (type) => !isAbstractType(type) || world.possible(type.name).length > 0;

  function set(type, depth) {
    const all = type.getFields ? Object.values(type.getFields()) : [];
    const known = all.filter((found) => hasValue(getNamedType(found.type)));
    const usable = known.filter((found) => depth < DEPTH || !isCompositeType(getNamedType(found.type)));
    const items = [];
    const size = 1 + below(depth === 0 ? 2 : 4);
    for (let made = 0; made < size; made += 1) {
      const share = isAbstractType(type) ? (usable.length > 0 ? 0.45 : 0.9) : 0.07;
      if (depth > 0 && depth <= DEPTH + 1 && chance(share)) items.push(fragment(type, depth));
      else if (usable.length > 0 && !chance(0.08)) items.push(field(pick(usable), depth));
      else if (depth > 0) items.push("__typename");
    }
    if (items.length === 0) items.push(usable.length > 0 ? field(pick(usable), depth) : "__typename");
    return `{ ${items.join(" ")} }`;
  }

  function fragment(type, depth) {
    const objects = isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
    const wider = objects.flatMap((object) => object.getInterfaces());
    const on = pick([...objects, ...objects, ...wider, type]);
    return `...${on === type && chance(0.3) ? "" : ` on ${on.name}`}${condition()} ${set(on, depth + 1)}`;
  }

  return set(schema.getQueryType(), 0);
}
