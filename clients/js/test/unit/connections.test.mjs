// Each library against a server that breaks its connections as routers do, old and new ones.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { WebSocketServer, WebSocket } from "ws";
import { follow, subscribe } from "marketplace-live";
import { createLosslessClient as createSse } from "marketplace-live/graphql-sse";
import { createLosslessClient as createWs } from "marketplace-live/graphql-ws";

const backoff = { firstMs: 1, longestMs: 1 };
const query = "subscription { myOrderEvents { kind } }";
const frame = (cursor) => ({ data: { myOrderEvents: { kind: "CHANGE" } }, extensions: { cursor } });
const end = { data: { orderEventsCursor: "begin" } };
const goodbye = (code, cursor) => [{ message: "m", extensions: { code, cursor } }];
const cursors = (results) => results.map(({ extensions }) => extensions.cursor);

async function listening(server, t) {
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  t.after(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${server.address().port}/graphql`;
}

/** Serves subscriptions by the script's steps, one a connection; `asked` is what each brought. */
async function sse(t, steps) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { query, extensions } = JSON.parse(body);
    const head = { "content-type": "text/event-stream" };
    if (query.includes("orderEventsCursor")) {
      if (!request.headers.accept.startsWith("text/event-stream")) return response.end(JSON.stringify(end));
      return response.writeHead(200, head).end(`event: next\ndata: ${JSON.stringify(end)}\n\nevent: complete\ndata:\n\n`);
    }
    asked.push({ resume: extensions?.resume, authorization: request.headers.authorization });
    const step = steps[Math.min(asked.length, steps.length) - 1];
    if (typeof step === "number") return response.writeHead(step).end(JSON.stringify({ errors: [{ message: "no" }] }));
    response.writeHead(200, head);
    step({
      next: (result) => response.write(`id: ${result.extensions?.cursor ?? ""}\nevent: next\ndata: ${JSON.stringify(result)}\n\n`),
      write: (text) => response.write(text),
      complete: () => response.end("event: complete\ndata:\n\n"),
      cut: () => response.destroy(),
      finish: () => response.end(),
    });
  });
  return { url: await listening(server, t), asked };
}

const overSse = [
  (stream) => (stream.next(frame("c1")), setTimeout(stream.cut, 5)),
  (stream) => (stream.next(frame("c2")), stream.next({ errors: goodbye("SERVER_DRAINING", "c2") }), stream.complete()),
  503,
  (stream) => (stream.write("retry: 10\n\n"), stream.next(frame("c3")), stream.finish()),
  (stream) => (stream.next(frame("c4")), stream.complete()),
];
const behind = ["begin", "c1", "c2", "c2", "c3"];

test("subscribe goes on over a cut, a goodbye, a status and an end without a word", async (t) => {
  const { url, asked } = await sse(t, overSse);
  const results = [];
  await new Promise((complete, error) =>
    subscribe({ url, backoff }, { query }, { next: (result) => void results.push(result), error, complete }),
  );
  assert.deepEqual(cursors(results), ["c1", "c2", "c3", "c4"]);
  assert.deepEqual(asked.map(({ resume }) => resume), behind);
});

test("follow is the same as an iteration, and asks for a token before each connection", async (t) => {
  const { url, asked } = await sse(t, [401, ...overSse]);
  const whys = [];
  const token = (why) => (whys.push(why.renew), `t${whys.length}`);
  const results = [];
  for await (const result of follow({ url, backoff, token }, { query })) results.push(result);
  assert.deepEqual(cursors(results), ["c1", "c2", "c3", "c4"]);
  assert.equal(new Set(asked.map(({ authorization }) => authorization)).size, 6);
  assert.deepEqual(whys, [false, false, true, false, false, false, false]);
});

test("a reader that leaves closes its connection", async (t) => {
  let closed;
  const left = new Promise((left) => (closed = left));
  const { url } = await sse(t, [(stream) => stream.next(frame("c1"))]);
  for await (const result of follow({ url, backoff, fetch: watching(closed) }, { query })) {
    assert.deepEqual(result, frame("c1"));
    break;
  }
  await left;
});

const watching = (closed) => async (input, init) => {
  init.signal?.addEventListener("abort", closed);
  return fetch(input, init);
};

test("a connection that says nothing is broken", async (t) => {
  const steps = [(stream) => stream.next(frame("c1")), (stream) => (stream.next(frame("c2")), stream.complete())];
  const { url, asked } = await sse(t, steps);
  const results = [];
  for await (const result of follow({ url, backoff, silenceMs: 50 }, { query })) results.push(result);
  assert.deepEqual(cursors(results), ["c1", "c2"]);
  assert.deepEqual(asked.map(({ resume }) => resume), ["begin", "c1"]);
});

test("a place at the begin of a stream counts before its first frame", async (t) => {
  const steps = [(stream) => (stream.write("id: c0\n:\n\n"), setTimeout(stream.cut, 5)), (stream) => stream.complete()];
  const { url, asked } = await sse(t, steps);
  for await (const result of follow({ url, backoff }, { query })) assert.fail(JSON.stringify(result));
  assert.deepEqual(asked.map(({ resume }) => resume), ["begin", "c0"]);
});

test("graphql-sse goes on likewise, and its queries are not touched", async (t) => {
  const { url, asked } = await sse(t, overSse);
  const client = createSse({ url, backoff, silenceMs: 1_000 });
  const results = [];
  await new Promise((complete, error) => client.subscribe({ query }, { next: (result) => results.push(result), error, complete }));
  assert.deepEqual(cursors(results), ["c1", "c2", "c3", "c4"]);
  assert.deepEqual(asked.map(({ resume }) => resume), behind);
  client.dispose();
});

/** The same over sockets; a step gets the socket, and the id of its subscription. */
async function sockets(t, steps) {
  const asked = [];
  const server = createServer();
  const wss = new WebSocketServer({ server, handleProtocols: () => "graphql-transport-ws" });
  wss.on("connection", (socket) => {
    const say = (message) => socket.send(JSON.stringify(message));
    let authorization;
    socket.on("message", (text) => {
      const { type, id, payload } = JSON.parse(text);
      if (type === "connection_init") {
        authorization = payload?.authorization;
        return say({ type: "connection_ack" });
      }
      if (type !== "subscribe") return;
      if (payload.query.includes("orderEventsCursor")) {
        say({ type: "next", id, payload: end });
        return say({ type: "complete", id });
      }
      asked.push({ resume: payload.extensions?.resume, authorization });
      steps[Math.min(asked.length, steps.length) - 1]({
        next: (cursor) => say({ type: "next", id, payload: frame(cursor) }),
        ping: (payload) => say({ type: "ping", payload: { id, ...payload } }),
        error: (payload) => say({ type: "error", id, payload }),
        complete: () => say({ type: "complete", id }),
        close: (code, reason) => socket.close(code, reason),
        cut: () => socket.terminate(),
      });
    });
  });
  return { url: (await listening(server, t)).replace("http", "ws"), asked };
}

const overSockets = [
  (stream) => (stream.next("c1"), setTimeout(stream.cut, 5)),
  (stream) => (stream.next("c2"), stream.error(goodbye("SERVER_DRAINING", "c2")), stream.close(1012, "SERVER_DRAINING")),
  (stream) => stream.close(4290, "SLOW_CONSUMER"),
  (stream) => (stream.next("c3"), stream.close(4403, "TOKEN_EXPIRED: resume with a new token")),
  (stream) => stream.error(goodbye("UNAVAILABLE")),
  (stream) => (stream.next("c4"), stream.complete()),
];

test("graphql-ws goes on over a cut, a drain, a slow reader, an ended token and a refusal that passes", async (t) => {
  const { url, asked } = await sockets(t, overSockets);
  const whys = [];
  const token = ({ renew }) => (whys.push(renew), `t${whys.length}`);
  const client = createWs({ url, webSocketImpl: WebSocket, backoff, token });
  const results = [];
  await new Promise((complete, error) => client.subscribe({ query }, { next: (result) => results.push(result), error, complete }));
  assert.deepEqual(cursors(results), ["c1", "c2", "c3", "c4"]);
  assert.deepEqual(asked.map(({ resume }) => resume), ["begin", "c1", "c2", "c2", "c3", "c3"]);
  assert.ok(whys.includes(true) && whys[0] === false, `${whys}`);
  await client.dispose();
});

test("graphql-ws: what no other try would change is told, and a mutation is sent once", async (t) => {
  const { url, asked } = await sockets(t, [(stream) => stream.error(goodbye("NOT_FOUND")), (stream) => stream.cut()]);
  const client = createWs({ url, webSocketImpl: WebSocket, backoff });
  const failed = (query) => new Promise((error, complete) => client.subscribe({ query }, { next: complete, error, complete }));
  assert.equal((await failed(query))[0].extensions.code, "NOT_FOUND");
  await failed("mutation { payOrder }");
  assert.equal(asked.length, 2);
  await client.dispose();
});

test("graphql-ws: iterations are lossless too, and a client that is disposed of ends its streams", async (t) => {
  const { url } = await sockets(t, [(stream) => (stream.next("c1"), stream.close(1012, "")), (stream) => stream.next("c2")]);
  const client = createWs({ url, webSocketImpl: WebSocket, backoff });
  const results = [];
  for await (const result of client.iterate({ query })) {
    if (results.push(result) === 2) await client.dispose();
  }
  assert.deepEqual(cursors(results), ["c1", "c2"]);
});

test("an iteration that waits can be left", async (t) => {
  const { url } = await sse(t, [(stream) => stream.next(frame("c1"))]);
  const end = new AbortController();
  const frames = follow({ url, backoff }, { query }, end.signal);
  assert.deepEqual((await frames.next()).value, frame("c1"));
  const silent = frames.next();
  end.abort();
  assert.deepEqual(await silent, { done: true, value: undefined });
});

test("an iteration fails with what is refused", async (t) => {
  const { url } = await sse(t, [(stream) => (stream.next(frame("c1")), stream.cut()), 403]);
  const results = [];
  await assert.rejects(async () => {
    for await (const result of follow({ url, backoff }, { query })) results.push(result);
  }, /no/);
  assert.ok(results.length <= 1);
});

// A filter that finds nothing must not keep its stream where it was when the page was opened. Seen red with pings passed over.
test("a quiet stream goes on where the last sign of life says, and never where another stream's does", async (t) => {
  const steps = [
    (stream) => (stream.next("c1"), stream.ping({ cursor: "c5" }), setTimeout(stream.cut, 20)),
    (stream) => (stream.ping({ id: "none", cursor: "c9" }), stream.ping({ cursor: 7 }), setTimeout(stream.cut, 20)),
    (stream) => (stream.next("c6"), stream.complete()),
  ];
  const overSocket = await sockets(t, steps);
  const client = createWs({ url: overSocket.url, webSocketImpl: WebSocket, backoff });
  const results = [];
  for await (const result of client.iterate({ query })) results.push(result);
  assert.deepEqual(cursors(results), ["c1", "c6"]);
  assert.deepEqual(overSocket.asked.map(({ resume }) => resume), ["begin", "c5", "c5"]);

  const overHttp = await sse(t, [
    (stream) => (stream.next(frame("c1")), stream.write(":\nid: c5\n\n"), setTimeout(stream.cut, 20)),
    (stream) => (stream.next(frame("c6")), stream.complete()),
  ]);
  const got = [];
  for await (const result of follow({ url: overHttp.url, backoff }, { query })) got.push(result);
  assert.deepEqual(cursors(got), ["c1", "c6"]);
  assert.deepEqual(overHttp.asked.map(({ resume }) => resume), ["begin", "c5"]);
});
