// Which ends of a stream are pauses: the router, or its successor, goes on from the cursor.
//
// Source: docs/clients.md, "How a stream ends".

/** A GraphQL error as it comes over the wire. */
export interface Fault {
  readonly message: string;
  readonly extensions?: { readonly code?: unknown; readonly cursor?: unknown; readonly retryAfterSeconds?: unknown };
}

/** What to do when a stream has ended. */
export interface Verdict {
  /** `resume` after a pause, with a fresh `token` first, or `stop`: another try would not help. */
  readonly then: "resume" | "token" | "stop";
  /** Where to go on, if the end says so. */
  readonly cursor?: string;
  /** The shortest pause that the router asks for. */
  readonly pauseMs?: number;
}

const PASSING = new Set([
  "SERVER_DRAINING",
  "SLOW_CONSUMER",
  "UNAVAILABLE",
  "OVERLOADED",
  "RATE_LIMITED",
  "DEADLINE_EXCEEDED",
]);
const ABOUT_THE_TOKEN = new Set(["TOKEN_EXPIRED", "UNAUTHENTICATED"]);

/** Close codes of a client's own fault: of the WebSocket protocol, and of graphql-transport-ws. */
const HOPELESS = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4004, 4005, 4400, 4406, 4409, 4429, 4500]);

/** Statuses below 500 that pass. */
const PASSING_STATUS = new Set([408, 421, 425, 429]);

/** Reads the errors of a response without data, or of an `error` message. */
export function ofErrors(errors: readonly Fault[]): Verdict {
  const verdicts = errors.map(({ extensions }): Verdict => {
    const code = String(extensions?.code ?? "");
    const cursor = typeof extensions?.cursor === "string" ? extensions.cursor : undefined;
    const seconds = Number(extensions?.retryAfterSeconds ?? 0);
    // Whatever the code: an end that names a cursor says where to go on.
    const passes = PASSING.has(code) || cursor !== undefined;
    const then = ABOUT_THE_TOKEN.has(code) ? "token" : passes ? "resume" : "stop";
    return { then, ...(cursor && { cursor }), ...(seconds > 0 && { pauseMs: seconds * 1_000 }) };
  });
  return verdicts.find(({ then }) => then === "stop") ?? verdicts[0] ?? { then: "stop" };
}

/** Reads a WebSocket's close event. */
export function ofClose(code: number, reason: string): Verdict {
  if (code === 4401 || code === 4403) return { then: "token" };
  if (reason.startsWith("TOKEN_EXPIRED")) return { then: "token" };
  return { then: HOPELESS.has(code) ? "stop" : "resume" };
}

/** Reads a response's status, and how long it asks to wait. */
export function ofStatus(status: number, retryAfter: string | null = null): Verdict {
  const pauseMs = Number(retryAfter ?? 0) * 1_000;
  if (status === 401) return { then: "token" };
  if (status < 500 && !PASSING_STATUS.has(status)) return { then: "stop" };
  return { then: "resume", ...(pauseMs > 0 && { pauseMs }) };
}

/** Reads whatever a library reports when a stream breaks. */
export function ofError(error: unknown): Verdict {
  if (Array.isArray(error)) return ofErrors(error as Fault[]);
  const { code, reason, response } = (error ?? {}) as {
    code?: unknown;
    reason?: unknown;
    response?: { status?: unknown; headers?: { get?: (name: string) => string | null } };
  };
  if (typeof code === "number") return ofClose(code, typeof reason === "string" ? reason : "");
  if (typeof response?.status === "number") {
    return ofStatus(response.status, response.headers?.get?.("retry-after") ?? null);
  }
  // The network, or a socket that tells nothing.
  return { then: "resume" };
}
