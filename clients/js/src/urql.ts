// urql: an exchange whose subscriptions are lossless. It stands where urql's own `subscriptionExchange` would.
import { type Exchange, subscriptionExchange } from "@urql/core";
import { createLosslessClient, type LosslessClientOptions } from "./graphql-ws.js";

/** An exchange over a WebSocket. */
export function losslessExchange(options: LosslessClientOptions): Exchange {
  const client = createLosslessClient(options);
  return subscriptionExchange({
    forwardSubscription: ({ query, variables, extensions }) => ({
      subscribe: (sink) => ({
        unsubscribe: client.subscribe(
          { query: query ?? "", ...(variables && { variables }), ...(extensions && { extensions }) },
          sink as Parameters<typeof client.subscribe>[1],
        ),
      }),
    }),
  });
}
