// A stream as an iteration, which waits for its reader.
//
// Not a generator: the `return` of one waits for the result that its `next` waits for, so a silent stream could not be left.
import type { Result, Sink } from "./lossless.js";

/** Opens the stream, and gives its results one by one; it is closed when the iteration is left, or by `signal`. */
export function iterate<R extends Result>(
  open: (sink: Sink<R>) => () => void,
  signal?: AbortSignal,
): AsyncGenerator<R, void, void> {
  return new Iteration(open, signal);
}

class Iteration<R extends Result> implements AsyncGenerator<R, void, void> {
  readonly #waiting: { result: R; taken: () => void }[] = [];
  readonly #readers: { give: (read: IteratorResult<R, void>) => void; fail: (error: unknown) => void }[] = [];
  readonly #stop: () => void;
  #ended = false;
  #failure: { error: unknown } | undefined;

  constructor(open: (sink: Sink<R>) => () => void, signal?: AbortSignal) {
    this.#stop = open({
      next: (result) => new Promise<void>((taken) => (this.#waiting.push({ result, taken }), this.#hand())),
      error: (error) => this.#end({ error }),
      complete: () => this.#end(),
    });
    signal?.addEventListener("abort", () => void this.return(), { once: true });
    if (signal?.aborted) void this.return();
  }

  next(): Promise<IteratorResult<R, void>> {
    return new Promise((give, fail) => {
      this.#readers.push({ give, fail });
      this.#hand();
    });
  }

  async return(): Promise<IteratorResult<R, void>> {
    this.#waiting.length = 0;
    this.#end();
    this.#stop();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<R, void>> {
    await this.return();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): AsyncGenerator<R, void, void> {
    return this;
  }

  #end(failure?: { error: unknown }): void {
    this.#ended = true;
    this.#failure ??= failure;
    this.#hand();
  }

  /** Gives readers what is there, and then the end. */
  #hand(): void {
    while (this.#readers.length > 0) {
      const first = this.#waiting.shift();
      if (!first && !this.#ended) return;
      const reader = this.#readers.shift();
      if (first) {
        reader?.give({ done: false, value: first.result });
        first.taken();
      } else if (this.#failure) {
        reader?.fail(this.#failure.error);
        this.#failure = undefined;
      } else {
        reader?.give({ done: true, value: undefined });
      }
    }
  }
}
