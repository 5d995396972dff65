// What needs no library: subscriptions by `fetch`. The one call of each library is in the file of its name.
export type { BackoffOptions } from "./backoff.js";
export type { Gap, LosslessOptions, Result, Sink, State } from "./lossless.js";
export { follow, Refused, type Request, type SseOptions, subscribe } from "./sse.js";
