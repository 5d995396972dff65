// The lossless subscriptions of one client of a library, as far as they are the same whatever the library.
import { END, follow, type LosslessOptions, type Result, type Sink, type Source } from "./lossless.js";

type Subscribe = (
  request: { query: string },
  sink: { next(result: Result): void; error(error: unknown): void; complete(): void },
) => unknown;

/** Follows streams, and stops them with their client. */
export class Streams {
  readonly #options: LosslessOptions;
  readonly #stops = new Set<() => void>();

  constructor(options: LosslessOptions) {
    this.#options = options;
  }

  /** Follows one; gives what stops it. As with the libraries themselves, what is stopped is complete. */
  follow(source: Source<Result>, sink: Sink<Result>): () => void {
    let isOpen = true;
    const once = (tell: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      this.#stops.delete(stop);
      tell();
    };
    const guarded: Sink<Result> = {
      next: (result) => sink.next(result),
      error: (error) => once(() => sink.error(error)),
      complete: () => once(() => sink.complete()),
    };
    const cease = follow(source, guarded, this.#options);
    const stop = () => {
      cease();
      guarded.complete();
    };
    if (isOpen) this.#stops.add(stop);
    return stop;
  }

  stop(): void {
    for (const stop of [...this.#stops]) stop();
  }
}

/** The stream's end, asked for over the library itself. Fails with what the library fails with. */
export function askEnd(subscribe: Subscribe): Promise<string | null> {
  return new Promise((resolve, reject) => {
    subscribe(
      { query: END },
      {
        next: ({ data, errors }) => {
          if (errors) reject(errors);
          else resolve((data as { orderEventsCursor?: string } | null)?.orderEventsCursor ?? null);
        },
        error: reject,
        complete: () => resolve(null),
      },
    );
  });
}

/** The cursor that an application gives with its operation. */
export function resumeOf(extensions: Record<string, unknown> | null | undefined): string | null {
  const resume = extensions?.["resume"];
  return typeof resume === "string" && resume !== "" ? resume : null;
}
