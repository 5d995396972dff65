// What the page asks: the console's own API, and the public graph as the operator.
import { pause, shown } from "./resume.js";

const LONGEST_PAUSE_MS = 15_000;
/** What a person does about a refusal, with where tokens come from here. */
const WAYS_ON = {
  401: (source) => `The token is not valid or has ended. Put in a new one: ${source}.`,
  403: (source) => `This token is a customer's, and the console needs an operator's: ${source}.`,
};

/** Something that a person should read. `status` is that of the answer, 0 where none came. */
export class Problem extends Error {
  constructor(message, { status = 0, code = null, retryMs = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryMs = retryMs;
  }
}

/** The two servers behind the page, as one caller. */
export class Api {
  #session;
  #router;

  constructor(session, router) {
    this.#session = session;
    this.#router = router;
  }

  /** The address of the graph. */
  get graph() {
    return `${this.#router}/graphql`;
  }

  /** The header of the caller. */
  async authorization() {
    return { authorization: `Bearer ${await this.#session.token()}` };
  }

  /** Reads from the console; parameters that say nothing are left out. Fails with a `Problem`. */
  async get(path, parameters = {}, signal) {
    const said = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
    const query = new URLSearchParams(said).toString();
    return this.#console(`${path}${query && `?${query}`}`, { signal });
  }

  /** Changes something at the console: once, never again by itself. Fails with a `Problem`. */
  async send(method, path, body) {
    const content = body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return this.#console(path, { method, ...content });
  }

  /** Asks the graph; gives the data, whole or in part. Fails with a `Problem` where there are none. */
  async ask(query, variables = {}, signal) {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify({ query, variables }), signal };
    const response = await this.#authorized(this.graph, request, "The router does not answer: it may be starting again.");
    const { data, errors } = await json(response);
    if (data) return data;
    const { message, extensions } = errors?.[0] ?? {};
    const about = [extensions?.code, extensions?.traceId && `trace ${extensions.traceId}`].filter(Boolean).join(", ");
    throw new Problem(`The graph refuses: ${message ?? `status ${response.status}`}${about && ` (${about})`}`, {
      status: response.status,
      code: extensions?.code,
      retryMs: retryMs(response),
    });
  }

  async #console(path, request) {
    const away = "The console does not answer. Where `marketplace up` was stopped, start it again: this page goes on by itself.";
    const response = await this.#authorized(`/ops/api/${path}`, request, away);
    const answer = await json(response);
    if (response.ok) return answer;
    const { code = null, message = `status ${response.status}` } = answer?.error ?? {};
    throw new Problem(message, { status: response.status, code, retryMs: retryMs(response) });
  }

  /** Sends it with a token, and with the next one where the first is refused. */
  async #authorized(url, request, away) {
    for (;;) {
      const token = await this.#session.token().catch((error) => {
        throw new Problem(`${error.message}: the router, which issues it, may be starting again.`);
      });
      const headers = { ...request.headers, authorization: `Bearer ${token}` };
      let response;
      try {
        response = await fetch(url, { ...request, headers });
      } catch (error) {
        if (request.signal?.aborted) throw error;
        throw new Problem(away);
      }
      const wayOn = WAYS_ON[response.status];
      if (!wayOn) {
        this.#session.accept();
        return response;
      }
      this.#session.refuse(token, wayOn(this.#session.source));
    }
  }
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem(`The answer has status ${response.status} and no JSON.`, { status: response.status });
  }
}

function retryMs(response) {
  const seconds = Number(response.headers.get("retry-after"));
  return seconds > 0 ? seconds * 1_000 : null;
}

/**
 * Does it now and every `everyMs`, until `signal` aborts, and never while nobody sees the page. What fails is told by
 * `fail` and tried again after longer and longer pauses; `fine` hears that it went well.
 */
export async function repeat(act, { everyMs, signal, fail, fine = () => {} }) {
  let failures = 0;
  while (!signal.aborted) {
    await shown({ page: document, signal, tell: () => {} });
    if (signal.aborted) return;
    let wait = everyMs;
    try {
      await act();
      if (signal.aborted) return;
      failures = 0;
      fine();
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      fail(error);
      wait = error.retryMs ?? Math.min(everyMs * 2 ** failures, LONGEST_PAUSE_MS);
    }
    await pause(wait, signal);
  }
}
