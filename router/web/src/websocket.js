// One connection of a subscription over a WebSocket (graphql-transport-ws); see `sse.js` for what `open` promises.
//
// All pages use it before SSE: a browser keeps six connections of HTTP/1.1 to a server, and each event stream holds one.
// Source: graphql-ws PROTOCOL.md.
import { Refused } from "./sse.js";

const ID = "1";
/** Close codes that say the client is at fault, so that trying again would not help. */
const HOPELESS = new Set([4400, 4401, 4403, 4406, 4409, 4429, 4500]);

function isHopeless({ code, reason }) {
  return HOPELESS.has(code) && !reason.startsWith("TOKEN_EXPIRED");
}

export async function* open({ url, payload, headers, cursor, signal, opened, moved }) {
  const socket = new WebSocket(new URL(url, location.href).href.replace(/^http/, "ws"), "graphql-transport-ws");
  const say = (message) => socket.send(JSON.stringify(message));
  const heard = new Heard();
  const leave = () => heard.end(signal.reason);
  signal.addEventListener("abort", leave);
  socket.onopen = () => say({ type: "connection_init", payload: headers });
  socket.onclose = (event) => heard.end(isHopeless(event) ? refused(event) : new Error(lost(event)));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "connection_ack") {
      // Without a cursor of its own it begins at the acknowledgement: what happens until the router has read on is not lost.
      const resume = cursor ?? message.payload?.cursor;
      say({ type: "subscribe", id: ID, payload: { ...payload, extensions: { resume } } });
      opened(resume);
    }
    if (message.type === "ping") say({ type: "pong" });
    // A quiet stream says where it is.
    if (message.type === "ping" && message.payload?.cursor) moved?.(message.payload.cursor);
    if (message.type === "next") heard.put(message.payload);
    if (message.type === "error") heard.put({ errors: message.payload });
    if (message.type === "error" || message.type === "complete") heard.end(null);
  };
  try {
    for await (const result of heard) yield { cursor: result.extensions?.cursor ?? null, result };
  } finally {
    signal.removeEventListener("abort", leave);
    socket.close(1000);
  }
}

function refused({ code, reason }) {
  return new Refused({ errors: [{ message: reason || `closed: ${code}` }] });
}

/** The browser tells nothing but a close code where a connection failed. */
function lost({ code, reason }) {
  return reason || `the WebSocket closed: ${code}`;
}

/** What came over the socket, until it ends well (`null`) or with an error. */
class Heard {
  #results = [];
  #end;
  #wake = () => {};

  put(result) {
    this.#results.push(result);
    this.#wake();
  }

  end(error) {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    while (true) {
      while (this.#results.length > 0) yield this.#results.shift();
      if (this.#end?.error) throw this.#end.error;
      if (this.#end) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}
