// How GraphiQL reaches the router: one POST for queries and mutations, a WebSocket or SSE for subscriptions.
import { getOperationAST, Kind, parse } from "graphql";
import { learn } from "./session.js";
import { open as openSse } from "./sse.js";
import { remember, remembered } from "./storage.js";
import { watch } from "./watching.js";
import { open as openWebSocket } from "./websocket.js";

const URL_PATH = "/graphql";
/** The name of GraphiQL's own query for the schema. */
const INTROSPECTION = "IntrospectionQuery";
/** Asks for the plan beside the answer. */
const PLAN = "x-query-plan";
/** Where the browser keeps what is watched. */
const WATCHED = "watched";
const OPEN = { sse: openSse, websocket: openWebSocket };

/**
 * Makes GraphiQL's fetcher. `page()` gives what holds at the moment: the `user` who asks, everybody's `tokenOf`, the
 * `transport`, the open `tab`, how to `renew` tokens, whether an authorization was `issuedHere`, who hears of the
 * `budget`, and, where plans are wanted, who hears of what was `explained`.
 */
export function createFetcher(page) {
  return async (request, options) => {
    const operation = chosen(request);
    const payload = {
      query: request.query,
      operationName: operation.name,
      variables: request.variables || undefined,
    };
    // Who asks is settled now: a watch that connects again after the switch was used is still the same caller's.
    const { user } = page();
    const headers = () => withToken(options?.headers, page().tokenOf(user), page().issuedHere);
    if (operation.kind === "subscription") return subscribe(payload, headers, page);
    const { tab } = page();
    const isOfTab = payload.operationName !== INTROSPECTION;
    const start = performance.now();
    const result = await post(payload, () => ({ ...headers(), ...(isOfTab && page().explained && { [PLAN]: "true" }) }), page);
    if (isOfTab) explain(payload.operationName, result, Math.round(performance.now() - start), page().explained);
    learn(result);
    // An answer that comes when another tab is open would be shown as that tab's.
    return isOfTab && page().tab !== tab ? new Promise(() => {}) : result;
  };
}

/**
 * The operation that is meant. For a moment after a change of tabs GraphiQL still names the operation of the tab
 * before, so a name that the text does not have is not sent.
 */
function chosen({ query, operationName }) {
  try {
    const document = parse(query);
    const only = document.definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION).length === 1;
    const operation = getOperationAST(document, only ? null : operationName);
    return { name: operation?.name?.value ?? operationName ?? undefined, kind: operation?.operation };
  } catch {
    return {}; // the router says what is wrong with the text
  }
}

/** The headers as typed; the token where none was, and the newest where this page had filled one in. */
function withToken(typed, token, issuedHere) {
  const headers = { ...typed };
  const name = Object.keys(headers).find((name) => name.toLowerCase() === "authorization");
  if (name !== undefined && !issuedHere(headers[name])) return headers;
  if (name !== undefined) delete headers[name];
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

function subscribe(payload, headers, page) {
  const { user, transport, tab } = page();
  // With headers of somebody's own it is not gone on with: they are kept nowhere.
  const isOurs = page().issuedHere(headers().authorization ?? "");
  return begin({ payload, user, transport }, { headers, isKept: isOurs, stays: () => page().tab !== tab });
}

/** Goes on with what was watched when the page was reloaded, behind its last frame. */
export function watchAgain(page) {
  const { cursor, ...watched } = JSON.parse(remembered(WATCHED) || "{}");
  if (!watched.payload) return;
  const headers = () => withToken({}, page().tokenOf(watched.user), page().issuedHere);
  begin(watched, { headers, isKept: true, from: cursor, stays: () => true });
}

function begin({ payload, user, transport }, { headers, isKept, ...others }) {
  const connect = (connection) => OPEN[transport.id]({ url: URL_PATH, payload, headers: headers(), ...connection });
  const moved = (cursor) => isKept && remember(WATCHED, cursor === undefined ? "" : JSON.stringify({ payload, user, transport, cursor }));
  return watch({ operation: payload.operationName, who: user.label, transport: transport.label, connect, moved, ...others });
}

async function post(payload, headers, page) {
  const sent = headers();
  const result = await send(payload, sent, page);
  const refused = result.errors?.[0]?.extensions?.code === "UNAUTHENTICATED";
  const isOurs = sent.authorization !== undefined && page().issuedHere(sent.authorization);
  // A laptop that slept, or a marketplace that was started anew with other keys: a fresh token mends both.
  if (!refused || !isOurs || !(await page().renew())) return result;
  return send(payload, headers(), page);
}

async function send(payload, headers, page) {
  const response = await fetch(URL_PATH, {
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json;q=0.9",
    },
    body: JSON.stringify(payload),
  });
  const text = await response.text();
  let result;
  try {
    result = JSON.parse(text);
  } catch {
    throw new Error(`status ${response.status}: ${text.slice(0, 500)}`);
  }
  page().budget(budgetOf(response.headers, result));
  return result;
}

/** Takes the plan out of an answer, to be shown beside it: what a person asked for stays as it is without. */
function explain(name, result, ms, explained) {
  const { queryPlan, ...others } = result.extensions ?? {};
  if (queryPlan === undefined || !explained) return;
  result.extensions = Object.keys(others).length > 0 ? others : undefined;
  explained({ name, ms, cost: result.data?.rateLimit?.cost, fetches: queryPlan.fetches });
}

/** What an answer tells of the caller's budget: by its headers, by `rateLimit`, or by the refusal of its cost. */
function budgetOf(headers, result) {
  const number = (name) => (headers.has(name) ? Number(headers.get(name)) : undefined);
  const refusal = result.errors?.find((error) => error.extensions?.limit === "cost")?.extensions;
  const reset = number("ratelimit-reset") ?? number("retry-after");
  return {
    limit: number("ratelimit-limit"),
    remaining: number("ratelimit-remaining"),
    resetsAt: reset === undefined ? undefined : Date.now() + reset * 1000,
    cost: refusal?.value ?? result.data?.rateLimit?.cost,
    refused: refusal !== undefined,
    costLimit: refusal?.max,
  };
}
