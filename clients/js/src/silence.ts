// A connection that says nothing is broken, whatever the system says of it.
//
// The router sends a sign of life every 12 seconds; a machine that vanished sends no end either.

/** Three of the router's heartbeats, and some. */
export const SILENCE_MS = 40_000;

/** `fetch`, whose bodies fail when nothing comes for `silenceMs`. */
export function watched(fetchFn: typeof fetch, silenceMs: number): typeof fetch {
  return async (input, init) => {
    const response = await fetchFn(input, init);
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (!response.body || !isStream) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(watch(silenceMs)), { status, statusText, headers });
  };
}

function watch(silenceMs: number): TransformStream<Uint8Array, Uint8Array> {
  let timer: ReturnType<typeof setTimeout>;
  let breakOff: () => void;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(breakOff, silenceMs);
  };
  return new TransformStream({
    start(controller) {
      breakOff = () => controller.error(new TypeError(`nothing came for ${silenceMs} ms`));
      wait();
    },
    transform(chunk, controller) {
      wait();
      controller.enqueue(chunk);
    },
    flush: () => clearTimeout(timer),
    cancel: () => clearTimeout(timer),
  } as Transformer<Uint8Array, Uint8Array>);
}
