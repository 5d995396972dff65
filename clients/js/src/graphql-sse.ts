// graphql-sse: one call instead of its `createClient`, and every subscription of the client is lossless.
//
// The library's own retries are off, as in `graphql-ws.ts`. Distinct connections mode: one request, one stream.
import { type Client, type ClientOptions, createClient, type RequestParams, type Sink } from "graphql-sse";
import { subscribed } from "./document.js";
import { iterate } from "./iterate.js";
import type { LosslessOptions, Result, Sink as OurSink } from "./lossless.js";
import { SILENCE_MS, watched } from "./silence.js";
import { askEnd, resumeOf, Streams } from "./streams.js";

/** graphql-sse's own options, but for its retries and its modes, and ours. */
export type LosslessClientOptions = Omit<
  ClientOptions<false>,
  "retryAttempts" | "retry" | "singleConnection" | "lazy" | "lazyCloseTimeout" | "onNonLazyError"
> &
  LosslessOptions & {
    /** How long nothing may come before a connection counts as broken; 40,000 ms unless given. */
    readonly silenceMs?: number;
  };

/** A graphql-sse client whose subscriptions lose nothing and repeat nothing. */
export function createLosslessClient(options: LosslessClientOptions): Client {
  const { token, onGap, onState, backoff, silenceMs = SILENCE_MS, headers, fetchFn, ...rest } = options;
  let renew = false;
  const authorized = async (request: RequestParams) => {
    const given = typeof headers === "function" ? await headers(request) : headers;
    const why = { renew };
    renew = false;
    return { ...given, ...(token && { authorization: `Bearer ${await token(why)}` }) };
  };
  const fetching = (fetchFn as typeof fetch | undefined) ?? ((input, init) => fetch(input, init));
  const client = createClient({
    ...rest,
    headers: authorized,
    fetchFn: watched(fetching, silenceMs),
    retryAttempts: 0,
  } as ClientOptions<false>);
  const streams = new Streams(options);
  const once = client.subscribe.bind(client);
  const canRenew = token !== undefined || typeof headers === "function";
  const subscribe = (request: RequestParams, sink: Sink<never>) => {
    const root = subscribed(request.query, request.operationName, request.variables);
    if (root === null) return once(request, sink);
    const source = {
      root,
      resume: resumeOf(request.extensions),
      connect: (cursor: () => string | null, feed: OurSink<Result>) => {
        const behind = cursor();
        const resumed = behind ? { ...request, extensions: { ...request.extensions, resume: behind } } : request;
        return once(resumed, feed as Sink<never>);
      },
      end: () => askEnd(once as Parameters<typeof askEnd>[0]),
      renew: canRenew ? () => void (renew = true) : undefined,
    };
    return streams.follow(source, sink as OurSink<Result>);
  };
  return {
    subscribe: subscribe as Client["subscribe"],
    iterate: ((request: RequestParams) =>
      iterate<Result>((sink) => subscribe(request, sink as Sink<never>))) as Client["iterate"],
    dispose: () => {
      streams.stop();
      client.dispose();
    },
  };
}
