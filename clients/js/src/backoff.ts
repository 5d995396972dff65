// How long to wait before the next connection: twice as long each time, drawn at random so that ten thousand clients of
// one router do not come back at once.

/** Settings of the pauses between connections. */
export interface BackoffOptions {
  /** The longest first pause, in milliseconds; 500 unless given. */
  readonly firstMs?: number;
  /** The longest pause of all; 8,000 unless given. */
  readonly longestMs?: number;
  /** For tests: numbers of 0 to 1. */
  readonly random?: () => number;
}

/** The pauses of one stream. */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #random: () => number;
  #tries = 0;

  constructor({ firstMs = 500, longestMs = 8_000, random = Math.random }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#random = random;
  }

  /** The next pause, and never shorter than `atLeastMs`, which the router asked for. */
  next(atLeastMs = 0): number {
    const longest = Math.min(this.#firstMs * 2 ** this.#tries, this.#longestMs);
    // 2 ** 16 is beyond any pause; larger powers would in the end be no numbers.
    this.#tries = Math.min(this.#tries + 1, 16);
    return Math.round(atLeastMs + longest * (0.1 + 0.9 * this.#random()));
  }

  /** The connection held: the next break is a new one. */
  reset(): void {
    this.#tries = 0;
  }
}
