// The stream itself, over connections that the test holds in its hands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow } from "../../dist/lossless.js";

const backoff = { firstMs: 1, longestMs: 1 };
const root = { field: "myOrderEvents", after: null };
const frame = (cursor, kind = "CHANGE") => ({ data: { e: { kind } }, extensions: { cursor } });
const end = (code, more = {}) => ({ errors: [{ message: "m", extensions: { code, ...more } }] });
const turn = (ms = 15) => new Promise((wake) => setTimeout(wake, ms));

/** A stream whose connections stand in `opened`, each with the cursor that it was opened behind. */
function open(source = {}, options = {}) {
  const opened = [];
  const told = { results: [], errors: [], completed: 0, gaps: [], renewed: 0 };
  const connect = (resume, feed) => {
    const connection = { behind: resume(), feed, closed: false };
    opened.push(connection);
    return () => (connection.closed = true);
  };
  const stop = follow(
    { root, resume: null, connect, end: async () => "begin", renew: () => (told.renewed += 1), ...source },
    {
      next: (result) => void told.results.push(result.extensions?.cursor ?? result),
      error: (error) => told.errors.push(error),
      complete: () => (told.completed += 1),
    },
    { backoff, onGap: ({ cursor }) => told.gaps.push(cursor), ...options },
  );
  return { opened, told, stop, last: () => opened.at(-1) };
}

test("a stream that begins now begins at a place, so a break before its first frame loses nothing", async () => {
  const { opened, last, stop } = open();
  await turn();
  assert.equal(last().behind, "begin");
  last().feed.error({ code: 1006, reason: "" });
  await turn();
  assert.deepEqual(opened.map(({ behind }) => behind), ["begin", "begin"]);
  stop();
});

test("each connection goes on behind the last frame of the one before", async () => {
  const { opened, told, last, stop } = open();
  await turn();
  last().feed.next(frame("c1"));
  last().feed.next(frame("c2"));
  last().feed.error({ code: 1012, reason: "" });
  await turn();
  assert.ok(opened[0].closed);
  assert.equal(last().behind, "c2");
  opened[0].feed.next(frame("late"));
  last().feed.next(frame("c3"));
  assert.deepEqual(told.results, ["c1", "c2", "c3"]);
  stop();
});

test("a frame that comes twice is given once", async () => {
  const { told, last, stop } = open();
  await turn();
  for (const cursor of ["c1", "c2", "c1", "c2", "c3"]) last().feed.next(frame(cursor));
  assert.deepEqual(told.results, ["c1", "c2", "c3"]);
  stop();
});

test("a goodbye in the stream is no result, and its cursor counts", async () => {
  for (const code of ["SERVER_DRAINING", "SLOW_CONSUMER", "UNAVAILABLE", "OVERLOADED"]) {
    const { told, last, stop, opened } = open();
    await turn();
    last().feed.next(frame("c1"));
    last().feed.next(end(code, { cursor: "c5" }));
    last().feed.complete();
    await turn();
    assert.deepEqual([opened.length, last().behind, told.results, told.completed], [2, "c5", ["c1"], 0], code);
    stop();
  }
});

test("faults beside data are a frame", async () => {
  const { told, last, stop } = open();
  await turn();
  last().feed.next({ ...frame("c1"), ...end("UNAVAILABLE") });
  last().feed.next({ data: null, ...end("INTERNAL"), extensions: { cursor: "c2" } });
  assert.deepEqual(told.results, ["c1", "c2"]);
  stop();
});

test("a refusal that no other try would change reaches the application, once", async () => {
  const { told, last, opened } = open();
  await turn();
  last().feed.error([{ message: "m", extensions: { code: "NOT_FOUND" } }]);
  await turn();
  assert.deepEqual([opened.length, told.errors.length, told.completed], [1, 1, 0]);
});

test("the router's own end is the end", async () => {
  const { told, last, opened } = open();
  await turn();
  last().feed.next(frame("c1"));
  last().feed.complete();
  await turn();
  assert.deepEqual([opened.length, told.completed], [1, 1]);
});

test("an order's stream begins anew until its state has come, and not after", async () => {
  const { last, stop } = open({ root: { field: "orderEvents", after: null } });
  assert.equal(last().behind, null);
  last().feed.mark("c0");
  last().feed.next(end("SERVER_DRAINING", { cursor: "c0" }));
  await turn();
  assert.equal(last().behind, null, "or the state would never come");
  last().feed.next(frame("c1", "SNAPSHOT"));
  last().feed.error({ code: 1006, reason: "" });
  await turn();
  assert.equal(last().behind, "c1");
  stop();
});

test("the application's own cursor is where the stream begins", async () => {
  const given = open({ root: { field: "myOrderEvents", after: "mine" } });
  assert.equal(given.last().behind, "mine");
  const kept = open({ resume: "kept" });
  assert.equal(kept.last().behind, "kept");
  given.stop();
  kept.stop();
});

test("a place without a frame counts", async () => {
  const { last, stop } = open({ end: async () => null });
  await turn();
  last().feed.mark("c7");
  last().feed.error(new TypeError("reset"));
  await turn();
  assert.equal(last().behind, "c7");
  stop();
});

test("the router's own pause is kept to", async () => {
  const pauses = [];
  const onState = (state) => state.state === "waiting" && pauses.push(state.pauseMs);
  const { last, stop } = open({}, { onState });
  await turn();
  last().feed.wait(30);
  last().feed.error(new TypeError("reset"));
  await turn(60);
  last().feed.next(end("OVERLOADED", { retryAfterSeconds: 1 }));
  assert.ok(pauses[0] >= 30 && pauses[1] >= 1_000, `${pauses}`);
  stop();
});

test("a gap is told, and given", async () => {
  const { told, last, stop } = open();
  await turn();
  last().feed.next(frame("g1", "GAP"));
  assert.deepEqual([told.gaps, told.results], [["g1"], ["g1"]]);
  stop();
});

test("a token that ended is asked for again, and so often refused that is the end", async () => {
  const { told, last, opened } = open();
  await turn();
  last().feed.next(frame("c1"));
  last().feed.error({ code: 4403, reason: "TOKEN_EXPIRED: resume with a new token" });
  await turn();
  assert.deepEqual([told.renewed, last().behind], [1, "c1"]);
  last().feed.next(frame("c2"));
  for (let refused = 0; refused < 4; refused += 1) {
    last().feed.error([{ message: "m", extensions: { code: "UNAUTHENTICATED" } }]);
    await turn();
  }
  assert.deepEqual([told.renewed, told.errors.length, opened.length], [4, 1, 5]);
});

test("where no other token can come, its end is told", async () => {
  const { told, last } = open({ renew: undefined });
  await turn();
  last().feed.error({ code: 4403, reason: "TOKEN_EXPIRED" });
  assert.equal(told.errors.length, 1);
});

test("the end of the stream is asked for until it is told, and a graph that has none does without", async () => {
  let asked = 0;
  const away = open({ end: async () => ((asked += 1), asked < 3 ? Promise.reject({ code: 1006, reason: "" }) : "begin") });
  await turn(30);
  assert.deepEqual([asked, away.last().behind], [3, "begin"]);
  const other = open({ end: () => Promise.reject([{ message: "no such field", extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }]) });
  await turn();
  assert.equal(other.last().behind, null);
  away.stop();
  other.stop();
});

test("what is no subscription as far as can be told is the application's to try again", async () => {
  const { told, last, opened, stop } = open({ root: "unknown" });
  last().feed.error({ code: 1006, reason: "" });
  await turn();
  assert.deepEqual([opened.length, told.errors.length], [1, 1]);
  stop();
});

test("a stream that is stopped while it waits opens nothing more", async () => {
  const { opened, last, stop } = open();
  await turn();
  last().feed.error(new TypeError("reset"));
  stop();
  await turn();
  assert.equal(opened.length, 1);
});
