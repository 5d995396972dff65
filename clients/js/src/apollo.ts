// Apollo Client: a link whose subscriptions are lossless. Queries and mutations go better over Apollo's `HttpLink`.
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createLosslessClient, type LosslessClientOptions } from "./graphql-ws.js";

/** A terminating link over a WebSocket; `split` it from the link of queries and mutations. */
export function createLosslessLink(options: LosslessClientOptions): GraphQLWsLink {
  return new GraphQLWsLink(createLosslessClient(options));
}
