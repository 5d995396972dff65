// One connection of a subscription over a WebSocket (graphql-transport-ws); see `sse.js` for what `open` promises.
import { createClient } from "graphql-ws";
import { Refused } from "./sse.js";

/** Close codes that say the client is at fault, so that trying again would not help. */
const HOPELESS = new Set([4400, 4401, 4403, 4406, 4409, 4429, 4500]);

function isHopeless({ code, reason }) {
  return HOPELESS.has(code) && !reason.startsWith("TOKEN_EXPIRED");
}

export async function* open({ url, payload, headers, cursor, signal, opened }) {
  const client = createClient({
    url: new URL(url, location.href.replace(/^http/, "ws")).href,
    connectionParams: headers,
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => {}, // the iteration fails with it too
    on: { connected: opened },
  });
  const dispose = () => client.terminate();
  signal.addEventListener("abort", dispose);
  const resumed = cursor ? { ...payload, extensions: { resume: cursor } } : payload;
  try {
    for await (const result of client.iterate(resumed)) {
      yield { cursor: result.extensions?.cursor ?? null, result };
    }
  } catch (error) {
    if (Array.isArray(error)) yield { cursor: null, result: { errors: error } };
    // The browser tells nothing but a close code where a connection failed.
    else if (isHopeless(error)) throw new Refused({ errors: [{ message: error.reason || `closed: ${error.code}` }] });
    else throw new Error(`the WebSocket closed: ${error.code ?? "no connection"}`);
  } finally {
    signal.removeEventListener("abort", dispose);
    await client.dispose();
  }
}
