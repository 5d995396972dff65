// What a client must know of an operation: whether it is a subscription, of which field, and from where on.
//
// Read from the text alone, so that no GraphQL library is needed. What cannot be told is left open, never guessed.

/** A subscription's root field, by the schema's name of it. */
export interface Root {
  readonly field: string;
  /** The argument `after`, as a literal or by its variable; `null` where it is not given. */
  readonly after: string | null;
}

/** `null` for what is no subscription; `unknown` where the text does not tell. */
export type Subscribed = Root | "unknown" | null;

const TOKEN = /"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|\.\.\.|[A-Za-z_][A-Za-z_0-9]*|[{}()[\]:$@=!|&]/g;

/** Reads `query`; of several operations the one that `operationName` names. */
export function subscribed(
  query: string | null | undefined,
  operationName?: string | null,
  variables?: Record<string, unknown> | null,
): Subscribed {
  if (!query) return "unknown";
  const tokens = (query.match(TOKEN) ?? []).filter((token) => !token.startsWith("#"));
  const operations = definitions(tokens).filter(([kind]) => kind !== "fragment");
  const named = operations.filter(([, name]) => name === operationName);
  const [operation] = operationName && named.length > 0 ? named : operations;
  if (operation === undefined) return "unknown";
  return operation[0] === "subscription" ? root(operation, variables ?? {}) : null;
}

/** The tokens of each definition. */
function definitions(tokens: string[]): string[][] {
  const found: string[][] = [];
  let [depth, begin] = [0, 0];
  tokens.forEach((token, at) => {
    if ("{([".includes(token)) depth += 1;
    if (!"})]".includes(token)) return;
    depth -= 1;
    if (depth > 0 || token !== "}") return;
    found.push(tokens.slice(begin, at + 1));
    begin = at + 1;
  });
  return found;
}

function root(operation: string[], variables: Record<string, unknown>): Root | "unknown" {
  // Variables and directives come before the selection, in brackets of their own; a default value may hold braces.
  let at = 0;
  for (let depth = 0; at < operation.length; at += 1) {
    const token = operation[at] as string;
    if (token === "{" && depth === 0) break;
    if ("{([".includes(token)) depth += 1;
    if ("})]".includes(token)) depth -= 1;
  }
  const [first, colon, name] = operation.slice(at + 1, at + 4);
  if (first === undefined || !/^[A-Za-z_]/.test(first)) return "unknown";
  const [field, next] = colon === ":" ? [name ?? "", at + 4] : [first, at + 2];
  return { field, after: operation[next] === "(" ? after(operation.slice(next + 1), variables) : null };
}

/** The value of the argument `after`, from behind the opening bracket. */
function after(tokens: string[], variables: Record<string, unknown>): string | null {
  for (let depth = 1, at = 0; depth > 0 && at < tokens.length; at += 1) {
    const token = tokens[at] as string;
    if ("{([".includes(token)) depth += 1;
    if ("})]".includes(token)) depth -= 1;
    if (depth !== 1 || token !== "after" || tokens[at + 1] !== ":") continue;
    const value = tokens[at + 2] ?? "";
    const given = value === "$" ? variables[tokens[at + 3] ?? ""] : literal(value);
    return typeof given === "string" && given !== "" ? given : null;
  }
  return null;
}

function literal(token: string): string | null {
  if (token.startsWith('"""')) return token.slice(3, -3).trim();
  if (!token.startsWith('"')) return null;
  try {
    return JSON.parse(token) as string;
  } catch {
    return null;
  }
}
