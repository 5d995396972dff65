// One connection of a subscription over server-sent events, distinct connections mode: one POST, one stream.
//
// `resume.js` opens the next one when this ends.

/** The router answered, and not with a stream: trying again would not help. */
export class Refused extends Error {
  constructor(result) {
    super(result.errors?.[0]?.message ?? "refused");
    this.result = result;
  }
}

/**
 * Yields `{ cursor, result }` a frame, until the router completes the stream. `opened(cursor)` is called when the router has
 * taken the subscription, with the place where it begins, and `moved(cursor)` when a quiet stream has come to another. Fails when
 * the connection does; fails with [`Refused`] where there is no point in trying again.
 */
export async function* open({ url, payload, headers, cursor, signal, opened, moved }) {
  const response = await fetch(url, {
    method: "POST",
    signal,
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "text/event-stream",
      ...(cursor && { "last-event-id": cursor }),
    },
    body: JSON.stringify(payload),
  });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  if (response.status >= 500 && !isStream) throw new Error(`status ${response.status}`);
  if (!response.ok || !isStream) throw new Refused(await refusal(response));
  opened(response.headers.get("x-stream-cursor"));
  for await (const event of events(response.body)) {
    if (event.name === "complete") return;
    if (event.name === "next") yield { cursor: event.id, result: JSON.parse(event.data) };
    else if (event.id) moved?.(event.id);
  }
  throw new Error("the connection ended");
}

async function refusal(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `status ${response.status}: ${text.slice(0, 500)}` }] };
  }
}

async function* events(body) {
  let rest = "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
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
