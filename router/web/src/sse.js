// Subscriptions over server-sent events, distinct connections mode: one POST, one stream.
//
// A lost connection is opened again with Last-Event-ID, which the router takes as the cursor to go on behind: the
// frames that are shown miss nothing and repeat nothing, also when the router was restarted in between.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** Codes with which the router ends a stream that it, or its successor, will go on with from the cursor. */
const RESUMABLE = new Set(["SERVER_DRAINING", "SLOW_CONSUMER"]);

/** Yields one execution result a frame until the router completes the stream or the caller returns. */
export async function* subscribe(url, payload, headers) {
  const abort = new AbortController();
  let lastEventId = null;
  let wait = FIRST_WAIT_MS;
  try {
    while (true) {
      try {
        for await (const event of events(url, payload, headers, lastEventId, abort.signal)) {
          wait = FIRST_WAIT_MS;
          if (event.id) lastEventId = event.id;
          if (event.name === "complete") return;
          if (event.name !== "next") continue;
          const result = JSON.parse(event.data);
          const goodbye = result.errors?.find((error) => RESUMABLE.has(error.extensions?.code));
          if (goodbye) {
            lastEventId = goodbye.extensions.cursor ?? lastEventId;
            break;
          }
          yield result;
        }
      } catch (error) {
        if (error instanceof Refused) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  } finally {
    abort.abort();
  }
}

/** The router answered, and not with a stream: trying again would not help. */
class Refused extends Error {}

async function* events(url, payload, headers, lastEventId, signal) {
  const response = await fetch(url, {
    method: "POST",
    signal,
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "text/event-stream",
      ...(lastEventId && { "last-event-id": lastEventId }),
    },
    body: JSON.stringify(payload),
  });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  if (response.status >= 500 && !isStream && lastEventId) throw new Error("away; trying again");
  if (!response.ok || !isStream) throw new Refused(await response.text());

  let rest = "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may be broken already, which is why it is left
  }
}

function parseEvent(block) {
  const event = { id: null, name: "message", data: "" };
  let fields = 0;
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue; // a comment: the router's heartbeat
    const value = line.slice(colon + 1).replace(/^ /, "");
    fields += 1;
    if (line.startsWith("id:")) event.id = value;
    if (line.startsWith("event:")) event.name = value;
    if (line.startsWith("data:")) event.data += (event.data && "\n") + value;
  }
  return fields > 0 ? event : null;
}
