// One subscription by each library, as an application would write it: `take(event)` gets what the library gives.
import { ApolloClient, gql, InMemoryCache } from "@apollo/client";
import { Client } from "@urql/core";
import { EventSource } from "eventsource";
import { createClient as createStockWs } from "graphql-ws";
import { createClient as createStockSse } from "graphql-sse";
import WebSocket from "ws";
import { follow, subscribe } from "marketplace-live";
import { createLosslessLink } from "marketplace-live/apollo";
import { createLosslessClient as createSse } from "marketplace-live/graphql-sse";
import { createLosslessClient as createWs } from "marketplace-live/graphql-ws";
import { losslessExchange } from "marketplace-live/urql";
import { ORIGIN } from "./marketplace.mjs";

const QUERY = "subscription { myOrderEvents { kind cursor orderId version status } }";
const url = `${ORIGIN}/graphql`;
const socket = url.replace("http", "ws");
const eventOf = ({ data }) => data?.myOrderEvents;

/** Each subscribes, hands over events and ends, and gives what stops it. */
export const lossless = {
  "graphql-ws": (options, take) => {
    const client = createWs({ url: socket, webSocketImpl: WebSocket, ...options });
    client.subscribe({ query: QUERY }, sink(take));
    return () => client.dispose();
  },
  "graphql-sse": (options, take) => {
    const client = createSse({ url, ...options });
    client.subscribe({ query: QUERY }, sink(take));
    return () => client.dispose();
  },
  "Apollo Client": (options, take) => {
    const link = createLosslessLink({ url: socket, webSocketImpl: WebSocket, ...options });
    const client = new ApolloClient({ link, cache: new InMemoryCache() });
    const { next, error, complete } = sink(take);
    const subscription = client.subscribe({ query: gql(QUERY), fetchPolicy: "no-cache" }).subscribe({
      next: (result) => (result.error ? error(result.error) : next(result)),
      error,
      complete,
    });
    return () => (subscription.unsubscribe(), link.client.dispose());
  },
  urql: (options, take) => {
    const client = new Client({ url, exchanges: [losslessExchange({ url: socket, webSocketImpl: WebSocket, ...options })] });
    const subscription = client.subscription(QUERY, {}).subscribe(({ data, error }) => {
      if (error) take({ failed: error });
      else take(eventOf({ data }));
    });
    return () => subscription.unsubscribe();
  },
  "fetch, subscribe": (options, take) => subscribe({ url, ...options }, { query: QUERY }, sink(take)),
  "fetch, follow": (options, take) => {
    const end = new AbortController();
    const run = async () => {
      for await (const result of follow({ url, ...options }, { query: QUERY }, end.signal)) take(eventOf(result) ?? { failed: result });
    };
    run().then(() => end.signal.aborted || take({ failed: "complete" }), (error) => take({ failed: error }));
    return () => end.abort();
  },
};

/** Without this package, to see what it is for. */
export const stock = {
  "graphql-ws, stock": ({ token }, take) => {
    const connectionParams = async () => ({ authorization: `Bearer ${await token()}` });
    const client = createStockWs({ url: socket, webSocketImpl: WebSocket, connectionParams });
    client.subscribe({ query: QUERY }, sink(take));
    return () => client.dispose();
  },
  "graphql-sse, stock": ({ token }, take) => {
    const headers = async () => ({ authorization: `Bearer ${await token()}` });
    const client = createStockSse({ url, headers });
    client.subscribe({ query: QUERY }, sink(take));
    return () => client.dispose();
  },
  "eventsource, stock": ({ token }, take) => {
    const withToken = async (input, init) => {
      const authorization = `Bearer ${await token()}`;
      return fetch(input, { ...init, headers: { ...init.headers, authorization } });
    };
    const source = new EventSource(`${url}?query=${encodeURIComponent(QUERY)}`, { fetch: withToken });
    source.addEventListener("next", ({ data }) => take(eventOf(JSON.parse(data)) ?? { failed: data }));
    return () => source.close();
  },
};

function sink(take) {
  return {
    next: (result) => take(eventOf(result) ?? { failed: result }),
    error: (error) => take({ failed: error }),
    complete: () => take({ failed: "complete" }),
  };
}
