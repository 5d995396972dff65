// graphql-ws: one call instead of its `createClient`, and every subscription of the client is lossless.
//
// The library's own retries are off: a retry of its kind begins a subscription anew, and repeats a mutation. Queries and
// mutations pass through untouched and are tried once.
import { type Client, type ClientOptions, createClient, type Sink, type SubscribePayload } from "graphql-ws";
import { subscribed } from "./document.js";
import { iterate } from "./iterate.js";
import type { Feed, LosslessOptions, Result, Sink as OurSink } from "./lossless.js";
import { askEnd, resumeOf, Streams } from "./streams.js";

/** graphql-ws's own options, but for its retries, and ours. */
export type LosslessClientOptions = Omit<ClientOptions, "retryAttempts" | "retryWait" | "shouldRetry"> & LosslessOptions;

/** How often the socket is asked for a sign of life, and how long that may take. */
const KEEP_ALIVE_MS = 12_000;
const PONG_MS = 8_000;

/** A graphql-ws client whose subscriptions lose nothing and repeat nothing. */
export function createLosslessClient(options: LosslessClientOptions): Client {
  const { token, onGap, onState, backoff, connectionParams, generateID, on, ...rest } = options;
  const feeds = new Feeds(generateID);
  let renew = false;
  const params = async () => {
    const given = typeof connectionParams === "function" ? await connectionParams() : connectionParams;
    const why = { renew };
    renew = false;
    return token ? { ...given, authorization: `Bearer ${await token(why)}` } : given;
  };
  const client = createClient({
    keepAlive: KEEP_ALIVE_MS,
    ...rest,
    connectionParams: params,
    retryAttempts: 0,
    generateID: (payload) => feeds.identify(payload),
    on: brokenWhenSilent(() => client.terminate(), feeds.marked(on)),
  });
  const streams = new Streams(options);
  const once = client.subscribe.bind(client);
  const canRenew = token !== undefined || typeof connectionParams === "function";
  const renewed = () => {
    renew = true;
    // The token belongs to the socket: whatever else runs on it resumes on the next one too.
    client.terminate();
  };
  client.subscribe = (payload: SubscribePayload, sink: Sink<never>) => {
    const root = subscribed(payload.query, payload.operationName, payload.variables);
    if (root === null) return once(payload, sink);
    const source = {
      root,
      resume: resumeOf(payload.extensions),
      connect: (cursor: () => string | null, feed: Feed<Result>) => {
        const request = resumed(payload, cursor);
        feeds.add(request, feed);
        const close = once(request, feed as Sink<never>);
        return () => {
          feeds.delete(request);
          close();
        };
      },
      end: () => askEnd(once as Parameters<typeof askEnd>[0]),
      renew: canRenew ? renewed : undefined,
    };
    return streams.follow(source, sink as OurSink<Result>);
  };
  client.iterate = ((payload: SubscribePayload) =>
    iterate<Result>((sink) => client.subscribe(payload, sink as Sink<never>))) as Client["iterate"];
  const dispose = client.dispose.bind(client);
  client.dispose = () => {
    streams.stop();
    return dispose();
  };
  return client;
}

/** The payload, read anew whenever the library sends it. */
function resumed(payload: SubscribePayload, cursor: () => string | null): SubscribePayload {
  return {
    ...payload,
    get extensions() {
      const behind = cursor();
      return behind ? { ...payload.extensions, resume: behind } : payload.extensions;
    },
  };
}

/** The streams by the ids of their operations: a ping of the router tells the place that a quiet one has come to. */
class Feeds {
  readonly #given: ClientOptions["generateID"];
  readonly #byRequest = new Map<SubscribePayload, Feed<Result>>();
  readonly #requests = new Map<string, SubscribePayload>();
  #last = 0;

  constructor(given: ClientOptions["generateID"]) {
    this.#given = given;
  }

  add(request: SubscribePayload, feed: Feed<Result>): void {
    this.#byRequest.set(request, feed);
  }

  delete(request: SubscribePayload): void {
    this.#byRequest.delete(request);
    for (const [id, of] of this.#requests) if (of === request) this.#requests.delete(id);
  }

  identify(request: SubscribePayload): string {
    const id = this.#given?.(request) ?? String(++this.#last);
    if (this.#byRequest.has(request)) this.#requests.set(id, request);
    return id;
  }

  marked(on: ClientOptions["on"] = {}): NonNullable<ClientOptions["on"]> {
    return {
      ...on,
      ping: (received, payload) => {
        const { id, cursor } = payload ?? {};
        const request = typeof id === "string" ? this.#requests.get(id) : undefined;
        if (received && request && typeof cursor === "string") this.#byRequest.get(request)?.mark(cursor);
        on.ping?.(received, payload);
      },
    };
  }
}

/** Breaks a socket that answers no ping: a machine that vanished sends no close. */
function brokenWhenSilent(terminate: () => void, on: ClientOptions["on"] = {}): NonNullable<ClientOptions["on"]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    ...on,
    ping: (received, payload) => {
      if (!received) timer = setTimeout(terminate, PONG_MS);
      on.ping?.(received, payload);
    },
    pong: (received, payload) => {
      if (received) clearTimeout(timer);
      on.pong?.(received, payload);
    },
    closed: (event) => {
      clearTimeout(timer);
      on.closed?.(event);
    },
  };
}
