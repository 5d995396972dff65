import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribed } from "../../dist/document.js";

const at = (field, after = null) => ({ field, after });

test("a subscription is known by its root field, whatever stands around it", () => {
  for (const query of [
    "subscription { myOrderEvents { kind } }",
    "subscription Mine($a: In = {b: [1]}) @live(if: true) { events: myOrderEvents { kind } }",
    "# query { no }\nfragment F on OrderEvent { kind }\nsubscription { myOrderEvents { ...F } }",
    'subscription { myOrderEvents(note: "} after: \\"x\\"", list: [{after: "y"}]) { kind } }',
    'subscription { myOrderEvents(note: """ after: "x" """) { kind } }',
  ]) {
    assert.deepEqual(subscribed(query), at("myOrderEvents"), query);
  }
});

test("queries and mutations are none, and what cannot be told stays open", () => {
  for (const query of ["{ a }", "query Q { a }", "mutation { subscription }"]) assert.equal(subscribed(query), null, query);
  for (const query of [undefined, "", "subscription { ...F }", "subscription"]) assert.equal(subscribed(query), "unknown", query);
});

test("of several operations the named one counts", () => {
  const both = "query Q { a } subscription S { myOrderEvents { kind } }";
  assert.equal(subscribed(both, "Q"), null);
  assert.deepEqual(subscribed(both, "S"), at("myOrderEvents"));
});

test("the application's own cursor is found, as a literal and as a variable", () => {
  const literal = 'subscription { orderEvents(orderId: "7", after: "c1") { kind } }';
  assert.deepEqual(subscribed(literal), at("orderEvents", "c1"));
  const variable = "subscription ($c: Cursor) { myOrderEvents(after: $c) { kind } }";
  assert.deepEqual(subscribed(variable, null, { c: "c2" }), at("myOrderEvents", "c2"));
  assert.deepEqual(subscribed(variable, null, { c: null }), at("myOrderEvents"));
  assert.deepEqual(subscribed(variable), at("myOrderEvents"));
});
