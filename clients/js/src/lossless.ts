// One subscription that outlives its connections.
//
// The router keeps the log of events, so a connection that broke, a router that was restarted or a token that ended
// loses nothing: the next connection goes on behind the last cursor. Invariants: results reach the application in the
// order of the stream, each once; a stream ends only where the router completed it, or where another try would not help.
import { Backoff, type BackoffOptions } from "./backoff.js";
import type { Subscribed } from "./document.js";
import { type Fault, ofError, ofErrors, type Verdict } from "./ends.js";

/** A GraphQL response. */
export interface Result {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: unknown;
}

/** Who takes the results. Where `next` gives a promise, a connection that can wait reads on when it is fulfilled. */
export interface Sink<R> {
  next(result: R): void | Promise<void>;
  error(error: unknown): void;
  complete(): void;
}

/** What a connection tells beside results. */
export interface Feed<R> extends Sink<R> {
  /** A place in the stream that came without a result. */
  mark(cursor: string): void;
  /** How long to wait before the next connection. */
  wait(pauseMs: number): void;
}

/** Opens one connection; `resume()` is the cursor to go on behind, if there is one. Gives what closes it. */
export type Connect<R> = (resume: () => string | null, feed: Feed<R>) => () => void;

/** History that is gone: retention, or another topic. Read again what the application shows. */
export interface Gap {
  /** The stream goes on from here. */
  readonly cursor: string | null;
  /** The frame of kind `GAP`, which the application gets too. */
  readonly result: Result;
}

/** What happens to a stream. */
export type State =
  | { readonly state: "connecting"; readonly cursor: string | null }
  | { readonly state: "live"; readonly cursor: string | null }
  | { readonly state: "waiting"; readonly cursor: string | null; readonly why: unknown; readonly pauseMs: number };

/** What the one call of each library takes beside the library's own options. */
export interface LosslessOptions {
  /** The caller's token, without the word Bearer; asked for before each connection, `renew` when the last one ended. */
  readonly token?: (why: { readonly renew: boolean }) => string | Promise<string>;
  /** Hears of history that is gone. The operation must select `kind`. */
  readonly onGap?: (gap: Gap) => void;
  /** Hears of every change of a stream's state, for a light in the application. */
  readonly onState?: (state: State) => void;
  /** The pauses between connections. */
  readonly backoff?: BackoffOptions;
}

/** What a stream needs from its library. */
export interface Source<R> {
  readonly root: Subscribed;
  /** The cursor that the application gave in `extensions.resume`. */
  readonly resume: string | null;
  readonly connect: Connect<R>;
  /** The stream's end, by a query over the same library; `null` where the graph has no such field. */
  readonly end: () => Promise<string | null>;
  /** Asks for another token before the next connection; `undefined` where no other one can come. */
  readonly renew: (() => void) | undefined;
}

/** Asked before a stream that begins now, so that a break before its first frame loses nothing either. */
export const END = "{ orderEventsCursor }";
/** Whose first frame shows the state: it begins anew until that came. */
const SHOWS_STATE_FIRST = "orderEvents";
/** Cursors of late frames, to know one that comes twice. */
const SEEN_MAX = 1_024;
/** A connection that held so long was a good one. */
const HELD_MS = 10_000;
/** Tokens that are refused in a row before the stream gives up. */
const TOKENS_MAX = 3;

/** Follows the stream until it ends; gives what stops it. */
export function follow<R extends Result>(source: Source<R>, sink: Sink<R>, options: LosslessOptions): () => void {
  const stream = new Stream(source, sink, options);
  stream.start();
  return () => stream.stop();
}

class Stream<R extends Result> {
  readonly #source: Source<R>;
  readonly #sink: Sink<R>;
  readonly #options: LosslessOptions;
  readonly #backoff: Backoff;
  readonly #seen = new Set<string>();
  #cursor: string | null;
  /** Whether a break now would lose the state that the first frame shows. */
  #awaitsState: boolean;
  /** Counts connections, so that a late word of an older one is not heard. */
  #connection = 0;
  #since = 0;
  #pauseMs = 0;
  #tokensRefused = 0;
  #close: () => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(source: Source<R>, sink: Sink<R>, options: LosslessOptions) {
    const { root, resume } = source;
    this.#source = source;
    this.#sink = sink;
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    this.#cursor = resume ?? (typeof root === "object" ? (root?.after ?? null) : null);
    this.#awaitsState = typeof root === "object" && root?.field === SHOWS_STATE_FIRST && this.#cursor === null;
  }

  start(): void {
    const beginsNow = typeof this.#source.root === "object" && this.#cursor === null && !this.#awaitsState;
    if (beginsNow) void this.#begin();
    else this.#open();
  }

  stop(): void {
    this.#ended = true;
    this.#connection += 1;
    clearTimeout(this.#timer);
    this.#close();
  }

  async #begin(): Promise<void> {
    this.#tell({ state: "connecting", cursor: null });
    try {
      this.#cursor = await this.#source.end();
    } catch (error) {
      const verdict = ofError(error);
      // The subscription itself will say better why it is refused.
      if (!this.#ended && verdict.then !== "stop") return this.#again(verdict, error, () => void this.#begin());
    }
    if (!this.#ended) this.#open();
  }

  #open(): void {
    this.#connection += 1;
    this.#since = Date.now();
    const mine = this.#connection;
    const isMine = () => mine === this.#connection && !this.#ended;
    let frames = 0;
    this.#tell({ state: "connecting", cursor: this.#cursor });
    const close = this.#source.connect(() => this.#cursor, {
      next: (result) => {
        if (!isMine()) return;
        frames += 1;
        return this.#next(result, frames === 1);
      },
      mark: (cursor) => {
        if (isMine() && !this.#awaitsState) this.#cursor = cursor;
      },
      wait: (pauseMs) => {
        if (isMine()) this.#pauseMs = pauseMs;
      },
      error: (error) => isMine() && this.#broken(ofError(error), error),
      complete: () => isMine() && this.#finish(() => this.#sink.complete()),
    });
    // A connection may fail before it is there.
    if (isMine()) this.#close = close;
    else close();
  }

  #next(result: R, isFirst: boolean): void | Promise<void> {
    const cursor = cursorOf(result);
    if (cursor === null && isEnd(result)) {
      const verdict = ofErrors(result.errors as Fault[]);
      if (verdict.then !== "stop") return this.#broken(verdict, result.errors);
      return this.#sink.next(result);
    }
    if (cursor !== null) {
      if (this.#seen.has(cursor)) return;
      this.#remember(cursor);
      this.#cursor = cursor;
    }
    this.#awaitsState = false;
    this.#backoff.reset();
    this.#tokensRefused = 0;
    if (isFirst) this.#tell({ state: "live", cursor: this.#cursor });
    if (isGap(result)) this.#options.onGap?.({ cursor, result });
    return this.#sink.next(result);
  }

  #broken(verdict: Verdict, why: unknown): void {
    // What is no subscription as far as can be told, and shows no cursor, is the application's to try again.
    const isStream = this.#source.root !== "unknown" || this.#cursor !== null;
    if (!isStream || verdict.then === "stop") return this.#finish(() => this.#sink.error(why));
    if (verdict.cursor !== undefined && !this.#awaitsState) this.#cursor = verdict.cursor;
    if (Date.now() - this.#since >= HELD_MS) this.#backoff.reset();
    this.#again(verdict, why, () => this.#open());
  }

  #again(verdict: Verdict, why: unknown, then: () => void): void {
    this.#connection += 1;
    this.#close();
    this.#close = () => {};
    if (verdict.then === "token") {
      this.#tokensRefused += 1;
      if (!this.#source.renew || this.#tokensRefused > TOKENS_MAX) return this.#finish(() => this.#sink.error(why));
      this.#source.renew();
    }
    const pauseMs = this.#backoff.next(verdict.pauseMs ?? this.#pauseMs);
    this.#tell({ state: "waiting", cursor: this.#cursor, why, pauseMs });
    this.#timer = setTimeout(then, pauseMs);
  }

  #finish(tell: () => void): void {
    this.stop();
    tell();
  }

  #remember(cursor: string): void {
    this.#seen.add(cursor);
    if (this.#seen.size <= SEEN_MAX) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      return;
    }
  }

  #tell(state: State): void {
    this.#options.onState?.(state);
  }
}

/** The place behind a frame. */
export function cursorOf(result: Result): string | null {
  const cursor = (result.extensions as { cursor?: unknown } | null | undefined)?.cursor;
  return typeof cursor === "string" && cursor !== "" ? cursor : null;
}

/** An end of the stream has errors and no data; a fault beside data is a frame. */
function isEnd({ data, errors }: Result): boolean {
  return (data === undefined || data === null) && Array.isArray(errors) && errors.length > 0;
}

/** A frame of kind `GAP`, under whatever alias. */
function isGap({ data }: Result): boolean {
  const roots = Object.values((data ?? {}) as Record<string, unknown>);
  return roots.some((root) => root !== null && typeof root === "object" && Object.values(root).includes("GAP"));
}
