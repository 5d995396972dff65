// A subscription that outlives its connections: each new one goes on behind the last cursor.
//
// The router keeps the log of events, so a connection that broke, a router that was restarted or a token that ended
// loses nothing and repeats nothing. Invariant: frames are yielded in the order of the stream, each once.
import { Refused } from "./sse.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** Codes with which the router ends a stream that it, or its successor, will go on with from the cursor. */
const RESUMABLE = new Set(["SERVER_DRAINING", "SLOW_CONSUMER", "TOKEN_EXPIRED"]);
/** An end of the stream, unlike a fault beside data, says where to go on. */
const isEnd = ({ extensions }) => RESUMABLE.has(extensions?.code) || typeof extensions?.cursor === "string";

/**
 * Yields `{ cursor, result }` until the router completes the stream or `signal` aborts.
 *
 * `connect({ cursor, signal, opened })` is one connection, as `open` in `sse.js`; `begin` is the cursor of the stream's
 * end before the first connection, so that one that breaks before its first frame loses nothing either. `tell` hears
 * `connecting`, `live` and `waiting`, each with the cursor to go on behind. What `breaker.current()` does at any time
 * is break the connection, as a network would.
 */
export async function* follow({ connect, begin, tell, breaker, signal }) {
  let cursor = null;
  let wait = FIRST_WAIT_MS;
  for (let connections = 0; !signal.aborted; connections += 1) {
    const connection = new AbortController();
    const abort = () => connection.abort();
    breaker.current = abort;
    signal.addEventListener("abort", abort);
    const behind = connections === 0 ? null : (cursor ?? begin);
    tell({ state: "connecting", cursor: behind, connections });
    const opened = () => tell({ state: "live", cursor: cursor ?? behind, connections });
    try {
      for await (const frame of connect({ cursor: behind, signal: connection.signal, opened })) {
        wait = FIRST_WAIT_MS;
        const goodbye = frame.result.errors?.find(isEnd);
        cursor = goodbye?.extensions.cursor ?? frame.cursor ?? cursor;
        if (goodbye) throw new Error(goodbye.extensions.code);
        yield frame;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) throw error;
      tell({ state: "waiting", cursor: cursor ?? begin, connections, why: error.message });
    } finally {
      signal.removeEventListener("abort", abort);
      abort();
    }
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
