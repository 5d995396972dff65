// What the shop asks the graph, as one user.
import { fetchToken, renewAfterMs } from "./demo-token.js";
import { follow } from "./resume.js";
import { open } from "./websocket.js";

/** A product's name, in Russian where that is the browser's language and in English elsewhere. */
export const NAME = `name(language: ${/^ru\b/i.test(navigator.language) ? "RU" : "EN"})`;

const TRIES = 4;
const LONGEST_PAUSE_MS = 5_000;

/** Something that a person should read: a refusal, or a fault with the number by which its trace is found. */
export class Problem extends Error {}

/** One user at the graph. `log` hears of every answer. */
export class Graph {
  #user;
  #log;
  #token;
  #renewAt = 0;

  constructor(user, log) {
    this.#user = user;
    this.#log = log;
  }

  /** The user's name on the page. */
  get user() {
    return this.#user;
  }

  /**
   * Asks; gives the answer's `data`, whole or in part, and its `errors`. `key` makes a change that happens once however often it is sent.
   *
   * Fails with a `Problem` where there are no data, or where the shop refuses the change.
   */
  async ask(text, variables = {}, { key, signal } = {}) {
    const name = /\b(?:query|mutation)\s+(\w+)/.exec(text)?.[1] ?? "operation";
    const start = performance.now();
    const tell = (answer, left) =>
      this.#log({ name, link: link(text, variables, this.#user.id), answer, ms: Math.round(performance.now() - start), left });
    try {
      const { data, errors, left } = await this.#send(text, variables, key, signal);
      const refused = Object.values(data ?? {}).flatMap((value) => value?.userErrors ?? [])[0];
      const code = refused?.code ?? errors?.[0]?.extensions?.code;
      tell(code ?? "OK", left);
      if (refused) throw new Problem(`${refused.message} (${refused.code})`);
      if (!data) throw new Problem(sentence(errors?.[0]));
      return { data, errors: errors ?? [] };
    } catch (error) {
      if (!(error instanceof Problem)) tell("no answer");
      throw error;
    }
  }

  /** Sends it, and again where the router says that nothing was done. */
  async #send(text, variables, key, signal) {
    const body = JSON.stringify({ query: text, variables });
    for (let tries = 1; ; tries += 1) {
      const headers = { ...(await this.#authorization()), "content-type": "application/json", accept: "application/json" };
      if (key) headers["idempotency-key"] = key;
      let response;
      try {
        response = await fetch("/graphql", { method: "POST", headers, body, signal });
      } catch (error) {
        if (signal?.aborted) throw error;
        // Without a key a change might happen twice, and a query may always be asked again.
        const isRepeatable = key !== undefined || !/^\s*mutation\b/.test(text);
        if (!isRepeatable || tries >= TRIES) throw new Problem("The marketplace does not answer. Nothing is lost: try again.");
        await pause(500 * 2 ** tries, signal);
        continue;
      }
      const isBusy = response.status === 503 || response.status === 429;
      if (isBusy && tries < TRIES) {
        const seconds = Number(response.headers.get("retry-after") ?? 1);
        await pause(Math.min(seconds * 1_000, LONGEST_PAUSE_MS) * (0.7 + 0.6 * Math.random()), signal);
        continue;
      }
      if (response.status === 401 && tries < TRIES) {
        this.#renewAt = 0;
        continue;
      }
      return read(response);
    }
  }

  /** The results of a subscription, over however many connections, each once. */
  async *follow(text, signal, tell = () => {}, variables = {}) {
    const connect = async function* (connection) {
      const headers = await this.#authorization();
      yield* open({ url: "/graphql", payload: { query: text, variables }, headers, ...connection });
    }.bind(this);
    yield* follow({ connect, tell, breaker: {}, signal });
  }

  async #authorization() {
    if (Date.now() >= this.#renewAt) {
      this.#token = await fetchToken(this.#user).catch((error) => {
        throw new Problem(`${error.message}: the shop page acts as users of the demo, and this marketplace issues no tokens for them.`);
      });
      this.#renewAt = Date.now() + renewAfterMs(this.#token);
    }
    return { authorization: `Bearer ${this.#token}` };
  }
}

/** Where the playground shows an operation. */
export function link(text, variables = {}, user = null) {
  const shown = new URLSearchParams({ query: text.trim(), ...(user && { user }) });
  if (Object.keys(variables).length > 0) shown.set("variables", JSON.stringify(variables, null, 2));
  return `/#${shown}`;
}

/** A key for one change that a person means once. */
export function freshKey(what) {
  return `shop-${what}-${crypto.randomUUID?.() ?? String(Math.random()).slice(2)}`;
}

async function read(response) {
  try {
    return { ...(await response.json()), left: response.headers.get("ratelimit-remaining") };
  } catch {
    throw new Problem(`The marketplace answers with status ${response.status} and no JSON.`);
  }
}

function sentence(error) {
  const { code, traceId } = error?.extensions ?? {};
  const about = [code, traceId && `trace ${traceId}`].filter(Boolean).join(", ");
  return `${error?.message ?? "There is no answer"}${about && ` (${about})`}`;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
