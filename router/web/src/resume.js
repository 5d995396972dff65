// A subscription that outlives its connections: each new one goes on behind the last cursor.
//
// The router keeps the log of events, so a connection that broke, a router that was restarted or a token that ended
// loses nothing and repeats nothing. Invariant: frames are yielded in the order of the stream, each once.
import { Refused } from "./sse.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** Codes of refusals and ends that pass: the router, or its successor, goes on from the cursor. */
const PASSING = new Set([
  "SERVER_DRAINING", "SLOW_CONSUMER", "TOKEN_EXPIRED", "UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "DEADLINE_EXCEEDED",
]);
/** Why a stream stops, unlike a fault beside data. */
function stopped({ data, errors }) {
  return data == null ? errors?.find(({ extensions }) => PASSING.has(extensions?.code)) : undefined;
}

/**
 * Yields `{ cursor, result }` until the router completes the stream or `signal` aborts.
 *
 * It begins behind `from`, or now. `connect({ cursor, signal, opened, moved })` is one connection, as `open` in `sse.js`; it
 * calls `opened` with the cursor of its beginning, so that one that breaks before its first frame loses nothing either, and
 * `moved` with one that a quiet stream has come to. `tell` hears `connecting`, `live`, `waiting` and `hidden`, each with the
 * cursor to go on behind. What `breaker.current()` does at any time is break the connection, as a network would. `page` is the
 * document: while nobody sees it no connection is held.
 */
export async function* follow({ connect, from = null, tell, breaker, signal, page = globalThis.document }) {
  let cursor = from;
  let wait = FIRST_WAIT_MS;
  for (let connections = 0; !signal.aborted; connections += 1) {
    await shown({ page, signal, tell: () => tell({ state: "hidden", cursor, connections }) });
    if (signal.aborted) return;
    const connection = new AbortController();
    const abort = () => connection.abort();
    const hide = () => page.hidden && abort();
    breaker.current = () => connection.abort(new Error("you broke it"));
    signal.addEventListener("abort", abort);
    page?.addEventListener("visibilitychange", hide);
    tell({ state: "connecting", cursor, connections });
    const opened = (beginning) => {
      cursor ??= beginning ?? null;
      tell({ state: "live", cursor, connections });
    };
    try {
      const moved = (place) => (cursor = place);
      for await (const frame of connect({ cursor, signal: connection.signal, opened, moved })) {
        const goodbye = stopped(frame.result);
        cursor = goodbye?.extensions.cursor ?? frame.cursor ?? cursor;
        if (goodbye) throw new Error(goodbye.extensions.code);
        wait = FIRST_WAIT_MS;
        yield frame;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) throw error;
      if (page?.hidden) continue;
      tell({ state: "waiting", cursor, connections, why: error.message });
    } finally {
      signal.removeEventListener("abort", abort);
      page?.removeEventListener("visibilitychange", hide);
      abort();
    }
    await pause(wait * (0.5 + Math.random()), signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** Waits until the page is seen, or `signal` aborts. */
export async function shown({ page, signal, tell }) {
  if (!page?.hidden) return;
  tell();
  await new Promise((resolve) => {
    const look = () => {
      if (page.hidden && !signal.aborted) return;
      page.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    page.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}

/** Waits so long, or until `signal` aborts. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
