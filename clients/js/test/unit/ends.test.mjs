import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../dist/backoff.js";
import { ofClose, ofError, ofErrors, ofStatus } from "../../dist/ends.js";

const error = (code, more = {}) => ({ message: "m", extensions: { code, ...more } });

test("an end that passes is resumed, one that does not is told", () => {
  for (const code of ["SERVER_DRAINING", "SLOW_CONSUMER", "UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "DEADLINE_EXCEEDED"]) {
    assert.equal(ofErrors([error(code)]).then, "resume", code);
  }
  for (const code of ["NOT_FOUND", "FORBIDDEN", "INVALID_ARGUMENT", "GRAPHQL_VALIDATION_FAILED", "INTERNAL", undefined]) {
    assert.equal(ofErrors([error(code)]).then, "stop", code);
  }
  for (const code of ["TOKEN_EXPIRED", "UNAUTHENTICATED"]) assert.equal(ofErrors([error(code)]).then, "token", code);
  assert.equal(ofErrors([error("UNAVAILABLE"), error("NOT_FOUND")]).then, "stop", "one hopeless error is enough");
});

test("an end says where to go on, and when", () => {
  const verdict = ofErrors([error("INTERNAL", { cursor: "c9", retryAfterSeconds: 2 })]);
  assert.deepEqual(verdict, { then: "resume", cursor: "c9", pauseMs: 2_000 });
});

test("close codes: the client's own faults stop, everything else is resumed", () => {
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4290, 4408, 4499]) assert.equal(ofClose(code, "").then, "resume", code);
  for (const code of [1002, 1009, 4400, 4406, 4409, 4429]) assert.equal(ofClose(code, "").then, "stop", code);
  for (const code of [4401, 4403]) assert.equal(ofClose(code, "Forbidden").then, "token", code);
  assert.equal(ofClose(1008, "TOKEN_EXPIRED: resume with a new token").then, "token");
});

test("statuses: 5xx and what passes is resumed", () => {
  for (const status of [408, 425, 429, 500, 502, 503, 504]) assert.equal(ofStatus(status).then, "resume", status);
  for (const status of [400, 403, 404, 405, 406, 413, 415]) assert.equal(ofStatus(status).then, "stop", status);
  assert.equal(ofStatus(401).then, "token");
  assert.deepEqual(ofStatus(429, "3"), { then: "resume", pauseMs: 3_000 });
});

test("whatever a library reports is read", () => {
  assert.equal(ofError(new TypeError("fetch failed")).then, "resume");
  assert.equal(ofError(undefined).then, "resume");
  assert.equal(ofError({ code: 4406, reason: "" }).then, "stop");
  const response = { status: 503, headers: new Headers({ "retry-after": "1" }) };
  assert.deepEqual(ofError(Object.assign(new Error(), { response })), { then: "resume", pauseMs: 1_000 });
});

test("pauses double up to the longest, are drawn at random, and start over", () => {
  const longest = new Backoff({ random: () => 1 });
  assert.deepEqual(Array.from({ length: 6 }, () => longest.next()), [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  longest.reset();
  assert.equal(longest.next(3_000), 3_500, "never before the router asked for");
  const shortest = new Backoff({ random: () => 0 });
  assert.ok(shortest.next() >= 50);
});
