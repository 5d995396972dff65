// The one subscription that the page watches, kept apart from GraphiQL's tabs: it goes on while other tabs are used.
//
// In: an operation from GraphiQL, or nothing. Out: the frames for GraphiQL's pane while its tab is open, and what the
// strip at the bottom shows. Invariant: at most one is watched; another one that is run takes its place.
import { follow } from "./resume.js";

/** Frames that the strip keeps; older ones are counted, not shown. */
const FRAMES_KEPT = 200;
const NOTHING = { state: "idle", frames: [], count: 0, breaks: 0 };

let shown = NOTHING;
let stop = () => {};
let breakConnection = () => {};
const listeners = new Set();

/** For React's `useSyncExternalStore`. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is watched; another object after every change. */
export function watched() {
  return shown;
}

/** Ends what is watched; its frames stay. */
export function stopWatching() {
  stop();
}

/** Breaks the connection as a network would, to see it resume. */
export function breakIt() {
  breakConnection();
}

/**
 * Watches `operation`; the results for GraphiQL's pane. `stays()` is asked when the pane takes no more: true keeps the
 * watch for the strip. `who` and `transport` are words for the strip. It begins behind `from`, or now; `moved` hears of the cursor
 * to go on behind after a reload, and of none when the watch is over.
 */
export function watch({ operation, who, transport, connect, stays, from = null, moved }) {
  stop();
  const end = new AbortController();
  const breaker = { current: () => {} };
  const mine = () => stop === cease;
  const cease = () => {
    end.abort();
    moved(undefined);
    if (mine() && shown.state !== "refused") show({ state: "ended" });
  };
  stop = cease;
  breakConnection = () => breaker.current();
  shown = { ...NOTHING, operation, who, transport };
  show({ state: "connecting" });
  moved(from);
  const tell = ({ state, cursor, connections, why }) => mine() && show({ state, cursor, why, breaks: connections });
  // The tab that ran it may be about to change; GraphiQL says so only a moment later.
  const results = new Results(() => setTimeout(() => stays() || cease()));
  pump(follow({ connect, from, tell, breaker, signal: end.signal }), { results, mine, moved });
  return results;
}

async function pump(frames, { results, mine, moved }) {
  try {
    for await (const { cursor, result } of frames) {
      if (mine()) keep(cursor, result);
      if (mine() && cursor) moved(cursor);
      results.put(result);
    }
    if (mine()) show({ state: "ended" });
  } catch (error) {
    results.put(error.result ?? { errors: [{ message: error.message }] });
    if (mine()) show({ state: "refused", why: error.message });
  }
  if (mine()) moved(undefined);
  results.end();
}

function keep(cursor, result) {
  const event = Object.values(result.data ?? {})[0] ?? {};
  const frame = { number: shown.count + 1, cursor, event, error: result.errors?.[0], breaks: shown.breaks };
  show({ cursor, count: frame.number, frames: [frame, ...shown.frames].slice(0, FRAMES_KEPT) });
}

function show(news) {
  shown = { ...shown, ...news };
  for (const listener of listeners) listener();
}

/**
 * Results on their way to GraphiQL's pane, which shows one at a time: only the newest few are worth keeping.
 *
 * Not a generator: the `return` of one waits for the frame that its `next` waits for, so nothing could be stopped.
 */
class Results {
  #waiting = [];
  #taker = null;
  #ended = false;
  #left;

  constructor(left) {
    this.#left = left;
  }

  put(result) {
    if (this.#ended) return;
    if (this.#waiting.length >= FRAMES_KEPT) this.#waiting.shift();
    this.#waiting.push(result);
    this.#hand();
  }

  end() {
    this.#ended = true;
    this.#hand();
  }

  next() {
    return new Promise((resolve) => {
      this.#taker = resolve;
      this.#hand();
    });
  }

  async return() {
    this.#waiting = [];
    this.end();
    this.#left();
    return { done: true };
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #hand() {
    if (this.#taker === null || (this.#waiting.length === 0 && !this.#ended)) return;
    const taker = this.#taker;
    this.#taker = null;
    taker(this.#waiting.length > 0 ? { value: this.#waiting.shift(), done: false } : { done: true });
  }
}
