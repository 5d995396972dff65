// Subscriptions by `fetch` and nothing else: GraphQL over server-sent events, distinct connections mode.
//
// What a browser's `EventSource` would be if it could send a token and a body. Source: graphql-sse PROTOCOL.md; the
// event-stream format of the HTML standard.
import { subscribed } from "./document.js";
import { iterate } from "./iterate.js";
import { END, type Feed, follow as followStream, type LosslessOptions, type Result, type Sink } from "./lossless.js";
import { SILENCE_MS, watched } from "./silence.js";
import { resumeOf } from "./streams.js";

/** An operation. */
export interface Request {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
  /** `resume`: the cursor to go on behind, say one that an earlier page kept. */
  readonly extensions?: Record<string, unknown> | null;
}

/** Where and how to subscribe. */
export interface SseOptions extends LosslessOptions {
  readonly url: string;
  /** More headers; asked for before each connection. */
  readonly headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Another `fetch`. */
  readonly fetch?: typeof fetch;
  /** How long nothing may come before the connection counts as broken; 40,000 ms unless given. */
  readonly silenceMs?: number;
}

/** The router answered, and not with a stream. */
export class Refused extends Error {
  constructor(
    readonly response: Response,
    readonly result: Result,
  ) {
    super((result.errors?.[0] as { message?: string } | undefined)?.message ?? `status ${response.status}`);
  }
}

/** Subscribes; gives what stops it. Nothing is lost or repeated until then, whatever happens to connections and routers. */
export function subscribe<R extends Result = Result>(options: SseOptions, request: Request, sink: Sink<R>): () => void {
  const http = new Http(options);
  const source = {
    root: subscribed(request.query, request.operationName, request.variables),
    resume: resumeOf(request.extensions),
    connect: (cursor: () => string | null, feed: Feed<R>) => http.connect(request, cursor, feed),
    end: () => http.end(),
    renew: options.token ? () => http.renew() : undefined,
  };
  return followStream(source, sink, options);
}

/** The same as an iteration: the connection is read at the pace of the loop. Ends with the stream, or with `signal`. */
export function follow<R extends Result = Result>(
  options: SseOptions,
  request: Request,
  signal?: AbortSignal,
): AsyncGenerator<R, void, void> {
  return iterate<R>((sink) => subscribe(options, request, sink), signal);
}

class Http {
  readonly #options: SseOptions;
  readonly #fetch: typeof fetch;
  #renew = false;

  constructor(options: SseOptions) {
    this.#options = options;
    const fetchFn = options.fetch ?? ((input, init) => fetch(input, init));
    this.#fetch = watched(fetchFn, options.silenceMs ?? SILENCE_MS);
  }

  renew(): void {
    this.#renew = true;
  }

  connect<R extends Result>(request: Request, cursor: () => string | null, feed: Feed<R>): () => void {
    const connection = new AbortController();
    const behind = cursor();
    const resumed = behind ? { ...request, extensions: { ...request.extensions, resume: behind } } : request;
    const run = async () => {
      const response = await this.#post(resumed, "text/event-stream", connection.signal);
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
      if (!response.ok || !isStream || !response.body) throw new Refused(response, await refusal(response));
      if (await read(response.body, feed)) feed.complete();
      else throw new Error("the connection ended");
    };
    run().catch((error: unknown) => feed.error(error));
    return () => connection.abort();
  }

  async end(): Promise<string | null> {
    const response = await this.#post({ query: END }, "application/graphql-response+json");
    const result = await refusal(response);
    if (response.status >= 500 || response.status === 401 || response.status === 429) throw new Refused(response, result);
    if (result.errors) throw result.errors;
    const cursor = (result.data as { orderEventsCursor?: unknown } | null)?.orderEventsCursor;
    return typeof cursor === "string" ? cursor : null;
  }

  async #post(request: Request, accept: string, signal?: AbortSignal): Promise<Response> {
    const { token, headers, url } = this.#options;
    const renew = this.#renew;
    this.#renew = false;
    const authorization = token && { authorization: `Bearer ${await token({ renew })}` };
    return this.#fetch(url, {
      method: "POST",
      headers: { ...(await headers?.()), ...authorization, "content-type": "application/json", accept },
      body: JSON.stringify(request),
      ...(signal && { signal }),
    });
  }
}

async function refusal(response: Response): Promise<Result> {
  const text = await response.text();
  try {
    return JSON.parse(text) as Result;
  } catch {
    return { errors: [{ message: `status ${response.status}: ${text.slice(0, 500)}` }] };
  }
}

/** Reads frames until the stream ends; `true` when the router said that it is complete. */
async function read<R>(body: ReadableStream<Uint8Array>, feed: Feed<R>): Promise<boolean> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return false;
      rest += value;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const { id, name, data, retry } = parse(block);
        if (retry !== null) feed.wait(retry);
        if (name === "complete") return true;
        if (name === "next" && data !== null) await feed.next(JSON.parse(data) as R);
        else if (id) feed.mark(id);
      }
    }
  } finally {
    // It may be broken already, which is why it is left.
    await reader.cancel().catch(() => {});
  }
}

interface Event {
  id: string | null;
  name: string;
  data: string | null;
  retry: number | null;
}

function parse(block: string): Event {
  const event: Event = { id: null, name: "message", data: null, retry: null };
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue; // a comment: the router's sign of life
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("id:")) event.id = value;
    if (line.startsWith("retry:") && /^\d+$/.test(value)) event.retry = Number(value);
    if (line.startsWith("event:")) event.name = value;
    if (line.startsWith("data:")) event.data = event.data === null ? value : `${event.data}\n${value}`;
  }
  return event;
}
