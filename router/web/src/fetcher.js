// How GraphiQL reaches the router: one POST for queries and mutations, SSE or a WebSocket for subscriptions.
import { getOperationAST, parse } from "graphql";
import { createClient } from "graphql-ws";
import { subscribe as subscribeOverSse } from "./sse.js";

const URL_PATH = "/graphql";

/** Makes GraphiQL's fetcher. `current()` gives the token and the transport as they are when an operation starts. */
export function createFetcher(current) {
  return (request, options) => {
    const { token, transport } = current();
    const headers = { ...options?.headers };
    const hasAuthorization = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
    if (!hasAuthorization && token) headers.authorization = `Bearer ${token}`;
    const payload = {
      query: request.query,
      operationName: request.operationName ?? undefined,
      variables: request.variables || undefined,
    };
    if (!isSubscription(payload)) return post(payload, headers);
    return transport === "websocket"
      ? subscribeOverWebSocket(payload, headers)
      : subscribeOverSse(URL_PATH, payload, headers);
  };
}

function isSubscription({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === "subscription";
  } catch {
    return false; // the router says what is wrong with the text
  }
}

async function post(payload, headers) {
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
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`status ${response.status}: ${text.slice(0, 500)}`);
  }
}

async function* subscribeOverWebSocket(payload, headers) {
  const client = createClient({
    url: `${location.origin.replace(/^http/, "ws")}${URL_PATH}`,
    connectionParams: headers,
    retryAttempts: 0,
  });
  try {
    yield* client.iterate(payload);
  } catch (error) {
    // The browser tells nothing but a close code where a connection failed.
    const isEvent = error instanceof Event;
    throw isEvent ? new Error(`the WebSocket closed: ${error.code ?? "no connection"} ${error.reason ?? ""}`) : error;
  } finally {
    await client.dispose();
  }
}
